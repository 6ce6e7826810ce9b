"""Decide what a late or corrected day makes stale, and what of it to run again.

Pure: notes about partitions in, days and reasons out. Asking the warehouse belongs to `contents.py`,
asking Dagster to `automation.py`; a clock belongs to nobody here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from hashlib import blake2b

from etl_assets.institution_spec import InstitutionSpec

FEATURE_WINDOW_DAYS = 31  # 720 hours reach back over 31 local days where clocks go forward
LONGEST_RUN = timedelta(days=1)
ATTEMPTS = 3
FIRST_PAUSE = timedelta(minutes=2)


@dataclass(frozen=True)
class Dependants:
    """The business dates that may change, in order; a scored day changes with its featured day."""

    cleaned: list[date]
    featured: list[date]

    @property
    def scored(self) -> list[date]:
        return self.featured


def dependants(spec: InstitutionSpec, days: Collection[date], last: date) -> Dependants:
    """Every business date up to `last` that may change when the raw rows of `days` change, themselves included.

    A row of a day can repeat or supersede rows of the days within the duplicate horizon, before it too; features
    look back over their window and the lateness, never ahead.
    """
    horizon = spec.duplicate_horizon_days
    cleaned = around(days, horizon, horizon)
    seeing = around(cleaned, 0, reach(spec))
    return Dependants(_known(spec, cleaned, last), _known(spec, seeing, last))


def around(days: Collection[date], before: int, after: int) -> set[date]:
    """The days and those up to `before` days before and `after` days after one of them."""
    return {day + timedelta(days=n) for day in days for n in range(-before, after + 1)}


def _known(spec: InstitutionSpec, days: Collection[date], last: date) -> list[date]:
    return sorted(day for day in days if spec.start_date <= day <= last)


def history_days(spec: InstitutionSpec) -> int:
    """How many business dates before its own a row's features look back at."""
    return FEATURE_WINDOW_DAYS + spec.max_lateness_days


def reach(spec: InstitutionSpec) -> int:
    """How many days after a changed one features may change.

    With labels further: whether a fraud's amount was strange follows from its account's history, the label is known
    days later, and features count it for a window from then on.
    """
    return history_days(spec) if spec.labels is None else 2 * history_days(spec) + spec.labels.known_after_days


@dataclass(frozen=True)
class Written:
    """A published partition: when its rows were written, by which run, how many; and if its last try was refused."""

    at: datetime
    run_id: str
    rows: int
    is_refused: bool = False


@dataclass(frozen=True)
class Content:
    """A cleaned day as it was last looked at: a digest of its rows, and when and by which run they last changed."""

    digest: str
    written_at: datetime
    changed_at: datetime
    changed_by: str

    def after(self, digest: str, written: Written) -> Content:
        """The day after another write, which changed something only if the digest says so."""
        if digest == self.digest:
            return Content(digest, written.at, self.changed_at, self.changed_by)
        return Content.first(digest, written)

    @classmethod
    def first(cls, digest: str, written: Written) -> Content:
        return cls(digest, written.at, written.at, written.run_id)


@dataclass(frozen=True)
class Suspect:
    """A partition and a change of what it was computed from, which came after it or shortly before."""

    day: date
    written: Written
    changed_at: datetime

    def is_stale(self, began: Mapping[str, datetime]) -> bool:
        """Whether the change came after the partition's run began; what a run read after that, nobody can know."""
        return self.changed_at > began.get(self.written.run_id, self.written.at)


def suspects(
    spec: InstitutionSpec, contents: Mapping[date, Content], published: Mapping[date, Written]
) -> Iterator[Suspect]:
    """The partitions that may have seen other rows of cleaned than those that are there now.

    A run sees what it has written itself. A change a day before the write is surely seen: no run takes that long.
    """
    for day, written in published.items():
        for seen in (contents.get(day - timedelta(days=n)) for n in range(reach(spec) + 1)):
            if seen and seen.changed_by != written.run_id and seen.changed_at > written.at - LONGEST_RUN:
                yield Suspect(day, written, seen.changed_at)


@dataclass(frozen=True)
class Restatement:
    """Days of one layer to run again, in one run, because of a change at that time."""

    layer: str
    days: tuple[date, ...]
    because: datetime

    @property
    def key(self) -> str:
        """The same for the same days and the same cause: what happens once."""
        said = f"{self.layer}:{','.join(map(str, self.days))}:{self.because.isoformat()}"
        return blake2b(said.encode(), digest_size=8).hexdigest()


def restatements(layer: str, causes: Iterable[tuple[date, datetime]], published: Collection[date]) -> list[Restatement]:
    """One restatement for each unbroken range of days with a cause; days that were never published break none."""
    newest: dict[date, datetime] = {}
    for day, at in causes:
        newest[day] = max(at, newest.get(day, at))
    ranges: list[list[date]] = [[]]
    for day in sorted({*published, *newest}):
        if day in newest:
            ranges[-1].append(day)
        elif ranges[-1]:
            ranges.append([])
    return [Restatement(layer, tuple(r), max(newest[day] for day in r)) for r in ranges if r]


def chunk(days: Mapping[date, Written], most_rows: int) -> list[date]:
    """The first days whose rows are not too many to look at in one tick; at least one, if there is any."""
    taken, rows = list[date](), 0
    for day in sorted(days):
        rows += days[day].rows
        if taken and rows > most_rows:
            break
        taken.append(day)
    return taken


class Verdict(StrEnum):
    """Whether a restatement is to be asked for."""

    ASK = "ask"
    WAIT = "wait"
    DONE = "done"
    GIVEN_UP = "given up"


@dataclass(frozen=True)
class Outcome:
    """How an earlier run of a restatement ended."""

    is_success: bool
    ended_at: datetime


def verdict(earlier: Sequence[Outcome], now: datetime) -> Verdict:
    """A restatement runs until it succeeds, at most `ATTEMPTS` times, with pauses that double."""
    if any(outcome.is_success for outcome in earlier):
        return Verdict.DONE
    if len(earlier) >= ATTEMPTS:
        return Verdict.GIVEN_UP
    if earlier and now < max(o.ended_at for o in earlier) + FIRST_PAUSE * 2 ** (len(earlier) - 1):
        return Verdict.WAIT
    return Verdict.ASK
