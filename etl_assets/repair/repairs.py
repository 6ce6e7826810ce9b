"""What people said about single records and which days they had run again: the corrections and the replays.

Tables and questions about them. How a correction is applied belongs to `transforms/corrections.py`, who launches runs
to `replay.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pyarrow as pa

from etl_assets.contracts import Table
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.slices import WHOLE, Dimension, Part, Slice
from etl_assets.io_managers.targets import Mode, Target
from etl_assets.ledger_tables import CORRECTIONS, REPLAYS

Key = tuple[str, int]
ROW = ("_delivery_id", "_row_number")


@dataclass(frozen=True)
class Correction:
    """How one record shall be: the source columns that change, or None to take earlier corrections back."""

    key: Key
    business_date: date
    fields: Mapping[str, str | None] | None


@dataclass(frozen=True)
class Replay:
    """The audit row of one replay, as it stands."""

    replay_id: str
    who: str
    why: str
    began_at: datetime
    asked: str
    file_sha256: str | None = None
    business_dates: str = ""
    rows_asked: int = 0
    corrections: int = 0
    rows_published: int | None = None
    run_ids: str = ""
    outcome: str = "started"
    problem: str | None = None
    ended_at: datetime | None = None

    def ended(self, rows_published: int, run_ids: Sequence[str], problem: str | None) -> Replay:
        """The same replay at its end."""
        return replace(
            self,
            rows_published=rows_published,
            run_ids=",".join(run_ids),
            outcome="failed" if problem else "done",
            problem=problem,
            ended_at=datetime.now(UTC),
        )


@dataclass(frozen=True)
class Repairs:
    """Corrections and replays of one institution."""

    warehouse: PostgresWarehouse
    institution: str

    def in_force(self, first: date, last: date) -> pa.Table:
        """The latest correction of each record of `first` .. `last` that was not withdrawn; empty without any."""
        part = Part(f"{first} to {last}", first, last + timedelta(days=1))
        return latest(self._read(Slice((Dimension("business_date", (part,)),))))

    def history(self, key: Key) -> list[dict[str, Any]]:
        """Every correction of one record, oldest first."""
        rows = self._read(WHOLE).to_pylist()
        return sorted(
            (r for r in rows if (r["_delivery_id"], r["_row_number"]) == key), key=lambda r: r["corrected_at"]
        )

    def store(self, corrections: Sequence[Correction], replay: Replay) -> None:
        """The corrections are in force for every run that begins from now on; earlier ones stay to be read."""
        rows = as_table(corrections, replay)
        if rows.num_rows:
            self.warehouse.write(self._at(CORRECTIONS), WHOLE, rows, replay.replay_id, mode=Mode.APPEND)

    def note(self, replay: Replay) -> None:
        """The audit trail has the replay as it stands now."""
        row = pa.Table.from_pylist([asdict(replay)], schema=REPLAYS.schema)
        self.warehouse.write(self._at(REPLAYS), WHOLE, row, replay.replay_id, mode=Mode.UPSERT)

    def _read(self, slice_: Slice) -> pa.Table:
        return self.warehouse.read_slice(self._at(CORRECTIONS), slice_, must_exist=False)

    def _at(self, table: Table) -> Target:
        return Target(self.institution, table)


def latest(corrections: pa.Table) -> pa.Table:
    """Of each record the latest correction, unless that withdraws."""
    if not corrections.num_rows:
        return corrections
    rows = pl.DataFrame(pl.from_arrow(corrections)).sort("corrected_at").unique(ROW, keep="last", maintain_order=True)
    return rows.filter(pl.col("fields").is_not_null()).to_arrow().cast(CORRECTIONS.schema)


def as_table(corrections: Sequence[Correction], replay: Replay) -> pa.Table:
    """The corrections as rows of their table."""
    rows = [
        {
            **dict(zip(ROW, correction.key, strict=True)),
            "business_date": correction.business_date,
            "fields": None if correction.fields is None else json.dumps(dict(correction.fields), ensure_ascii=False),
            "reason": replay.why,
            "who": replay.who,
            "corrected_at": replay.began_at,
            "replay_id": replay.replay_id,
        }
        for correction in corrections
    ]
    return pa.Table.from_pylist(rows, schema=CORRECTIONS.schema)
