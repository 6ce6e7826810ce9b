"""The days that disagree with the raw rows are found exactly: none too few, none too many, whatever the order."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.slices import daily_slice
from etl_assets.io_managers.targets import Target
from etl_assets.repair.repairs import Correction, Repairs, Replay
from etl_assets.restatement.fates import disagreeing
from etl_assets.tables import QUARANTINED, cleaned_table, raw_table
from etl_assets.transforms.cleaning import Verdict, clean
from etl_assets.transforms.corrections import corrected
from etl_assets_tests.raw_rows import DAY, delivery
from etl_assets_tests.specs import minimal_spec

HORIZON = timedelta(days=2)
DAYS = [DAY + timedelta(days=n) for n in range(7)]
COMMON: dict[str, Any] = {"start_date": "2024-03-01", "max_lateness_days": 30, "duplicate_horizon_days": HORIZON.days}
SPECS = {
    "an_id": minimal_spec(**COMMON),
    "a_key_of_two": minimal_spec(**COMMON, key=["account_id", "transaction_id"]),
    "no_id": minimal_spec(
        **COMMON, columns={"transaction_id": None, "description": {"source": "text"}}, pass_through=["terminal"]
    ),
}


class Tables:
    """Raw, cleaned and quarantined rows of a bank, each day stored as its last run left it."""

    def __init__(self, warehouse: PostgresWarehouse, spec: InstitutionSpec) -> None:
        self.warehouse, self.spec = warehouse, spec
        self.raw = raw_table(spec).empty()
        self.stored: dict[date, Verdict] = {}

    def verdict(self, day: date) -> Verdict:
        near = [day + timedelta(days=n) for n in range(-HORIZON.days, HORIZON.days + 1)]
        rows = self.raw.filter(pa.compute.is_in(self.raw["business_date"], pa.array(near)))
        in_force = Repairs(self.warehouse, self.spec.institution).in_force(near[0], near[-1])
        return clean(corrected(rows, in_force, self.spec), self.spec, day, day)

    def correct(self, day: date, number: int, fields: dict[str, str | None] | None, minute: int = 0) -> None:
        """The row of the day with this number, of the order of delivery, shall be so."""
        rows = self.raw.filter(pa.compute.equal(self.raw["business_date"], day))
        row = (str(rows["_delivery_id"][number]), int(rows["_row_number"][number].as_py()))
        wish = Replay("r", "ada", "ticket", datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute), "file")
        Repairs(self.warehouse, self.spec.institution).store([Correction(row, day, fields)], wish)

    def deliver(self, day: date, rows: pa.Table) -> None:
        self.raw = pa.concat_tables([self.raw, rows.cast(self.raw.schema)])
        self._write(raw_table(self.spec), day, self.raw.filter(pa.compute.equal(self.raw["business_date"], day)))

    def run(self, day: date) -> None:
        self.stored[day] = self.verdict(day)
        self._write(cleaned_table(self.spec), day, self.stored[day].published)
        self._write(QUARANTINED, day, self.stored[day].quarantined)

    def stale(self) -> set[date]:
        """The days whose stored rows are not what a run would make of them now."""
        now = {day: self.verdict(day) for day in self.stored}
        return {
            day
            for day, then in self.stored.items()
            if not (then[0].equals(now[day][0]) and then[1].equals(now[day][1]))
        }

    def _write(self, table: Any, day: date, rows: pa.Table) -> None:
        self.warehouse.write(Target(self.spec.institution, table), daily_slice("business_date", [day]), rows, "run")


def some_rows(rng: np.random.Generator, name: str) -> list[dict[str, Any]]:
    """Few keys and contents, so that most rows are versions of one another; padding, nulls and broken amounts too."""
    return [
        {
            "transaction_id": rng.choice(["T1", " T1", "T2", "T3", f"{name}-{number}"]),
            "account_id": rng.choice(["A1", "A2", "A1 "]),
            "text": rng.choice(["", "rent", None]),
            "terminal": rng.choice(["x", None]),
            "amount": rng.choice(["-1.00", "-2.00", "broken"], p=[0.5, 0.4, 0.1]),
        }
        for number in range(4)
    ]


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
@pytest.mark.parametrize("seed", range(2))
def test_in_any_order_the_days_that_changed_are_found_and_no_others(
    warehouse: PostgresWarehouse, spec: InstitutionSpec, seed: int
) -> None:
    rng, tables, found = np.random.default_rng(seed), Tables(warehouse, spec), 0
    order = [DAYS[i] for i in rng.permutation(len(DAYS))] + [DAYS[i] for i in rng.integers(0, len(DAYS), 3)]
    for number, day in enumerate(order):
        rows = [
            {k: row[k] for k in row.keys() & {*raw_table(spec).schema.names}} for row in some_rows(rng, f"d{number}")
        ]
        tables.deliver(day, delivery(spec, *rows, on=day, name=f"d{number}", hour=number))
        tables.run(day)
        stale = disagreeing(warehouse, spec, {day})
        assert stale == tables.stale()
        for other in stale:
            tables.run(other)
        found += len(stale)
    assert found > 0


def test_a_day_that_nobody_shares_a_key_with_is_not_read(warehouse: PostgresWarehouse) -> None:
    tables = Tables(warehouse, SPECS["an_id"])
    for number, day in enumerate(DAYS[:3]):
        tables.deliver(day, delivery(tables.spec, {"transaction_id": f"T{number}"}, on=day, name=f"d{number}"))
        tables.run(day)
    assert disagreeing(warehouse, tables.spec, set(DAYS[:3])) == set()


def test_a_record_that_was_corrected_to_a_key_of_another_day_is_compared_with_it(warehouse: PostgresWarehouse) -> None:
    tables = Tables(warehouse, SPECS["an_id"])
    for number, day in enumerate(DAYS[:3]):
        tables.deliver(day, delivery(tables.spec, {"transaction_id": f"T{number}"}, on=day, name=f"d{number}"))
        tables.run(day)
    tables.correct(DAYS[1], 0, {"transaction_id": "T0", "amount": "-7.00"})
    tables.run(DAYS[1])
    assert disagreeing(warehouse, tables.spec, {DAYS[1]}) == tables.stale() == {DAYS[0]}
    tables.run(DAYS[0])
    for changed in DAYS[:3]:
        assert disagreeing(warehouse, tables.spec, {changed}) == tables.stale() == set()


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_corrections_of_keys_in_any_order_ask_for_no_day_that_is_fresh(
    warehouse: PostgresWarehouse, spec: InstitutionSpec
) -> None:
    """A key that two days share no longer is the replay's to find: it knows what the record was."""
    rng, tables, found = np.random.default_rng(3), Tables(warehouse, spec), 0
    for number, day in enumerate(DAYS):
        rows = [
            {k: row[k] for k in row.keys() & {*raw_table(spec).schema.names}} for row in some_rows(rng, f"d{number}")
        ]
        tables.deliver(day, delivery(spec, *rows, on=day, name=f"d{number}", hour=number))
    for day in DAYS:
        tables.run(day)
    for minute in range(8):
        day, row = DAYS[rng.integers(7)], some_rows(rng, "fixed")[0]
        fields = {k: row[k] for k in row.keys() & {*raw_table(spec).schema.names} if rng.random() < 0.7}
        tables.correct(day, int(rng.integers(4)), fields if rng.random() < 0.8 else None, minute)
        tables.run(day)
        asked, stale = disagreeing(warehouse, spec, {day}), tables.stale()
        assert asked <= stale
        for other in stale:
            tables.run(other)
        assert disagreeing(warehouse, spec, set(DAYS)) == set()
        found += len(asked)
    assert found > 0
