"""Decide what each delivery is beside the others: read, late, corrected, resaved, redelivered, empty, refused.

Pure: ledger rows in, ledger rows with their state out. Which rows have to be looked at together belongs to `ledger.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

REJECTED, PARTIAL = "rejected", "partial"
REFUSED = (REJECTED, PARTIAL)
Row = Mapping[str, Any]
LONG_AFTER = datetime.max.replace(tzinfo=UTC)


@dataclass
class _Earlier:
    """What the deliveries before one hold. A refused one is no first: nothing of it was read that could be repeated."""

    contents: set[str] = field(default_factory=set)
    paths_by_rows: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    paths: set[str] = field(default_factory=set)

    def add(self, row: Row) -> None:
        self.contents.add(row["content_sha256"])
        self.paths.add(row["path"])
        if row["content_digest"] is not None:
            self.paths_by_rows[row["content_digest"]].add(row["path"])


def stated(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Every delivery with its state, oldest first.

    Which of two is the first follows from their dates, not from which was read first: a backfill that runs the
    days backwards gives the same states.
    """
    earlier, result = _Earlier(), []
    for row in sorted(rows, key=_age):
        result.append({**row, "state": _state(row, earlier)})
        if row["problem"] is None:
            earlier.add(row)
    return result


def is_late(row: Row, published_at: Mapping[date, datetime]) -> bool:
    """Whether it arrived after its date was due, or after what had come for the date before was read."""
    arrived_at, before = row["delivered_at"], published_at.get(row["business_date"])
    return (row["due_at"] is not None and arrived_at >= row["due_at"]) or (before is not None and arrived_at > before)


def replaced(rows: Iterable[Row]) -> set[str]:
    """The deliveries whose file was overwritten by a later version that could be read.

    Their rows stay delivered, but whether a date as a whole is sound must not be judged by them: a broken file would
    else keep the corrected one from ever being published, and a corrected one would count as twice as many records.
    """
    by_path: dict[str, list[str]] = defaultdict(list)
    for row in sorted(rows, key=_age):
        if row["problem"] is None:
            by_path[row["path"]].append(row["_delivery_id"])
    return {name for names in by_path.values() for name in names[:-1]}


def is_empty(row: Row) -> bool:
    """Whether it has no record but control lines."""
    return bool(row["records_read"] == row["control_lines"])


def _state(row: Row, earlier: _Earlier) -> str:
    if row["problem"] is not None:
        return PARTIAL if row["state"] == PARTIAL else REJECTED
    if is_empty(row):
        return "empty"
    if row["content_sha256"] in earlier.contents:
        return "redelivered"
    if same_rows := earlier.paths_by_rows.get(row["content_digest"]):
        return "resaved" if row["path"] in same_rows else "redelivered"
    if row["path"] in earlier.paths:
        return "corrected"
    return "late" if row["is_late"] else "read"


def _age(row: Row) -> tuple[Any, ...]:
    return (
        row["business_date"],
        row["delivered_at"],
        row["path"],
        row["first_read_at"] or LONG_AFTER,
        row["_delivery_id"],
    )
