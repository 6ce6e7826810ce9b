"""Text -> moments by strptime patterns, column by column, as `datetime.strptime` defines them.

Counts of seconds and steps are read in `counts.py`. Knows nothing of time zones (`zones.py`) and reasons
(`canonical.py`).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.spec.columns import Steps
from etl_assets.spec.times import EPOCHS
from etl_assets.transforms.counts import epoch_microseconds, step_microseconds
from etl_assets.transforms.values import Mask

Integers = npt.NDArray[np.int64]
Columns = npt.NDArray[np.uint8]
Reader = Callable[[pa.Array], tuple[Integers, Mask]]

DAY_US = 86_400_000_000
WIDTHS: Mapping[str, tuple[int, ...]] = {
    "%Y": (4,),
    "%y": (2,),
    "%m": (2,),
    "%d": (2,),
    "%H": (2,),
    "%M": (2,),
    "%S": (2,),
    "%f": (6, 3),
    "%z": (6, 5, 1),
}
NUMERIC = {"%Y": 4, "%y": 2, "%m": 2, "%d": 2, "%H": 2, "%I": 2, "%M": 2, "%S": 2, "%j": 3}


@dataclass(frozen=True)
class Moments:
    """Microseconds since 1970, of UTC where the text had an offset, of the local clock where it had none.

    A text that two formats read as different moments is not read, and `fits_two`.
    """

    microseconds: Integers
    is_read: Mask
    is_utc: Mask
    fits_two: Mask

    @classmethod
    def none(cls, count: int) -> Moments:
        """As many moments that nothing was read for."""
        return cls(np.zeros(count, np.int64), *(np.zeros(count, np.bool_) for _ in range(3)))


def moments(text: pa.Array, formats: Sequence[str]) -> Moments:
    """Each text is read by the first of `formats` that accepts all of it, unless another reads it differently.

    Texts of full width are read by position; only what is left goes through Python, once per distinct text. Arrow's
    own strptime would be shorter and makes 1 March of 30 February. Stricter than Python in one thing: fields that
    touch must have their full width, since 12345 under %H%M%S may have lost either zero.
    """
    found = _by_format(text, formats[0])
    for pattern in formats[1:]:
        found = _agreed(found, _by_format(text, pattern))
    return replace(found, is_read=found.is_read & ~found.fits_two)


def stepped(text: pa.Array, steps: Steps) -> Moments:
    """Each text is the moment of a step on the local clock."""
    microseconds, is_read = step_microseconds(text, steps)
    return replace(Moments.none(len(text)), microseconds=microseconds, is_read=is_read)


def _agreed(first: Moments, second: Moments) -> Moments:
    is_other = (first.microseconds != second.microseconds) | (first.is_utc != second.is_utc)
    return Moments(
        np.where(first.is_read, first.microseconds, second.microseconds),
        first.is_read | second.is_read,
        np.where(first.is_read, first.is_utc, second.is_utc),
        first.fits_two | (first.is_read & second.is_read & is_other),
    )


def _by_format(text: pa.Array, pattern: str) -> Moments:
    found = Moments.none(len(text))
    is_utc = "%z" in pattern or pattern in EPOCHS
    lengths = pc.fill_null(pc.binary_length(text), -1).to_numpy()
    if pattern in EPOCHS:
        _fill(found, lengths > 0, text, partial(epoch_microseconds, pattern=pattern), is_utc=is_utc)
        return found
    for layout in layouts(pattern):
        _fill(found, lengths == layout.length, text, layout.read, is_utc=is_utc)
    _fill(found, lengths > 0, text, partial(_by_strptime, pattern), is_utc=is_utc)
    return found


def _fill(found: Moments, candidates: Mask, text: pa.Array, read: Reader, *, is_utc: bool) -> None:
    rows = np.flatnonzero(candidates & ~found.is_read)
    if not len(rows):
        return
    microseconds, is_read = read(text if len(rows) == len(text) else text.take(pa.array(rows)))
    rows = rows[is_read]
    found.microseconds[rows] = microseconds[is_read]
    found.is_read[rows] = True
    found.is_utc[rows] = is_utc


@dataclass(frozen=True)
class Layout:
    """Where each field of a pattern stands when every field has its full width."""

    length: int
    fields: Mapping[str, slice]
    literals: Mapping[int, int]

    def read(self, text: pa.Array) -> tuple[Integers, Mask]:
        """Microseconds of texts that all have this length, and which of them the layout fits."""
        columns = _byte_columns(text, self.length)
        fits = np.ones(len(text), np.bool_)
        for place, byte in self.literals.items():
            fits &= columns[place] == byte
        days, is_day = self._days(columns)
        clock, is_clock = self._clock(columns)
        offset, is_offset = _offset(columns[self.fields["%z"]]) if "%z" in self.fields else (0, fits)
        return days * DAY_US + clock - offset, fits & is_day & is_clock & is_offset

    def _days(self, columns: Columns) -> tuple[Integers, Mask]:
        year, is_year = _number(columns[self.fields["%Y" if "%Y" in self.fields else "%y"]])
        if "%y" in self.fields:
            year = year + np.where(year < 69, 2000, 1900)
        month, is_month = _number(columns[self.fields["%m"]])
        day, is_day = _number(columns[self.fields["%d"]])
        months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
        first, after = (m.astype("datetime64[D]").astype(np.int64) for m in (months, months + 1))
        is_real = (year > 0) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= after - first)
        return first + day - 1, is_year & is_month & is_day & is_real

    def _clock(self, columns: Columns) -> tuple[Integers, Mask]:
        total, is_time = np.zeros(columns.shape[1], np.int64), np.ones(columns.shape[1], np.bool_)
        for field, end, unit in (("%H", 24, 3_600_000_000), ("%M", 60, 60_000_000), ("%S", 60, 1_000_000)):
            if field in self.fields:
                value, is_number = _number(columns[self.fields[field]])
                total, is_time = total + value * unit, is_time & is_number & (value < end)
        if "%f" in self.fields:
            digits = columns[self.fields["%f"]]
            value, is_number = _number(digits)
            total, is_time = total + value * 10 ** (6 - len(digits)), is_time & is_number
        return total, is_time


@lru_cache(maxsize=256)
def layouts(pattern: str) -> tuple[Layout, ...]:
    """Every full-width layout of the pattern; none where a field has no fixed width or a date part is absent."""
    parts = _parts(pattern)
    fields = [part for part in parts if part in WIDTHS]
    is_fixed = all(part in WIDTHS or len(part.encode()) == 1 or part == "%%" for part in parts)
    has_date = {"%m", "%d"} <= set(fields) and len({"%Y", "%y"} & set(fields)) == 1
    if not is_fixed or not has_date or len(fields) != len(set(fields)):
        return ()
    return tuple(_layout(parts, widths) for widths in itertools.product(*(WIDTHS.get(t, (1,)) for t in parts)))


def _layout(parts: Sequence[str], widths: Sequence[int]) -> Layout:
    starts = list(itertools.accumulate(widths, initial=0))
    placed = list(zip(parts, starts, widths, strict=False))
    return Layout(
        length=starts[-1],
        fields={part: slice(start, start + width) for part, start, width in placed if part in WIDTHS},
        literals={start: ord(part[-1]) for part, start, _ in placed if part not in WIDTHS},
    )


def _parts(pattern: str) -> list[str]:
    return re.findall(r"%.|.", pattern, re.DOTALL)


def _byte_columns(text: pa.Array, width: int) -> Columns:
    start = int(np.frombuffer(text.buffers()[1], np.int32)[text.offset])
    data = np.frombuffer(text.buffers()[2], np.uint8, count=len(text) * width, offset=start)
    return np.ascontiguousarray(data.reshape(len(text), width).T)


def _number(digits: Columns) -> tuple[Integers, Mask]:
    value, is_number = np.zeros(digits.shape[1], np.int64), np.ones(digits.shape[1], np.bool_)
    for column in digits - np.uint8(ord("0")):
        value, is_number = value * 10 + column, is_number & (column <= 9)
    return value, is_number


def _offset(columns: Columns) -> tuple[Integers, Mask]:
    if len(columns) == 1:
        return np.zeros(columns.shape[1], np.int64), columns[0] == ord("Z")
    hours, is_hours = _number(columns[1:3])
    minutes, is_minutes = _number(columns[-2:])
    is_east = columns[0] == ord("+")
    fits = is_hours & is_minutes & (hours < 24) & (minutes < 60) & (is_east | (columns[0] == ord("-")))
    fits &= columns[3] == ord(":") if len(columns) == 6 else True
    return (hours * 60 + minutes) * 60_000_000 * np.where(is_east, 1, -1), fits


def _by_strptime(pattern: str, text: pa.Array) -> tuple[Integers, Mask]:
    shaped = pc.if_else(pc.match_substring_regex(text, _shape(pattern)), text, None)
    codes = shaped.dictionary_encode()
    read = pa.array([_microseconds(value, pattern) for value in codes.dictionary.to_pylist()], pa.int64())
    values = read.take(codes.indices)
    return pc.fill_null(values, 0).to_numpy(), pc.is_valid(values).to_numpy(zero_copy_only=False)


def _microseconds(text: str, pattern: str) -> int | None:
    try:
        moment = datetime.strptime(text, pattern)  # noqa: DTZ007  without an offset it is local time, see zones.py
    except ValueError:
        return None
    clock = moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (clock - (moment.utcoffset() or timedelta())) // timedelta(microseconds=1)


@lru_cache(maxsize=256)
def _shape(pattern: str) -> str:
    return (
        r"(?i)\A"
        + "".join(_shape_of(*neighbours) for neighbours in _with_neighbours(_parts(re.sub(r"\s+", " ", pattern))))
        + r"\z"
    )


def _with_neighbours(parts: list[str]) -> Iterator[tuple[str, str, str]]:
    yield from zip(["", *parts], parts, [*parts[1:], ""], strict=False)


def _shape_of(before: str, part: str, after: str) -> str:
    if part in NUMERIC:
        touches = any(other in NUMERIC or other == "%f" or other.isdigit() for other in (before, after))
        return f"[0-9]{{{NUMERIC[part] if touches else 1},{NUMERIC[part]}}}"
    if part == "%f":
        return "[0-9]{1,6}"
    if part.isspace():
        return r"\s+"
    return "[ -~]+" if len(part) == 2 and part != "%%" else re.escape(part[-1])
