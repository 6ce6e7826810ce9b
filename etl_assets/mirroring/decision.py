"""Decide which days of which mirrors are written again, in which order, and how long after a failure.

Pure: what PostgreSQL holds and what the certificates say in, one run and reasons out. Asking the tables belongs to
`evidence.py`, asking Dagster to `catching_up.py`; a clock belongs to nobody here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import blake2b
from itertools import pairwise, takewhile

from etl_assets.restatement.decision import Written

ATTEMPTS = 3
PAUSES = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=25), timedelta(hours=1))
ROWS_PER_RUN = 10_000_000
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Certified:
    """What the latest certificate of a day says, and how often in a row this write of it was found different."""

    source_written_at: datetime | None
    is_equal: bool
    times_different: int = 0


@dataclass(frozen=True)
class Late:
    """A day that the mirror of a table does not have as PostgreSQL has it."""

    table: str
    day: date
    written: Written
    times_different: int = 0

    @property
    def is_left(self) -> bool:
        """Whether it was mirrored often enough: a person must find out why the rows differ all the same."""
        return self.times_different >= ATTEMPTS


def late(
    published: Mapping[str, Mapping[date, Written]], certified: Mapping[str, Mapping[date, Certified]]
) -> list[Late]:
    """Every published day of which no certificate says that the mirror is equal to this very write of it."""
    found = []
    for table, days in published.items():
        for day, written in days.items():
            said = certified.get(table, {}).get(day)
            is_of_this_write = said is not None and said.source_written_at == written.at
            if said is None or not is_of_this_write:
                found.append(Late(table, day, written))
            elif not said.is_equal:
                found.append(Late(table, day, written, said.times_different))
    return found


@dataclass(frozen=True)
class Work:
    """One run: an unbroken range of days, and the tables that lack all of them."""

    parts: tuple[Late, ...]

    @property
    def tables(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(part.table for part in self.parts))

    @property
    def days(self) -> tuple[date, ...]:
        return tuple(sorted({part.day for part in self.parts}))

    @property
    def key(self) -> str:
        """Another one as soon as something was mirrored, certified or written anew."""
        said = sorted(f"{part.table} {part.day} {part.written.at} {part.times_different}" for part in self.parts)
        return blake2b("\n".join(said).encode(), digest_size=8).hexdigest()


def next_work(found: Iterable[Late], asked_before: Sequence[str | None] = ()) -> Work | None:
    """What the next run shall mirror: the work with the oldest days of those that were asked for least of late.

    A table that somebody has altered in Snowflake fails at each try; days and tables behind it need not wait for it.
    """
    return min(works(found), key=lambda work: asked_before.count(work.key), default=None)


def works(found: Iterable[Late]) -> Iterator[Work]:
    """The runs that mirror everything: from the oldest late day on, as long as the same tables lack the next day too.

    A corrected day changes five tables and the features of many days after it two: in one run, the other three would
    be written again for nothing. What is left to people is left out.
    """
    by_day: dict[date, list[Late]] = defaultdict(list)
    for part in found:
        if not part.is_left:
            by_day[part.day].append(part)
    days = sorted(by_day)
    while days:
        taken = _not_too_many(_alike(days, by_day), by_day)
        yield Work(tuple(part for day in taken for part in by_day[day]))
        days = days[len(taken) :]


def _alike(days: Sequence[date], by_day: Mapping[date, Sequence[Late]]) -> list[date]:
    """The first days, without a gap, that lack the same tables."""
    alike, tables = [days[0]], {part.table for part in by_day[days[0]]}
    for before, day in pairwise(days):
        if day - before != DAY or {part.table for part in by_day[day]} != tables:
            break
        alike.append(day)
    return alike


def _not_too_many(days: Sequence[date], by_day: Mapping[date, Sequence[Late]]) -> list[date]:
    """The first days whose rows one run may carry; at least one. What fails, fails with all of its run."""
    taken, rows = list[date](), 0
    for day in days:
        rows += sum(part.written.rows for part in by_day[day])
        if taken and rows > ROWS_PER_RUN:
            break
        taken.append(day)
    return taken


@dataclass(frozen=True)
class Ended:
    """An earlier run that mirrored the institution's tables."""

    is_success: bool
    key: str | None
    ended_at: datetime


def again_at(newest_first: Iterable[Ended], left: Collection[str | None]) -> datetime | None:
    """When work may run, further and further after the runs that failed; None for at once.

    A run that succeeded and whose work is `left` as it was counts as failed: it would be asked for at every tick.
    """
    failed = list(takewhile(lambda run: not run.is_success or run.key in left, newest_first))
    return failed[0].ended_at + PAUSES[min(len(failed), len(PAUSES)) - 1] if failed else None
