"""The truth about deliveries: what arrived, how often it was read, and what became of every record.

Tables and questions about them; no Dagster assets and no reading of files. D5 of the design.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
from psycopg import sql

from etl_assets.contracts import Table
from etl_assets.deliveries.states import PARTIAL, REJECTED, is_late, stated
from etl_assets.io_managers.postgres.connections import Connection
from etl_assets.io_managers.postgres.schema import create
from etl_assets.io_managers.postgres.statements import lock
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.postgres.writing import Write
from etl_assets.io_managers.slices import WHOLE, Slice, daily_slice, range_slice
from etl_assets.io_managers.targets import Drift, Mode, Target
from etl_assets.ledger_tables import DELIVERIES, PROMOTIONS

NEVER_STORED = (
    "it was read, but its date was refused or its run broke off, and it was archived or overwritten before the date "
    "ran again: nothing of it is in the tables. Deliver it again if it counts"
)
READ_ONCE = ("records_read", "control_lines", "content_digest", "titles")


@dataclass(frozen=True)
class Read:
    """One delivery as this run found it.

    A `problem` means that the file as a whole was rejected; as `is_partial`, because its manifest promises more.
    `content_digest` is null for a file without records, which repeats nothing; `titles` is what
    `schema_log.as_json` makes of its header.
    """

    delivery_id: str
    business_date: date
    path: str
    size_bytes: int
    content_sha256: str
    delivered_at: datetime
    records_read: int
    control_lines: int
    problem: str | None = None
    is_partial: bool = False
    content_digest: str | None = None
    stated_rows: int | None = None
    due_at: datetime | None = None
    source: str | None = None
    code_version: str | None = None
    duration_s: float | None = None
    titles: str | None = None


@dataclass(frozen=True)
class Ledger:
    """The ledger of one institution."""

    warehouse: PostgresWarehouse
    institution: str

    def deliveries(self, days: Sequence[date]) -> pa.Table:
        """What is known of the deliveries for `days`; empty before the first one."""
        return self._read(DELIVERIES, daily_slice("business_date", days))

    def history(self, first: date, last: date) -> pa.Table:
        """Everything that is known of every delivery for `first` .. `last`, by date, then by arrival."""
        rows = self._read(DELIVERIES, range_slice("business_date", first, last))
        return rows.sort_by([(name, "ascending") for name in ("business_date", "delivered_at", "path")])

    def versions(self, first: date, last: date) -> pa.Table:
        """Path, size, time and state of every delivery for `first` .. `last`: one narrow read however many days."""
        columns = ("path", "size_bytes", "delivered_at", "state")
        return self.warehouse.read_slice(
            self._at(DELIVERIES), range_slice("business_date", first, last), columns, must_exist=False
        )

    def record(self, reads: Sequence[Read], run_id: str) -> None:
        """Every delivery that this run read is known, with its state and the number of runs that have read it.

        Reading what is known and writing what follows share one transaction and the table's lock: of two runs at
        once the second sees what the first wrote, or an attempt would be lost, or both would be the first of a pair.
        Only deliveries with the same bytes, rows or path are looked at, and those that belong to these.
        """
        self.warehouse.connections.run(lambda connection: self._record(connection, reads, run_id))

    def _record(self, connection: Connection, reads: Sequence[Read], run_id: str) -> None:
        target = self._at(DELIVERIES)
        create(connection, target, WHOLE)
        lock(connection, target, WHOLE)
        arrived = [_as_row(read) for read in reads]
        near = {row["_delivery_id"]: row for row in _related(connection, target, arrived)}
        far = {row["_delivery_id"]: row for row in _related(connection, target, near.values())}
        published_at = _published_at(connection, target, {read.business_date for read in reads})
        stamp = {"run_id": run_id, "read_at": datetime.now(UTC)}
        seen = {row["_delivery_id"]: _seen(row | stamp, near.get(row["_delivery_id"]), published_at) for row in arrived}
        changed = [
            row
            for row in stated({**far, **near, **seen}.values())
            if row["_delivery_id"] in seen or (row["_delivery_id"] in near and row != near[row["_delivery_id"]])
        ]
        table = pa.Table.from_pylist(changed, schema=DELIVERIES.schema)
        Write(target, WHOLE, run_id, Mode.UPSERT).perform(connection, [table], self.warehouse.lock_timeout_s)

    def give_up(self, delivery_ids: Sequence[str]) -> None:
        """These deliveries count as rejected: they were read, but are gone, and none of their rows was ever stored."""
        if not delivery_ids:
            return
        given_up = sql.SQL(
            "UPDATE {} SET state = %s, problem = coalesce(problem, %s), records_read = 0, control_lines = 0, "
            "content_digest = NULL WHERE _delivery_id = ANY(%s)"
        ).format(_named(self._at(DELIVERIES)))
        values = [REJECTED, NEVER_STORED, list(delivery_ids)]
        self.warehouse.connections.run(lambda connection: connection.execute(given_up, values))

    def promotions(self) -> pa.Table:
        """Every decision about a model version, oldest first."""
        return self._read(PROMOTIONS, WHOLE)

    def decide(self, in_force_from: date, decision: Mapping[str, object], run_id: str) -> None:
        """The promotion log holds one more decision; earlier ones stay, so that a rollback is another row."""
        row = {"in_force_from": in_force_from, "decided_at": datetime.now(UTC), "run_id": run_id, **decision}
        rows = pa.Table.from_pylist([row], schema=PROMOTIONS.schema)
        self.warehouse.write(self._at(PROMOTIONS), WHOLE, rows, run_id, mode=Mode.APPEND)

    def _at(self, table: Table) -> Target:
        """Widened where an older release made the table: what it did not note is null."""
        return Target(self.institution, table, drift=Drift.ADD)

    def _read(self, table: Table, slice_: Slice) -> pa.Table:
        return self.warehouse.read_slice(self._at(table), slice_, must_exist=False)


def in_force(promotions: pa.Table, day: date) -> tuple[str, str] | None:
    """Version and training run that score `day`: the latest promotion from a date not after it; None at cold start."""
    eligible = [p for p in promotions.to_pylist() if p["outcome"] == "promoted" and p["in_force_from"] <= day]
    if not eligible:
        return None
    latest = max(eligible, key=lambda p: (p["in_force_from"], p["decided_at"]))
    return latest["model_version"], latest["model_run_id"]


def _related(connection: Connection, target: Target, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The known deliveries that are one of `rows`, or share bytes, row values or a path with one."""
    columns = ("_delivery_id", "content_sha256", "content_digest", "path")
    wanted = [sorted({row[column] for row in rows if row[column] is not None}) for column in columns]
    names = sql.SQL(", ").join(map(sql.Identifier, DELIVERIES.schema.names))
    shares = sql.SQL(" OR ").join(sql.SQL("{} = ANY(%s::text[])").format(sql.Identifier(name)) for name in columns)
    found = connection.execute(sql.SQL("SELECT {} FROM {} WHERE {}").format(names, _named(target), shares), wanted)
    return [dict(zip(DELIVERIES.schema.names, row, strict=True)) for row in found]


def _published_at(connection: Connection, target: Target, days: Iterable[date]) -> dict[date, datetime]:
    """When the first delivery of each date was read, for the dates that had one."""
    asked = sql.SQL(
        "SELECT business_date, min(coalesce(first_read_at, read_at)) FROM {} "
        "WHERE business_date = ANY(%s::date[]) AND problem IS NULL GROUP BY business_date"
    )
    return {row[0]: row[1] for row in connection.execute(asked.format(_named(target)), [sorted(days)])}


def _named(target: Target) -> sql.Identifier:
    return sql.Identifier(target.schema, target.table.name)


def _seen(
    row: dict[str, Any], known: Mapping[str, Any] | None, published_at: Mapping[date, datetime]
) -> dict[str, Any]:
    """The delivery as this run leaves it. A run that records it twice, as a retried step does, has read it once.

    What can be read no more still counts as many records as before: its date is refused and keeps their rows.
    """
    before = known or {"attempt": 0, "run_id": None, "is_late": None, "first_read_at": None}
    if known is not None and row["problem"] is not None:
        row = row | {name: known[name] for name in READ_ONCE}
    first_read_at = before["first_read_at"] or (row["read_at"] if row["problem"] is None else None)
    late = is_late(row, published_at) if before["is_late"] is None else before["is_late"]
    attempt = before["attempt"] + (before["run_id"] != row["run_id"])
    return row | {"attempt": attempt, "is_late": late, "first_read_at": first_read_at}


def _as_row(read: Read) -> dict[str, Any]:
    values = asdict(read)
    is_partial = values.pop("is_partial")
    return {"_delivery_id": read.delivery_id, **values, "state": PARTIAL if is_partial else None}
