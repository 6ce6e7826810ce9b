"""Which strptime patterns read the dates and times of a column, found by reading them with the platform's own parser.

Text in, patterns out. Two patterns that both read everything and differ are returned as such: a person decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.spec.columns import has_time_of_day
from etl_assets.transforms.timestamps import DAY_US, moments
from etl_assets.transforms.values import flat, tidy

EPOCHS = {"epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}
DAYS = (
    *("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d"),
    *("%d%m%Y", "%m%d%Y", "%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y"),
    *("%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d-%m-%y", "%d%b%Y", "%d/%b/%Y", "%d. %B %Y"),
)
CLOCKS = ("%H:%M:%S", "%H:%M", "%H:%M:%S.%f", "%H:%M:%S%z", "%H:%M:%S.%f%z", "%H:%M:%S %z", "%I:%M:%S %p", "%I:%M %p")
TOGETHER = ("%Y%m%d%H%M%S", "%Y%m%d%H%M", "%Y%m%dT%H%M%S", "%Y%m%dT%H%M%S%z", "%d%m%Y%H%M%S")
GLANCE, ENOUGH = 200, 0.8
FIRST_YEAR, LAST_YEAR = 1970, 2100


@dataclass(frozen=True)
class TimeReading:
    """`formats` read `read` of `filled` values; each of `rivals` reads them as well, as other moments."""

    formats: tuple[str, ...]
    filled: int
    read: int
    first: date
    last: date
    rivals: tuple[str, ...] = ()
    first_unread: str | None = None

    @property
    def has_time_of_day(self) -> bool:
        return any(p in EPOCHS or has_time_of_day(p) for p in self.formats)

    @property
    def has_offset(self) -> bool:
        return all("%z" in pattern or pattern in EPOCHS for pattern in self.formats)


@cache
def candidates() -> tuple[str, ...]:
    """Every pattern that is tried, days alone first."""
    timed = (f"{day}{gap}{clock}" for day in DAYS for gap in (" ", "T") for clock in CLOCKS)
    return (*DAYS, *TOGETHER, *timed)


CLOCK_ALONE = ("%H:%M:%S", "%H:%M", "%H%M%S", "%H:%M:%S.%f", "%I:%M:%S %p", "%I:%M %p")


def clock_of(column: pa.ChunkedArray) -> str | None:
    """The pattern under which every value is a time of day, for a column that stands beside a date."""
    filled = tidy(flat(column)).drop_null()
    dated = pc.binary_join_element_wise("2000-01-01", filled, " ")
    reads = (p for p in CLOCK_ALONE if len(filled) and moments(dated, (f"%Y-%m-%d {p}",)).is_read.all())
    return next(reads, None)


def time_reading(column: pa.ChunkedArray, latest: date | None) -> TimeReading | None:
    """How the column reads as times, or None where it does not.

    `latest` is the business date, if it is known: a pattern under which payments lie after it is wrong.
    """
    filled = tidy(flat(column)).drop_null()
    if not len(filled):
        return None
    read = {pattern: found for pattern in _plausible(filled) if (found := _microseconds(filled, pattern)) is not None}
    if latest is not None:
        possible = {pattern: found for pattern, found in read.items() if _last(found) <= latest}
        read = possible or read
    if not read:
        return None
    first = max(read, key=lambda pattern: int((read[pattern] >= 0).sum()))
    whole = read[first]
    rivals = tuple(p for p, other in read.items() if _reads_as_well(whole, other))
    return _described(filled, whole, first, rivals)


def reading_by(column: pa.ChunkedArray, pattern: str) -> TimeReading | None:
    """How the column reads under this pattern alone; None where it does not."""
    filled = tidy(flat(column)).drop_null()
    whole = _microseconds(filled, pattern) if len(filled) else None
    return None if whole is None else _described(filled, whole, pattern, ())


def _described(filled: pa.Array, whole: npt.NDArray[np.int64], first: str, rivals: Sequence[str]) -> TimeReading:
    unread = np.flatnonzero(whole < 0)
    days = whole[whole >= 0] // DAY_US
    return TimeReading(
        formats=(first,),
        filled=len(filled),
        read=len(days),
        first=_date(int(days.min())),
        last=_date(int(days.max())),
        rivals=tuple(rivals),
        first_unread=filled[int(unread[0])].as_py() if len(unread) else None,
    )


def _plausible(filled: pa.Array) -> list[str]:
    """Patterns that read most of a few values taken from the whole column."""
    few = filled.take(pa.array(np.linspace(0, len(filled) - 1, min(len(filled), GLANCE)).astype(np.int64)))
    reads = {pattern: int(moments(few, (pattern,)).is_read.sum()) for pattern in candidates()}
    found = [pattern for pattern, count in reads.items() if count >= ENOUGH * len(few)]
    return found or list(EPOCHS)


def _microseconds(filled: pa.Array, pattern: str) -> npt.NDArray[np.int64] | None:
    """The moments, -1 where there is none; None where too few are read, or one is in no year of ours."""
    if pattern in EPOCHS:
        return _counted(filled, EPOCHS[pattern])
    found = moments(filled, (pattern,))
    years = found.microseconds[found.is_read] / (365.25 * DAY_US) + FIRST_YEAR
    if found.is_read.mean() < ENOUGH or years.min() < FIRST_YEAR or years.max() > LAST_YEAR:
        return None
    return np.where(found.is_read, found.microseconds, -1)


def _counted(filled: pa.Array, unit: int) -> npt.NDArray[np.int64] | None:
    """Moments of whole numbers that, counted in the unit, lie between 2001 and 2065: 9 digits are too few to tell."""
    numbers = pc.if_else(pc.match_substring_regex(filled, r"\A\d{10,16}\z"), filled, None).cast(pa.int64())
    found = np.asarray(pc.fill_null(numbers, -1)) * unit
    is_read = (found >= 10**15) & (found <= 3 * 10**15)
    return np.where(is_read, found, -1) if is_read.mean() >= ENOUGH else None


def _reads_as_well(whole: npt.NDArray[np.int64], other: npt.NDArray[np.int64]) -> bool:
    return bool((other >= 0).sum() == (whole >= 0).sum() and (other != whole).any())


def _last(found: npt.NDArray[np.int64]) -> date:
    return _date(int(found.max() // DAY_US))


def _date(days: int) -> date:
    return date.fromordinal(date(1970, 1, 1).toordinal() + days)
