"""Two independent counts of the same deliveries: what the simulator did to them, and what the platform finds."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.simulator import RowAccount, Truth, simulate
from etl_assets.simulator.simulation import TENANTS
from etl_assets.sources.reading import read_delivery
from etl_assets.tables import raw_table
from etl_assets.transforms.cleaning import Verdict, clean

SPECS = {tenant.name: tenant.spec for tenant in TENANTS}
REASONS = {
    "impossible_date": "event_at_is_not_a_time",
    "nonexistent_time": "event_at_does_not_exist",
    "time_missing": "event_at_is_missing",
    "amount_missing": "amount_is_missing",
    "amount_is_nan": "amount_is_not_a_number",
    "too_many_digits": "amount_has_too_many_digits",
    "id_missing": "transaction_id_is_missing",
    "too_late": "event_at_is_too_late",
    "before_it_happened": "event_at_is_after_business_date",
}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    folder = tmp_path_factory.mktemp("deliveries")
    return folder, simulate(folder)


@cache
def platform_view(folder: Path, name: str) -> tuple[Verdict, dict[str, int]]:
    """The verdict on all deliveries of an institution, and the control lines by file."""
    spec = SPECS[name]
    control_lines, tables = {}, []
    for path in sorted((folder / name).iterdir()):
        reading = read_delivery(path.name, path.read_bytes(), spec)
        control_lines[path.name] = reading.control_lines
        tables.append(with_lineage(reading.rows, path, spec))
    return clean(pa.concat_tables(tables), spec, spec.start_date, spec.start_date + timedelta(days=44)), control_lines


def with_lineage(rows: pa.Table, path: Path, spec: InstitutionSpec) -> pa.Table:
    schema = raw_table(spec).schema
    constants = {
        "business_date": spec.deliveries.business_date(path.name),
        "_delivery_id": path.name,
        "_file": path.name,
        "_delivered_at": datetime.fromtimestamp(path.stat().st_mtime, UTC),
    }
    for name, value in constants.items():
        rows = rows.append_column(name, pa.repeat(pa.scalar(value, schema.field(name).type), rows.num_rows))
    return rows.select(schema.names).cast(schema)


@pytest.mark.parametrize("name", SPECS)
def test_the_platform_finds_exactly_the_truth_in_every_file(simulated: tuple[Path, Truth], name: str) -> None:
    folder, truth = simulated
    verdict, control_lines = platform_view(folder, name)
    published = Counter(verdict.published["_delivery_id"].to_pylist())
    pairs = zip(*(verdict.quarantined[column].to_pylist() for column in ("_delivery_id", "disposition")), strict=True)
    quarantined = Counter(pairs)
    dispositions = ("invalid", "duplicate", "superseded")
    found = {
        file: RowAccount(published[file], *(quarantined[file, d] for d in dispositions), control_lines[file])
        for file in control_lines
    }
    assert found == truth.institutions[name].deliveries


@pytest.mark.parametrize("name", SPECS)
def test_every_defect_is_quarantined_for_its_own_reason(simulated: tuple[Path, Truth], name: str) -> None:
    folder, truth = simulated
    verdict, _ = platform_view(folder, name)
    first = pl.from_arrow(verdict.quarantined.select(["file", "reasons", "disposition"])).filter(  # type: ignore[union-attr]
        (pl.col("disposition") == "invalid") & ~pl.col("file").str.contains("nachlieferung|resent|_bis")
    )
    found = Counter(reason for reasons in first["reasons"] for reason in reasons.split(","))
    expected = truth.institutions[name].defects
    assert {kind: found[reason] for kind, reason in REASONS.items()} == {
        kind: expected.get(kind, 0) for kind in REASONS
    }


@pytest.mark.parametrize("name", SPECS)
def test_every_fraud_of_the_truth_is_found_among_cleaned_rows(simulated: tuple[Path, Truth], name: str) -> None:
    folder, _ = simulated
    verdict, _ = platform_view(folder, name)
    frauds = pl.read_csv(folder / "truth" / f"{name}.csv", infer_schema=False)
    by = ["account_id", "transaction_id"] if SPECS[name].columns.transaction_id else ["account_id"]
    cleaned = pl.DataFrame(verdict.published.select([*by, "event_at", "amount", "business_date"])).select(
        *by,
        pl.col("event_at").dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        pl.col("amount").cast(pl.Decimal(24, 2)).cast(pl.String),
        pl.col("business_date").cast(pl.String),
    )
    assert len(cleaned.join(frauds, on=cleaned.columns, how="semi")) == len(frauds)
