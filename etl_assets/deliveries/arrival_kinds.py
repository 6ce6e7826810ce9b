"""What one listed file is at a tick: new, late, corrected, waiting to be complete, or known.

Pure, file by file; which dates follow from it belongs to `arrivals.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from hashlib import blake2b

from etl_assets.deliveries.provenance import due_at

Version = tuple[int, datetime]
Known = Mapping[str, Mapping[Version, str]]
"""The ledger's view: path -> (size, time) of each version that was read -> state."""


class Kind(StrEnum):
    """What one listed file is at this tick; each file is exactly one of these."""

    NEW = "new"
    LATE = "late"
    CORRECTED = "corrected"
    REQUESTED = "requested"
    FAILED = "failed"
    UNCHANGED = "unchanged"
    RESAVED = "resaved"
    REDELIVERED = "redelivered"
    REJECTED = "rejected"
    PARTIAL = "partial"
    UNANNOUNCED = "unannounced"
    UNSTABLE = "unstable"
    EMPTY = "empty"
    EARLY = "early"
    IGNORED = "ignored"


FRESH = frozenset({Kind.NEW, Kind.LATE, Kind.CORRECTED})
UNREADABLE = frozenset({Kind.PARTIAL, Kind.UNANNOUNCED, Kind.UNSTABLE, Kind.EMPTY})
RUN = frozenset({Kind.REQUESTED, Kind.UNCHANGED, Kind.RESAVED, Kind.REDELIVERED})
STATES = {
    "redelivered": Kind.REDELIVERED,
    "resaved": Kind.RESAVED,
    "rejected": Kind.REJECTED,
    "partial": Kind.PARTIAL,
}


@dataclass(frozen=True)
class Seen:
    """A file as a listing tells it; its size and time stand for its content, which nobody has read yet.

    `is_announced`: a marker or manifest says that it is complete. `doubt`: what keeps it from being read. `is_promised`
    to be empty is a file of which a manifest says so.
    """

    business_date: date
    path: str
    size_bytes: int
    modified_at: datetime
    is_announced: bool = False
    doubt: Kind | None = None
    is_promised: bool = False

    @property
    def version(self) -> Version:
        return self.size_bytes, self.modified_at

    @cached_property
    def content_key(self) -> str:
        return digest((self.path, str(self.size_bytes), self.modified_at.isoformat()))


@dataclass(frozen=True)
class Calendar:
    """The business dates that can run, from the first to the last that is over, if any is, and when each is due."""

    first: date
    last: date | None
    time_zone: str = "UTC"
    late_after_days: int | None = None

    def is_late(self, seen: Seen) -> bool:
        """Whether the file came after the last moment at which it was punctual."""
        days = self.late_after_days
        return days is not None and seen.modified_at >= due_at(seen.business_date, self.time_zone, days)


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


def kinds_of(listing: Sequence[Seen], last: Memory, known: Known, calendar: Calendar) -> dict[Seen, Kind]:
    """What each file is. A date of which something was read is published: what joins it then comes late."""
    kinds = {seen: _kind(seen, last, known, calendar) for seen in listing}
    published = {seen.business_date for seen in listing if is_known(seen, known) and kinds[seen] in RUN}
    return {
        seen: Kind.LATE if kind is Kind.NEW and seen.business_date in published else kind
        for seen, kind in kinds.items()
    }


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
    if seen.doubt is not None:
        return seen.doubt
    if seen.size_bytes == 0 and not seen.is_promised:
        return Kind.EMPTY
    if calendar.last is None or seen.business_date > calendar.last:
        return Kind.EARLY
    if not seen.is_announced and seen.content_key not in last.seen:
        return Kind.UNSTABLE
    if is_known_name:
        return Kind.CORRECTED
    return Kind.LATE if calendar.is_late(seen) else Kind.NEW


def is_known(seen: Seen, known: Known) -> bool:
    return seen.version in known.get(seen.path, {})


def digest(parts: Iterable[str]) -> str:
    """A short hash of the texts in this order."""
    return blake2b("\0".join(parts).encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
