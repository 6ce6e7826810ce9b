"""The simulated frauds: rare, among normal amounts, partly reported, never falsely."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from etl_assets.institution_spec import InstitutionSpec, load_spec
from etl_assets.simulator import Truth, simulate
from etl_assets.simulator.simulation import TENANTS
from etl_assets.simulator.tenant import INSTITUTIONS

SPECS = {tenant.name: tenant.spec for tenant in TENANTS}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    folder = tmp_path_factory.mktemp("deliveries")
    return folder, simulate(folder)


def rows_of(folder: Path, spec: InstitutionSpec) -> Iterator[list[str]]:
    """The fields of every line of every text file, header left out, whatever is wrong with them."""
    dialect = spec.deliveries.csv
    for path in sorted(folder.iterdir()):
        with path.open(encoding=dialect.encoding, errors="replace", newline="") as file:
            yield from list(csv.reader(file, delimiter=dialect.separator))[1:]


def paid_amounts(folder: Path, spec: InstitutionSpec) -> pl.Series:
    """What left the accounts, as positive numbers, frauds included: they are too few to move a quantile."""
    if spec.deliveries.format == "parquet":
        found = -pl.concat(pl.read_parquet(path)[spec.columns.amount.source] for path in sorted(folder.iterdir()))
        return found.drop_nulls().drop_nans()
    field = {"nordbank": 4, "kartenhaus": 5}[spec.institution]
    texts = pl.Series([row[field] for row in rows_of(folder, spec) if len(row) > field])
    if spec.columns.amount.decimal_mark == ",":
        texts = texts.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    sign = 1 if spec.columns.amount.sign == "positive_leaves" else -1
    amounts = sign * texts.cast(pl.Float64, strict=False).drop_nulls().drop_nans()
    return amounts.filter(amounts > 0)


@pytest.mark.parametrize("name", SPECS)
def test_frauds_are_rare_and_their_amounts_lie_among_normal_ones(simulated: tuple[Path, Truth], name: str) -> None:
    folder, truth = simulated
    fraud = pl.read_csv(folder / "truth" / f"{name}.csv")
    assert 0.003 <= len(fraud) / truth.institutions[name].total.published <= 0.006
    low, high = np.quantile(paid_amounts(folder / name, SPECS[name]), [0.005, 0.995])
    modest = fraud.filter(pl.col("fraud_kind") != "large_payment")["amount"]
    assert (-modest).is_between(low, high).mean() > 0.9


@pytest.mark.parametrize("name", SPECS)
def test_every_kind_of_fraud_that_the_source_can_show_is_there(simulated: tuple[Path, Truth], name: str) -> None:
    folder, truth = simulated
    fraud = pl.read_csv(folder / "truth" / f"{name}.csv")
    assert len(fraud) == truth.institutions[name].frauds
    expected = {"card_testing", "account_takeover", "large_payment", "merchant_compromise"}
    if SPECS[name].columns.counterparty_id is None:
        expected.remove("merchant_compromise")
    assert set(fraud["fraud_kind"]) == expected


def test_what_kartenhaus_reports_is_fraud_and_some_fraud_is_not_reported(simulated: tuple[Path, Truth]) -> None:
    folder, _ = simulated
    frauds = set(pl.read_csv(folder / "truth" / "kartenhaus.csv")["transaction_id"])
    rows = rows_of(folder / "kartenhaus", SPECS["kartenhaus"])
    reported = {row[0] for row in rows if row and row[-1] == "1"}
    assert reported < frauds
    assert 0.4 < len(reported) / len(frauds) < 0.8


def test_the_yamls_of_all_institutions_are_those_of_the_simulator() -> None:
    assert {load_spec(path).institution for path in INSTITUTIONS.glob("*.yaml")} == set(SPECS)
