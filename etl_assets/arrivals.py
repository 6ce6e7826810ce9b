"""Decide which business dates a folder listing asks for.

Pure: this tick's listing, the memory of the last tick and the ledger's view in; requests and reasons out. Reading
folders and asking Dagster belong to `sensors.py`, what was delivered to `ledger.py`; a clock belongs to nobody here.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from hashlib import blake2b

Version = tuple[int, datetime]
Known = Mapping[str, Mapping[Version, str]]
"""The ledger's view: path -> (size, time) of each version that was read -> state."""


class Kind(StrEnum):
    """What one listed file is at this tick; each file is exactly one of these."""

    NEW = "new"
    CORRECTED = "corrected"
    REQUESTED = "requested"
    UNCHANGED = "unchanged"
    REDELIVERED = "redelivered"
    REJECTED = "rejected"
    UNSTABLE = "unstable"
    EMPTY = "empty"
    EARLY = "early"
    IGNORED = "ignored"


FRESH = frozenset({Kind.NEW, Kind.CORRECTED})
UNREADABLE = frozenset({Kind.UNSTABLE, Kind.EMPTY})
STATES = {"redelivered": Kind.REDELIVERED, "rejected": Kind.REJECTED}


@dataclass(frozen=True)
class Seen:
    """A file as a listing tells it; its size and time stand for its content, which nobody has read yet."""

    business_date: date
    path: str
    size_bytes: int
    modified_at: datetime

    @property
    def version(self) -> Version:
        return self.size_bytes, self.modified_at

    @cached_property
    def content_key(self) -> str:
        return _digest((self.path, str(self.size_bytes), self.modified_at.isoformat()))


@dataclass(frozen=True)
class Calendar:
    """The business dates that can run: from the institution's first to the last that is over, if any is."""

    first: date
    last: date | None


@dataclass(frozen=True)
class Memory:
    """What the next tick must know of this one, for files that the ledger does not hold; of the others nothing."""

    seen: frozenset[str] = frozenset()
    requested: frozenset[str] = frozenset()

    @classmethod
    def read(cls, cursor: str | None) -> Memory:
        """The memory that `write` wrote; none before the first tick."""
        return cls(**{name: frozenset(keys) for name, keys in json.loads(cursor or "{}").items()})

    def write(self) -> str:
        return json.dumps({"seen": sorted(self.seen), "requested": sorted(self.requested)}, separators=(",", ":"))


@dataclass(frozen=True)
class Request:
    """A business date to run, and the files of it that nobody asked for before."""

    business_date: date
    run_key: str
    fresh: tuple[Seen, ...]


@dataclass(frozen=True)
class Decision:
    """What a tick asks for, what it leaves for later, and what every listed file is."""

    requests: tuple[Request, ...]
    deferred: tuple[date, ...]
    waiting: tuple[date, ...]
    counts: Mapping[Kind, int]
    memory: Memory

    def in_words(self) -> str:
        """The tick in numbers: files by kind, then the dates that come later."""
        files = [f"{self.counts[kind]} {kind}" for kind in Kind if self.counts.get(kind)]
        dates = [f"{_dates(self.deferred)} deferred"] if self.deferred else []
        dates += [f"{_dates(self.waiting)} waiting for an unstable or empty file"] if self.waiting else []
        return ", ".join(files + dates) or "no deliveries in the folder"


def requests_for(listing: Sequence[Seen], last: Memory, known: Known, calendar: Calendar, limit: int) -> Decision:
    """Each stable content that the ledger does not hold is requested once, by business date, oldest first.

    A file is stable when size and time are those of the last tick: a bank's upload in progress parses as a shorter,
    perfectly valid day. A run reads all files of its date, so a date with an unstable or empty one waits. Of more
    dates than `limit`, the last place is for the newest: neither does a late month starve today nor today the month.
    """
    kinds = {seen: _kind(seen, last, known, calendar) for seen in listing}
    by_date: dict[date, list[Seen]] = defaultdict(list)
    for seen in listing:
        by_date[seen.business_date].append(seen)
    due = sorted(day for day, files in by_date.items() if any(kinds[seen] in FRESH for seen in files))
    waiting = [day for day in due if any(kinds[seen] in UNREADABLE for seen in by_date[day])]
    chosen = _chosen([day for day in due if day not in set(waiting)], limit)
    requests = tuple(_request(day, by_date[day], kinds) for day in chosen)
    return Decision(
        requests=requests,
        deferred=tuple(day for day in due if day not in {*waiting, *chosen}),
        waiting=tuple(waiting),
        counts=Counter(kinds.values()),
        memory=_memory(kinds, requests),
    )


def _kind(seen: Seen, last: Memory, known: Known, calendar: Calendar) -> Kind:
    versions = known.get(seen.path, {})
    if seen.business_date < calendar.first:
        return Kind.IGNORED
    if seen.version in versions:
        return STATES.get(versions[seen.version], Kind.UNCHANGED)
    if seen.content_key in last.requested:
        return Kind.REQUESTED
    return _unread_kind(seen, last, calendar, is_known_name=bool(versions))


def _unread_kind(seen: Seen, last: Memory, calendar: Calendar, *, is_known_name: bool) -> Kind:
    if seen.size_bytes == 0:
        return Kind.EMPTY
    if calendar.last is None or seen.business_date > calendar.last:
        return Kind.EARLY
    if seen.content_key not in last.seen:
        return Kind.UNSTABLE
    return Kind.CORRECTED if is_known_name else Kind.NEW


def _chosen(ready: Sequence[date], limit: int) -> list[date]:
    if len(ready) <= limit:
        return list(ready)
    return [*ready[: limit - 1], ready[-1]]


def _request(day: date, files: Sequence[Seen], kinds: Mapping[Seen, Kind]) -> Request:
    """The key names every file of the date: the same files are one run, a correction is another."""
    run_key = f"{day}:{_digest(sorted(seen.content_key for seen in files))}"
    return Request(day, run_key, tuple(seen for seen in files if kinds[seen] in FRESH))


def _memory(kinds: Mapping[Seen, Kind], requests: Iterable[Request]) -> Memory:
    """Only files that the ledger does not hold yet: in a settled folder the memory is empty."""
    asked = {seen.content_key for request in requests for seen in request.fresh}
    asked |= _keys(kinds, {Kind.REQUESTED})
    return Memory(seen=frozenset(_keys(kinds, {*FRESH, Kind.UNSTABLE, Kind.EARLY}) - asked), requested=frozenset(asked))


def _keys(kinds: Mapping[Seen, Kind], wanted: Collection[Kind]) -> set[str]:
    return {seen.content_key for seen, kind in kinds.items() if kind in wanted}


def _dates(days: Sequence[date]) -> str:
    return f"{len(days)} date{'s' if len(days) > 1 else ''}"


def _digest(parts: Iterable[str]) -> str:
    return blake2b("\0".join(parts).encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
