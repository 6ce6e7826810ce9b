"""What every warehouse backend promises: the slice holds exactly these rows, or what it held before.

One suite for all; `backends.py` says which there are. Failures, concurrency, types, modes, drift, names and
any sequence of operations have files beside it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from etl_assets.contracts import Column, ContractBroken, Table
from etl_assets.io_managers.errors import KeyRepeated, NeverWritten, RowsOutsideSlice
from etl_assets.io_managers.slices import Dimension, Part, Slice, daily_slice
from etl_assets_tests.abilities import Ability, needs
from etl_assets_tests.backends import Backend, a_backend, a_bank, a_suite_database  # noqa: F401
from etl_assets_tests.payments import KEYLESS, MONDAY, PAYMENTS, TUESDAY, WEDNESDAY, Bank, payments

BERLIN = ZoneInfo("Europe/Berlin")
EVENTS = Table("events", "Events.", (Column("at", pa.timestamp("us", "UTC"), "Instant."), Column("n", pa.int32(), "")))


def test_a_rerun_replaces_its_slice_and_leaves_the_neighbour(bank: Bank) -> None:
    bank.write(payments(TUESDAY, 9), TUESDAY)
    bank.write(payments(MONDAY, 1, 2, 3), MONDAY)
    assert bank.write(payments(MONDAY, 1, 5), MONDAY) == {"2026-03-02": 2}
    assert bank.stored(MONDAY, TUESDAY) == [(MONDAY, 1), (MONDAY, 5), (TUESDAY, 9)]


def test_a_rerun_with_the_same_rows_changes_nothing(backend: Backend, bank: Bank) -> None:
    first = bank.write(payments(MONDAY, 1, 2), MONDAY)
    rows = bank.rows(MONDAY)
    assert bank.write(payments(MONDAY, 1, 2), MONDAY) == first
    assert bank.rows(MONDAY).equals(rows)
    assert backend.strangers(bank.at) == set()


def test_an_empty_slice_is_written_and_differs_from_one_that_never_was(bank: Bank) -> None:
    assert bank.write(payments(MONDAY), MONDAY) == {"2026-03-02": 0}
    assert bank.rows(MONDAY).equals(PAYMENTS.empty())
    assert bank.warehouse.written("bank", "payments") == {"2026-03-02"}


def test_a_slice_that_becomes_empty_loses_its_rows(bank: Bank) -> None:
    bank.write(payments(MONDAY, 1), MONDAY)
    bank.write(payments(TUESDAY, 2), TUESDAY)
    bank.write(payments(MONDAY), MONDAY)
    assert bank.stored(MONDAY, TUESDAY) == [(TUESDAY, 2)]


def test_a_range_of_partitions_is_one_write(bank: Bank) -> None:
    bank.write(payments(WEDNESDAY, 7, 8), WEDNESDAY)
    rows = pa.concat_tables([payments(WEDNESDAY, 3), payments(MONDAY, 1, 2)])
    counts = bank.write(rows, MONDAY, TUESDAY, WEDNESDAY)
    assert counts == {"2026-03-02": 2, "2026-03-03": 0, "2026-03-04": 1}
    assert bank.stored(MONDAY, TUESDAY, WEDNESDAY) == [(MONDAY, 1), (MONDAY, 2), (WEDNESDAY, 3)]
    assert bank.stored(TUESDAY, WEDNESDAY) == [(WEDNESDAY, 3)]


def test_rows_of_many_batches_lie_in_their_partitions(bank: Bank) -> None:
    days = [MONDAY + timedelta(days=n % 3) for n in range(50_000)]
    keyless = bank.changed(KEYLESS)
    ids = pa.array(range(50_000))
    rows = pa.concat_tables([payments(MONDAY), pa.table({"day": days, "id": ids})], promote_options="default")
    counts = keyless.write(rows, MONDAY, TUESDAY, WEDNESDAY)
    assert list(counts.values()) == [16_667, 16_667, 16_666]
    assert keyless.stored(TUESDAY) == [(TUESDAY, n) for n in range(1, 50_000, 3)]


def test_a_table_that_was_never_written_is_refused_by_name(bank: Bank) -> None:
    with pytest.raises(NeverWritten, match=r"bank\.payments"):
        bank.stored(MONDAY)
    empty = bank.warehouse.read_slice(bank.at, daily_slice("day", [MONDAY]), must_exist=False)
    assert empty.equals(PAYMENTS.empty())


@pytest.mark.parametrize("day", [TUESDAY, None])
def test_rows_outside_the_slice_are_refused_and_the_old_ones_stay(bank: Bank, day: date | None) -> None:
    keyless = bank.changed(Table("keyless", "", tuple(Column(f.name, f.type, "") for f in PAYMENTS.schema)))
    keyless.write(payments(MONDAY, 1), MONDAY)
    with pytest.raises(RowsOutsideSlice, match="outside the partitions 2026-03-02;"):
        keyless.write(pa.concat_tables([payments(MONDAY, 2), payments(day, 3)]), MONDAY)  # type: ignore[arg-type]
    assert keyless.stored(MONDAY) == [(MONDAY, 1)]


def test_columns_are_stored_by_name_whatever_their_order(bank: Bank) -> None:
    rows = payments(MONDAY, 1, note="tea")
    bank.write(rows.select(rows.column_names[::-1]), MONDAY)
    found = bank.warehouse.read_slice(bank.at, daily_slice("day", [MONDAY]), ["note", "id"])
    assert found.to_pylist() == [{"note": "tea", "id": 1}]


@pytest.mark.parametrize("change", ["missing", "unknown", "null in the key", "repeated key", "inexact"])
def test_rows_that_break_the_contract_are_refused_and_the_old_ones_stay(bank: Bank, change: str) -> None:
    bank.write(payments(MONDAY, 1), MONDAY)
    rows = payments(MONDAY, 2, 3)
    broken = {
        "missing": rows.drop_columns(["note"]),
        "unknown": rows.append_column("colour", pa.array(["red", "blue"])),
        "null in the key": payments(MONDAY, 2, None),
        "repeated key": payments(MONDAY, 2, 2),
        "inexact": rows.set_column(2, "amount", pa.array(["0.00001", "1"]).cast(pa.decimal128(24, 5))),
    }[change]
    with pytest.raises(KeyRepeated if change == "repeated key" else ContractBroken):
        bank.write(broken, MONDAY)
    assert bank.stored(MONDAY) == [(MONDAY, 1)]


def _hours(day: date) -> tuple[Slice, list[datetime]]:
    """The day in Berlin as a slice of instants, and the start of each of its hours."""
    start, end = (
        datetime.combine(day + timedelta(days=n), datetime.min.time(), BERLIN).astimezone(UTC) for n in (0, 1)
    )
    hours = [start + timedelta(hours=n) for n in range((end - start) // timedelta(hours=1))]
    return Slice((Dimension("at", (Part(day.isoformat(), start, end),)),)), hours


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)])
def test_a_day_on_which_the_clock_changes_has_all_its_hours_and_no_other(bank: Bank, day: date, hours: int) -> None:
    events = bank.changed(EVENTS)
    days = [_hours(day + timedelta(days=n)) for n in (-1, 0, 1)]
    assert [len(starts) for _, starts in days] == [24, hours, 24]
    for slice_, starts in days:
        events.put(pa.table({"at": starts, "n": [1] * len(starts)}, schema=EVENTS.schema), slice_)
    slice_, starts = days[1]
    assert events.put(pa.table({"at": starts, "n": [2] * hours}, schema=EVENTS.schema), slice_) == {str(day): hours}
    assert events.warehouse.read_slice(events.at, slice_)["n"].to_pylist() == [2] * hours
    assert events.all().num_rows == 48 + hours
    with pytest.raises(RowsOutsideSlice):
        events.put(pa.table({"at": [days[2][1][0]], "n": [3]}, schema=EVENTS.schema), slice_)


@needs(Ability.RECTANGLES)
def test_a_rectangle_of_two_dimensions_replaces_what_is_in_it_and_nothing_else(bank: Bank) -> None:
    table = Table(
        "sales", "", (Column("day", pa.date32(), ""), Column("region", pa.string(), ""), Column("n", pa.int8(), ""))
    )
    sales = bank.changed(table)
    days = daily_slice("day", [MONDAY, TUESDAY]).dimensions[0]
    regions = Dimension("region", tuple(Part(name, name) for name in ("north", "south|'", "west")))

    def rows(n: int, *regions: str) -> pa.Table:
        cells = [(day, region) for day in (MONDAY, TUESDAY) for region in regions]
        return pa.table([*map(list, zip(*cells, strict=True)), [n] * len(cells)], schema=table.schema)

    sales.put(rows(1, "north", "south|'", "west"), Slice((days, regions)))
    part = Slice((days, Dimension("region", regions.parts[:2])))
    counts = sales.put(rows(2, "north", "south|'").slice(0, 3), part)
    assert counts == {"2026-03-02|north": 1, "2026-03-02|south|'": 1, "2026-03-03|north": 1, "2026-03-03|south|'": 0}
    found = [(row["day"], row["region"], row["n"]) for row in sales.all().sort_by([("day", "ascending")]).to_pylist()]
    assert sorted(found) == [
        (MONDAY, "north", 2), (MONDAY, "south|'", 2), (MONDAY, "west", 1), (TUESDAY, "north", 2), (TUESDAY, "west", 1)
    ]  # fmt: skip
    with pytest.raises(RowsOutsideSlice):
        sales.put(rows(3, "west"), part)
