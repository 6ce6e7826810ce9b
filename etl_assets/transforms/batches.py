"""Whether a business date as a whole may be published, judged before anything is written.

Pure: counts in, reasons out. Rules of single rows belong to `rules.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.institution_spec import BatchRules


@dataclass(frozen=True)
class Batch:
    """One business date: its records (control lines left out), the invalid ones, what forbids publishing."""

    day: date
    records: int
    invalid: int
    invalid_share: float
    problem: str | None


def judged(raw: pa.Table, quarantined: pa.Table, rules: BatchRules, days: Sequence[date]) -> list[Batch]:
    """Each day with its verdict. Only `invalid` records count: a file delivered twice is no sign of bad data."""
    records = _per_day(raw)
    invalid = _per_day(quarantined.filter(pc.equal(quarantined["disposition"], "invalid")))
    return [_judge(day, records.get(day, 0), invalid.get(day, 0), rules) for day in days]


def _judge(day: date, records: int, invalid: int, rules: BatchRules) -> Batch:
    share = invalid / records if records else 0.0
    problem = None
    if share > rules.max_quarantined_share:
        problem = (
            f"{invalid} of {records} records are invalid, a share of {share:.3f} above the limit "
            f"{rules.max_quarantined_share}: correct the delivery, the column mapping or the rule, then run it again"
        )
    elif records < rules.min_records:
        problem = f"{records} records where at least {rules.min_records} are expected: is the delivery complete?"
    return Batch(day, records, invalid, share, problem)


def _per_day(rows: pa.Table) -> dict[date, int]:
    counts = rows.group_by("business_date").aggregate([([], "count_all")])
    return dict(zip(counts["business_date"].to_pylist(), counts["count_all"].to_pylist(), strict=True))
