"""The truth about deliveries: what arrived, how often it was read, and what became of every record.

Tables and questions about them; no Dagster assets and no reading of files. D5 of the design.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa

from etl_assets.contracts import Table
from etl_assets.io_managers.postgres import PostgresWarehouse
from etl_assets.io_managers.slices import WHOLE, Dimension, Part, Slice, daily_slice
from etl_assets.io_managers.targets import Mode, Target
from etl_assets.ledger_tables import DELIVERIES, PROMOTIONS
from etl_assets.tables import ROW_ACCOUNT

DISPOSITIONS = ("invalid", "duplicate", "superseded")


@dataclass(frozen=True)
class Read:
    """One delivery as this run found it. A `problem` means that the file as a whole was rejected."""

    delivery_id: str
    business_date: date
    path: str
    size_bytes: int
    content_sha256: str
    delivered_at: datetime
    records_read: int
    control_lines: int
    problem: str | None = None


@dataclass(frozen=True)
class Ledger:
    """The ledger of one institution."""

    warehouse: PostgresWarehouse
    institution: str

    def deliveries(self, days: Sequence[date]) -> pa.Table:
        """What is known of the deliveries for `days`; empty before the first one."""
        slice_ = daily_slice("business_date", days)
        return self.warehouse.read_slice(self._at(DELIVERIES), slice_, must_exist=False)

    def versions(self, first: date, last: date) -> pa.Table:
        """Path, size, time and state of every delivery for `first` .. `last`: one narrow read however many days."""
        days = Part(f"{first} to {last}", first, last + timedelta(days=1))
        columns = ("path", "size_bytes", "delivered_at", "state")
        slice_ = Slice((Dimension("business_date", (days,)),))
        return self.warehouse.read_slice(self._at(DELIVERIES), slice_, columns, must_exist=False)

    def record(self, reads: Sequence[Read], run_id: str) -> None:
        """Every delivery that this run read is known, with its state and the number of attempts.

        The same bytes under another name or date are `redelivered`: their rows will turn out to be duplicates. Which
        of two is the first follows from their dates, whatever was read first, so an earlier one restates the later.
        """
        whole = self.warehouse.read_slice(self._at(DELIVERIES), WHOLE, must_exist=False)
        known = {row["_delivery_id"]: row for row in whole.to_pylist()}
        stamp = {"run_id": run_id, "read_at": datetime.now(UTC)}
        seen = {
            read.delivery_id: _as_row(read) | stamp | {"attempt": known.get(read.delivery_id, {}).get("attempt", 0) + 1}
            for read in reads
        }
        stated = _stated({**known, **seen}.values())
        rows = [row for row in stated if row["_delivery_id"] in seen or row != known[row["_delivery_id"]]]
        table = pa.Table.from_pylist(rows, schema=DELIVERIES.schema)
        self.warehouse.write(self._at(DELIVERIES), WHOLE, table, run_id, mode=Mode.UPSERT)

    def promotions(self) -> pa.Table:
        """Every decision about a model version, oldest first."""
        return self.warehouse.read_slice(self._at(PROMOTIONS), WHOLE, must_exist=False)

    def decide(self, in_force_from: date, decision: Mapping[str, object], run_id: str) -> None:
        """The promotion log holds one more decision; earlier ones stay, so that a rollback is another row."""
        row = {"in_force_from": in_force_from, "decided_at": datetime.now(UTC), "run_id": run_id, **decision}
        rows = pa.Table.from_pylist([row], schema=PROMOTIONS.schema)
        self.warehouse.write(self._at(PROMOTIONS), WHOLE, rows, run_id, mode=Mode.APPEND)

    def _at(self, table: Table) -> Target:
        return Target(self.institution, table)


def in_force(promotions: pa.Table, day: date) -> tuple[str, str] | None:
    """Version and training run that score `day`: the latest promotion from a date not after it; None at cold start."""
    eligible = [p for p in promotions.to_pylist() if p["outcome"] == "promoted" and p["in_force_from"] <= day]
    if not eligible:
        return None
    latest = max(eligible, key=lambda p: (p["in_force_from"], p["decided_at"]))
    return latest["model_version"], latest["model_run_id"]


def row_account(published: pa.Table, quarantined: pa.Table, deliveries: pa.Table) -> pa.Table:
    """Per delivery: records read and what became of them, counted from the tables that are about to be written."""
    amounts = published.group_by("_delivery_id").aggregate([("amount", "sum"), ([], "count_all")])
    shown = {row["_delivery_id"]: row for row in amounts.to_pylist()}
    dispositions = quarantined.group_by(["_delivery_id", "disposition"]).aggregate([([], "count_all")])
    kept = {(row["_delivery_id"], row["disposition"]): row["count_all"] for row in dispositions.to_pylist()}
    rows = [
        {
            **delivery,
            "file": PurePosixPath(delivery["path"]).name,
            "published": shown.get(delivery["_delivery_id"], {}).get("count_all", 0),
            "published_amount": shown.get(delivery["_delivery_id"], {}).get("amount_sum", Decimal(0)),
            **{name: kept.get((delivery["_delivery_id"], name), 0) for name in DISPOSITIONS},
        }
        for delivery in deliveries.to_pylist()
    ]
    return pa.Table.from_pylist(rows, schema=ROW_ACCOUNT.schema)


def _stated(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The deliveries with their states. A rejected one is no first: nothing of it was read that could be repeated."""
    ordered = sorted(rows, key=lambda r: (r["business_date"], r["delivered_at"], r["path"]), reverse=True)
    first = {row["content_sha256"]: row["_delivery_id"] for row in ordered if row["problem"] is None}
    return [row | {"state": _state(row, first)} for row in ordered]


def _state(row: Mapping[str, Any], first: Mapping[str, str]) -> str:
    if row["problem"] is not None:
        return "rejected"
    return "read" if first[row["content_sha256"]] == row["_delivery_id"] else "redelivered"


def _as_row(read: Read) -> dict[str, Any]:
    return {"_delivery_id": read.delivery_id, **asdict(read)}
