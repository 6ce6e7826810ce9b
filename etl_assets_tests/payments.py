"""A table of payments by day, as tests write and read it: rows, versions of a day that can be told apart, shorthands.

Of the warehouse it uses what every backend has.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pyarrow as pa

from etl_assets.contracts import Column, Table
from etl_assets.io_managers.slices import WHOLE, Slice, daily_slice
from etl_assets.io_managers.targets import Drift, Layout, Mode, Target

MONDAY, TUESDAY, WEDNESDAY = date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 4)
PAYMENTS = Table(
    "payments",
    "Payments of a day.",
    (
        Column("day", pa.date32(), "Day.", required=True),
        Column("id", pa.int64(), "Id.", required=True),
        Column("amount", pa.decimal128(24, 4), "Amount."),
        Column("at", pa.timestamp("us", "UTC"), "Instant."),
        Column("note", pa.string(), "Text."),
        Column("bytes", pa.binary(), "Bytes."),
        Column("share", pa.float64(), "Number."),
        Column("is_new", pa.bool_(), "Flag."),
    ),
    key=("day", "id"),
    partition_column="day",
)
KEYLESS = replace(PAYMENTS, name="keyless", key=())
AT = Target("bank", PAYMENTS)
Row = tuple[date, int]


def payments(day: date, *ids: int | None, note: str | None = None) -> pa.Table:
    rows = [{"day": day, "id": i, "note": note} for i in ids]
    return pa.Table.from_pylist(rows, schema=pa.schema([f.with_nullable(nullable=True) for f in PAYMENTS.schema]))


def version(day: date, number: int) -> pa.Table:
    """A content of the day that is not a part of another version's: its number is in each row and in their count."""
    return payments(day, *range(400 + number % 17), note=str(number))


def version_of(rows: pa.Table) -> int | None:
    """Which version the rows are, exactly and wholly; None for no rows. Fails for a mixture or a part of one."""
    if not rows.num_rows:
        return None
    (note,) = set(rows["note"].to_pylist())
    whole = version(rows["day"][0].as_py(), int(note))
    assert all(rows[name].equals(whole[name]) for name in whole.column_names)
    return int(note)


def write(warehouse: Any, rows: object, *days: date, at: Target = AT) -> dict[str, int]:
    written: dict[str, int] = warehouse.write(at, daily_slice("day", days), rows, "run")
    return written


def stored(warehouse: Any, *days: date, at: Target = AT) -> list[Row]:
    rows = warehouse.read_slice(at, daily_slice("day", days), ["day", "id"])
    return list(zip(rows["day"].to_pylist(), rows["id"].to_pylist(), strict=True))


@dataclass(frozen=True)
class Bank:
    """A target in a warehouse, with the shorthands that a test needs."""

    warehouse: Any
    at: Target

    @classmethod
    def of(cls, warehouse: Any, layout: Layout, table: Table = PAYMENTS, drift: Drift = Drift.ERROR) -> Bank:
        return cls(warehouse, Target("bank", table, layout, drift))

    def write(self, rows: object, *days: date, mode: Mode = Mode.REPLACE_PARTITION) -> dict[str, int]:
        return self.put(rows, daily_slice("day", days), mode)

    def put(self, rows: object, slice_: Slice = WHOLE, mode: Mode = Mode.REPLACE_PARTITION) -> dict[str, int]:
        written: dict[str, int] = self.warehouse.write(self.at, slice_, rows, "run", mode=mode)
        return written

    def stored(self, *days: date) -> list[Row]:
        return stored(self.warehouse, *days, at=self.at)

    def rows(self, *days: date) -> pa.Table:
        return self.warehouse.read_slice(self.at, daily_slice("day", days))

    def all(self) -> pa.Table:
        return self.warehouse.read_slice(self.at, WHOLE)

    def notes(self, *days: date) -> list[str | None]:
        """The notes of the days' rows by id: what a version looks like in short."""
        notes: list[str | None] = self.rows(*days)["note"].to_pylist()
        return notes

    def changed(self, table: Table, drift: Drift = Drift.ERROR) -> Bank:
        """The same table under another contract."""
        return replace(self, at=replace(self.at, table=table, drift=drift))
