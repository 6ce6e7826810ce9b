"""Decide which business dates a folder listing asks for.

Pure: this tick's listing, the memory of the last tick and the ledger's view in; requests and reasons out. What one
file is belongs to `arrival_kinds.py`, when a failed run is tried again to `repeats.py`, reading folders and asking
Dagster to `sensors.py`, what was delivered to `ledger.py`; a clock belongs to nobody here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from types import MappingProxyType

from etl_assets.deliveries.arrival_kinds import (
    FRESH,
    RUN,
    UNREADABLE,
    Calendar,
    Kind,
    Known,
    Memory,
    Seen,
    digest,
    is_known,
    kinds_of,
)
from etl_assets.deliveries.repeats import Failure

__all__ = ["Calendar", "Decision", "Kind", "Known", "Memory", "Request", "Seen", "requests_for"]
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Request:
    """A business date to run, the files of it that nobody asked for before, and how often those were tried."""

    business_date: date
    files: str
    fresh: tuple[Seen, ...]
    attempt: int = 1

    @property
    def run_key(self) -> str:
        """Names every file of the date: the same files are one run, a correction or another try is another."""
        return self.files if self.attempt == 1 else f"{self.files}:{self.attempt}"


@dataclass(frozen=True)
class Decision:
    """What a tick asks for, what it leaves for later, and what every listed file is."""

    requests: tuple[Request, ...]
    deferred: tuple[date, ...]
    waiting: tuple[date, ...]
    counts: Mapping[Kind, int]
    memory: Memory
    failed: tuple[Failure, ...] = ()

    def in_words(self) -> str:
        """The tick in numbers: files by kind, then the dates that come later."""
        files = [f"{self.counts[kind]} {kind}" for kind in Kind if self.counts.get(kind)]
        dates: dict[str, Sequence[object]] = {
            "tried again": [request for request in self.requests if request.attempt > 1],
            "to be tried again": [failure for failure in self.failed if failure.again_at is not None],
            "given up until a file changes or a person runs it": [f for f in self.failed if f.again_at is None],
            "deferred": self.deferred,
            "waiting for an incomplete or empty file": self.waiting,
        }
        return ", ".join(files + [f"{_dates(days)} {what}" for what, days in dates.items() if days]) or (
            "no deliveries in the folder"
        )


def requests_for(  # noqa: PLR0913  each is another view of the same deliveries
    listing: Sequence[Seen],
    last: Memory,
    known: Known,
    calendar: Calendar,
    limit: int,
    *,
    failures: Mapping[str, Failure] = MappingProxyType({}),
    now: datetime = NEVER,
) -> Decision:
    """Each complete content that the ledger does not hold is requested once, by business date, oldest first.

    A file is complete when it is announced, or when size and time are those of the last tick: a bank's upload in
    progress parses as a shorter, perfectly valid day. A run reads all files of its date, so a date with an incomplete
    or empty one waits. Of more dates than `limit`, the last place is for the newest: neither does a late month starve
    today nor today the month. A date whose last run is among the `failures` is tried again when its time has come, as
    long as the same files are there.
    """
    kinds = kinds_of(listing, last, known, calendar)
    by_date: dict[date, list[Seen]] = defaultdict(list)
    for seen in listing:
        by_date[seen.business_date].append(seen)
    due = sorted(day for day, files in by_date.items() if any(kinds[seen] in FRESH for seen in files))
    held = {seen.business_date for seen in listing if kinds[seen] in UNREADABLE and not is_known(seen, known)}
    failed = _failed(by_date, {*due, *held}, failures)
    ripe = {day for day, failure in failed.items() if failure.again_at is not None and failure.again_at <= now}
    ready = sorted({*due, *ripe} - held)
    chosen = _chosen(ready, limit)
    requests = tuple(_request(day, by_date[day], kinds, failed.get(day)) for day in chosen)
    return Decision(
        requests=requests,
        deferred=tuple(day for day in ready if day not in set(chosen)),
        waiting=tuple(day for day in due if day in held),
        counts=Counter(_shown(seen, kind, failed) for seen, kind in kinds.items()),
        memory=_memory(kinds, requests),
        failed=tuple(failure for day, failure in sorted(failed.items()) if day not in set(chosen)),
    )


def _failed(
    by_date: Mapping[date, Sequence[Seen]], busy: Collection[date], failures: Mapping[str, Failure]
) -> dict[date, Failure]:
    """The dates whose last run failed; new files make a run of their own, which has not failed."""
    days = {failure.business_date for failure in failures.values()} & by_date.keys() - busy
    found = {day: failures.get(_files(day, by_date[day])) for day in days}
    return {day: failure for day, failure in found.items() if failure is not None}


def _shown(seen: Seen, kind: Kind, failed: Mapping[date, Failure]) -> Kind:
    return Kind.FAILED if seen.business_date in failed and kind in RUN else kind


def _chosen(ready: Sequence[date], limit: int) -> list[date]:
    if len(ready) <= limit:
        return list(ready)
    return [*ready[: limit - 1], ready[-1]]


def _request(day: date, files: Sequence[Seen], kinds: Mapping[Seen, Kind], failure: Failure | None) -> Request:
    fresh = tuple(seen for seen in files if kinds[seen] in FRESH)
    return Request(day, _files(day, files), fresh, 1 if failure is None else failure.failed_times + 1)


def _files(day: date, files: Sequence[Seen]) -> str:
    return f"{day}:{digest(sorted(seen.content_key for seen in files))}"


def _memory(kinds: Mapping[Seen, Kind], requests: Iterable[Request]) -> Memory:
    """Only files that the ledger does not hold yet: in a settled folder the memory is empty."""
    asked = {seen.content_key for request in requests for seen in request.fresh}
    asked |= _keys(kinds, {Kind.REQUESTED})
    return Memory(seen=frozenset(_keys(kinds, {*FRESH, Kind.UNSTABLE, Kind.EARLY}) - asked), requested=frozenset(asked))


def _keys(kinds: Mapping[Seen, Kind], wanted: Collection[Kind]) -> set[str]:
    return {seen.content_key for seen, kind in kinds.items() if kind in wanted}


def _dates(days: Sequence[object]) -> str:
    return f"{len(days)} date{'s' if len(days) > 1 else ''}"
