"""Whether a business date as a whole may be published, judged before anything is written.

Pure: counts in, reasons out. Rules of single rows belong to `rules.py`.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType

import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.spec.rules import BatchRule, BatchRules, Volume

Counts = Mapping[date, int]
NO_HISTORY: Counts = MappingProxyType({})


@dataclass(frozen=True)
class Batch:
    """One business date: its records (control lines left out), the invalid ones, what forbids publishing.

    `warning` is what the rules found that only warn.
    """

    day: date
    records: int
    invalid: int
    invalid_share: float
    problem: str | None
    warning: str | None = None


def judged(
    records: Counts, invalid: Counts, rules: BatchRules, days: Sequence[date], history: Counts = NO_HISTORY
) -> list[Batch]:
    """Each day with its verdict, every rule that it breaks named with limit and find.

    Only `invalid` records count: a file delivered twice is no sign of bad data. `history` has the records of days
    that are published, whichever; a day of this run that may be published counts for the days after it, as if each
    day had been run alone, in order.
    """
    known, verdicts = dict(history), {}
    for day in sorted(days):
        verdicts[day] = batch = _judge(day, records.get(day, 0), invalid.get(day, 0), rules, known)
        if batch.problem is None:
            known[day] = batch.records
    return [verdicts[day] for day in days]


def records_per_day(rows: pa.Table) -> dict[date, int]:
    """Business date -> rows of it."""
    counts = rows.group_by("business_date").aggregate([([], "count_all")])
    return dict(zip(counts["business_date"].to_pylist(), counts["count_all"].to_pylist(), strict=True))


def invalid_per_day(quarantined: pa.Table) -> dict[date, int]:
    """Business date -> quarantined rows of it that break a rule; duplicates and superseded rows do not count."""
    return records_per_day(quarantined.filter(pc.equal(quarantined["disposition"], "invalid")))


def _judge(day: date, records: int, invalid: int, rules: BatchRules, known: Counts) -> Batch:
    share = invalid / records if records else 0.0
    broken = dict(_broken(day, records, invalid, rules, known))
    problems = [text for rule, text in broken.items() if rule not in rules.warns]
    warnings = [text for rule, text in broken.items() if rule in rules.warns]
    return Batch(day, records, invalid, share, "; ".join(problems) or None, "; ".join(warnings) or None)


def _broken(day: date, records: int, invalid: int, rules: BatchRules, known: Counts) -> Iterator[tuple[BatchRule, str]]:
    share = invalid / records if records else 0.0
    if share > rules.max_quarantined_share:
        limit = f"a share of {share:.3f} above the limit {rules.max_quarantined_share}"
        remedy = "correct the delivery, the column mapping or the rule, then run it again"
        yield "max_quarantined_share", f"{invalid} of {records} records are invalid, {limit}: {remedy}"
    if records < rules.min_records:
        why = f"{records} records where at least {rules.min_records} are expected: is the delivery complete?"
        yield "min_records", why
    if rules.max_records is not None and records > rules.max_records:
        why = f"{records} records where at most {rules.max_records} are expected: was something delivered twice?"
        yield "max_records", why
    if rules.volume is not None and (unusual := _unusual(day, records, rules.volume, known)):
        yield "volume", unusual


def _unusual(day: date, records: int, volume: Volume, known: Counts) -> str | None:
    """What is wrong with the number of records beside the same weekday of the weeks before, if anything is.

    Days without records say nothing: a bank that delivers on working days only has no Sundays to compare with.
    """
    earlier = [known.get(day - timedelta(weeks=n), 0) for n in range(1, volume.weeks + 1)]
    seen = [count for count in earlier if count]
    if len(seen) < volume.least_weeks:
        return None
    usual = statistics.median(seen)
    if volume.minimum * usual <= records <= volume.maximum * usual:
        return None
    return (
        f"{records} records are {records / usual:.3g} times the usual {usual:g} (median of {len(seen)} {day:%A}s "
        f"before), expected {volume.minimum:g} to {volume.maximum:g} times: is the delivery complete, and once there? "
        "If it is right, list volume under batch_rules.warns and run it again"
    )
