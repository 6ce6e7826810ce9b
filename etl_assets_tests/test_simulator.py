"""The simulator: the same on every run, honest about every defect, and with frauds that hide among normal payments."""

from __future__ import annotations

import csv
import io
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_assets.institution_spec import InstitutionSpec, load_spec
from etl_assets.simulator import Truth, simulate
from etl_assets.simulator.simulation import TENANTS
from etl_assets.simulator.tenant import INSTITUTIONS

NAMES = [tenant.name for tenant in TENANTS]
WITH_TEXT_FILES = ["nordbank", "kartenhaus"]
AGAIN = ("nachlieferung", "resent", "_bis")


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    folder = tmp_path_factory.mktemp("deliveries")
    return folder, simulate(folder)


def spec_of(name: str) -> InstitutionSpec:
    return load_spec(INSTITUTIONS / f"{name}.yaml")


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def first_deliveries(folder: Path) -> list[bytes]:
    """The bytes of every file but the repetitions, in order of their names."""
    return [path.read_bytes() for path in sorted(folder.iterdir()) if not any(word in path.name for word in AGAIN)]


def records(content: bytes, name: str) -> list[list[str]]:
    dialect = spec_of(name).deliveries.csv
    text = content.decode(dialect.encoding, errors="replace")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=dialect.separator))


def test_the_same_seed_gives_the_same_bytes_and_times(simulated: tuple[Path, Truth], tmp_path: Path) -> None:
    folder, truth = simulated
    assert simulate(tmp_path) == truth
    assert contents(tmp_path) == contents(folder)


def test_another_seed_gives_other_payments(simulated: tuple[Path, Truth], tmp_path: Path) -> None:
    simulate(tmp_path, days=3, seed=8)
    file = "kartenhaus/settlement-2026-03-02.csv"
    assert (tmp_path / file).read_bytes() != (simulated[0] / file).read_bytes()


def test_a_second_run_touches_no_file(tmp_path: Path) -> None:
    simulate(tmp_path, days=5)
    before = {path: (path.stat().st_ino, path.stat().st_ctime_ns) for path in tmp_path.rglob("*")}
    simulate(tmp_path, days=5)
    assert {path: (path.stat().st_ino, path.stat().st_ctime_ns) for path in tmp_path.rglob("*")} == before


def test_a_damaged_file_is_restored_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    simulate(tmp_path, days=2)
    whole = contents(tmp_path)
    broken = tmp_path / "nordbank" / "umsaetze_20260302.csv"
    broken.write_bytes(broken.read_bytes()[:500])
    simulate(tmp_path, days=2)
    assert contents(tmp_path) == whole


@settings(max_examples=6, deadline=None)
@given(days=st.integers(1, 44))
def test_a_shorter_simulation_begins_like_a_longer_one(
    simulated: tuple[Path, Truth], tmp_path_factory: pytest.TempPathFactory, days: int
) -> None:
    folder = tmp_path_factory.mktemp("shorter")
    simulate(folder, days=days)
    longer = contents(simulated[0])
    last_day = {date(2026, 3, 2) + timedelta(days=days - 1)}
    for name in NAMES:
        spec = spec_of(name)
        for path in (folder / name).iterdir():
            if spec.deliveries.business_date(path.name) not in last_day:
                assert path.read_bytes() == longer[f"{name}/{path.name}"][0]


@pytest.mark.parametrize("name", NAMES)
def test_every_file_is_a_delivery_of_its_spec(simulated: tuple[Path, Truth], name: str) -> None:
    folder, truth = simulated
    spec = spec_of(name)
    assert spec.institution == name
    assert spec.deliveries.folder == f"${{ETL_DELIVERIES}}/{name}"
    files = sorted(path.name for path in (folder / name).iterdir())
    assert files == sorted(truth.institutions[name].deliveries)
    assert spec.start_date == min(day for file in files if (day := spec.deliveries.business_date(file)))
    assert all(spec.deliveries.business_date(file) for file in files)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_arrives_in_the_night_after_its_day_and_a_correction_later(
    simulated: tuple[Path, Truth], name: str
) -> None:
    spec = spec_of(name)
    midday = datetime.min.time().replace(hour=12)
    for path in (simulated[0] / name).iterdir():
        on = spec.deliveries.business_date(path.name)
        assert on is not None
        arrived_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        is_in_time = arrived_at - datetime.combine(on + timedelta(days=1), midday, UTC) < timedelta(0)
        assert is_in_time != any(word in path.name for word in (*AGAIN, "korrektur", "corrected"))


@pytest.mark.parametrize("name", NAMES)
def test_every_record_of_a_file_has_one_fate(simulated: tuple[Path, Truth], name: str) -> None:
    folder, truth = simulated
    for file, account in truth.institutions[name].deliveries.items():
        path = folder / name / file
        rows = len(pl.read_parquet(path)) if path.suffix == ".parquet" else path.read_bytes().count(b"\n")
        fates = account.published + account.invalid + account.duplicate + account.superseded
        assert rows == account.records_read == fates + account.control_lines


@pytest.mark.parametrize("name", NAMES)
def test_few_enough_records_are_invalid_for_every_day_to_be_published(simulated: tuple[Path, Truth], name: str) -> None:
    share = spec_of(name).batch_rules.max_quarantined_share
    accounts = simulated[1].institutions[name].deliveries.values()
    assert all(account.invalid <= share * account.records_read for account in accounts)


@pytest.mark.parametrize(("name", "bad_byte"), [("nordbank", b"\x81"), ("kartenhaus", b"\xff")])
def test_bytes_that_no_encoding_knows_lie_deep_in_a_file(
    simulated: tuple[Path, Truth], name: str, bad_byte: bytes
) -> None:
    folder, truth = simulated
    files = first_deliveries(folder / name)
    assert sum(content.count(bad_byte) for content in files) == truth.institutions[name].defects["bad_byte"]
    assert all(content.index(bad_byte) > 10_000 for content in files if bad_byte in content)


@pytest.mark.parametrize("name", WITH_TEXT_FILES)
def test_the_damage_in_the_files_is_the_damage_that_truth_counts(simulated: tuple[Path, Truth], name: str) -> None:
    folder, truth = simulated
    spec, found = spec_of(name), Counter[str]()
    for content in first_deliveries(folder / name):
        header, *rows = records(content, name)
        amount = header.index(spec.columns.amount.source if spec.columns.amount.source in header else "Umsatz")
        at = header.index(spec.columns.event_at.source)
        found["blank"] += sum(not row for row in rows)
        found["too_few_fields"] += sum(0 < len(row) < len(header) for row in rows)
        found["too_many_fields"] += sum(len(row) > len(header) for row in rows)
        whole = [row for row in rows if len(row) == len(header)]
        found["amount_is_nan"] += sum(row[amount] == "NaN" for row in whole)
        found["amount_missing"] += sum(not row[amount] for row in whole)
        found["impossible_date"] += sum(row[at].startswith(("30.02.2026", "2026-02-30")) for row in whole)
        found["nonexistent_time"] += sum(row[at] == "29.03.2026 02:30:00" for row in whole)
        found["unknown_currency"] += sum("XXX" in row for row in whole)
        repeats = Counter(tuple(row) for row in whole)
        found["repeated"] += sum(times - 1 for times in repeats.values())
    expected = truth.institutions[name].defects
    assert found.pop("blank") == expected.get("blank_line", 0) + expected.get("trailing_blank_line", 0) == 2
    assert dict(+found) == {kind: expected[kind] for kind in found if kind in expected}
    assert {"too_few_fields", "too_many_fields", "amount_is_nan", "amount_missing", "repeated"} <= set(+found)


@pytest.mark.parametrize("name", NAMES)
def test_one_file_came_twice_under_two_names(simulated: tuple[Path, Truth], name: str) -> None:
    same = Counter(path.read_bytes() for path in (simulated[0] / name).iterdir() if path.stat().st_size > 5_000)
    assert sum(times == 2 for times in same.values()) == 1


@pytest.mark.parametrize("name", NAMES)
def test_one_day_has_no_file_and_its_rows_come_a_day_later(simulated: tuple[Path, Truth], name: str) -> None:
    deliveries, spec = simulated[1].institutions[name].deliveries, spec_of(name)
    there = {spec.deliveries.business_date(file) for file in deliveries}
    every = {spec.start_date + timedelta(days=day) for day in range(45)}
    (missing,) = every - there
    after = {spec.deliveries.business_date(file): account for file, account in deliveries.items() if "_bis" not in file}
    sizes = [account.records_read for account in after.values()]
    assert after[missing + timedelta(days=1)].records_read > 1.5 * np.median(sizes)


def test_a_day_without_transactions_is_a_file_without_rows(simulated: tuple[Path, Truth]) -> None:
    folder, _ = simulated
    lines = (folder / "nordbank" / "umsaetze_20260405.csv").read_bytes().splitlines()
    assert len(lines) == 1
    assert pl.read_parquet(folder / "mercado" / "operaciones_20260407.parquet").is_empty()


def test_a_correction_changes_amounts_of_delivered_rows(simulated: tuple[Path, Truth]) -> None:
    folder, truth = simulated
    day = folder / "nordbank" / "umsaetze_20260318.csv"
    old = {tuple(row[:2]): row for row in records(day.read_bytes(), "nordbank")}
    correction = records(day.with_stem(f"{day.stem}_korrektur").read_bytes(), "nordbank")[1:]
    changed = [row for row in correction if row[4] != old[tuple(row[:2])][4]]
    assert len(changed) == truth.institutions["nordbank"].total.superseded == 6
    assert all(row[:4] + row[5:] == old[tuple(row[:2])][:4] + old[tuple(row[:2])][5:] for row in correction)


def test_the_header_of_nordbank_is_respelled_once(simulated: tuple[Path, Truth]) -> None:
    files = sorted((simulated[0] / "nordbank").iterdir())
    spellings = [b"Umsatz;" in path.read_bytes().splitlines()[0] for path in files]
    assert sum(a != b for a, b in pairwise(spellings)) == 1


def test_a_transaction_number_of_nordbank_is_unique_only_within_its_account(simulated: tuple[Path, Truth]) -> None:
    rows = records((simulated[0] / "nordbank" / "umsaetze_20260303.csv").read_bytes(), "nordbank")[1:]
    assert len({(row[0], row[1]) for row in rows}) == len(rows)
    assert len({row[1] for row in rows}) < len(rows) / 2


def test_identical_fares_of_one_day_are_two_rows(simulated: tuple[Path, Truth]) -> None:
    file = "operaciones_20260302.parquet"
    rows = pl.read_parquet(simulated[0] / "mercado" / file)
    assert simulated[1].institutions["mercado"].deliveries[file].published == len(rows)
    assert rows.is_duplicated().mean() > 0.01
