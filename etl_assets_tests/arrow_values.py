"""Every Arrow type with a strategy for its values: those that a warehouse stores exactly, and those that it may refuse.

The values are the awkward ones first: extremes, signed zeros, NaN beside null, dates before the epoch, empty text.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from itertools import chain
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import pyarrow as pa
from hypothesis import strategies as st

ZONES = ("UTC", "Europe/Berlin", "Asia/Kathmandu", "+05:30")
Column = tuple[pa.DataType, st.SearchStrategy[object]]

texts = st.sampled_from(["", " ", "\\N", "\t\n\r", "'\"\\", "NULL", "é\U0001f600", "x" * 5_000]) | st.text(
    st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20
)
binaries = st.sampled_from([b"", b"\x00", b"\xff\xfe", bytes(range(256))]) | st.binary(max_size=20)
days = st.sampled_from([date.min, date.max, date(1969, 12, 31), date(2000, 2, 29)]) | st.dates()
jsons = st.sampled_from(['{"a":  1,"a":2 }', "null", '"\\u00e9"', "[1.0, 1e400, -0]", ' {"b": [], "a": {}}\n'])
integers = (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())
floats: tuple[tuple[pa.DataType, Literal[16, 32, 64]], ...] = (
    (pa.float16(), 16),
    (pa.float32(), 32),
    (pa.float64(), 64),
)
digits = {pa.decimal32: 9, pa.decimal64: 18, pa.decimal128: 38, pa.decimal256: 38}


def _whole(kind: pa.DataType) -> Column:
    bits = kind.bit_width
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if str(kind).startswith("int") else (0, 2**bits - 1)
    return kind, st.sampled_from([low, high, 0, 1]) | st.integers(low, high)


def _fraction(kind: pa.DataType, width: Literal[16, 32, 64]) -> Column:
    awkward = [-0.0, 0.0, float("nan"), float("inf"), float("-inf")]
    return kind, st.sampled_from(awkward) | st.floats(width=width)


def _clock(kind: pa.DataType) -> Column:
    step = {"s": 1_000_000, "ms": 1_000, "us": 1}[kind.unit]
    noon = st.sampled_from([time.min, time.max, time(12)]) | st.times()
    return kind, noon.map(lambda at: at.replace(microsecond=at.microsecond // step * step % 1_000_000))


def _moment(unit: str, zone: str | None) -> Column:
    """Between year 1 and 9999, a day off the ends so that no zone leaves what Python can show."""
    first, last = datetime.min + timedelta(days=1), datetime.max - timedelta(days=1)  # noqa: DTZ901
    step = {"s": 1_000_000, "ms": 1_000, "us": 1}[unit]
    awkward = [first, last, datetime(1969, 12, 31, 23, 59, 59, 999_999), datetime(2026, 10, 25, 2, 30)]  # noqa: DTZ001
    clocks = st.sampled_from(awkward) | st.datetimes(first, last)
    clocks = clocks.map(lambda at: at.replace(microsecond=at.microsecond // step * step % 1_000_000))
    return pa.timestamp(unit, zone), clocks.map(lambda at: at.replace(tzinfo=ZoneInfo("UTC"))) if zone else clocks


@st.composite
def _decimals(draw: st.DrawFn) -> Column:
    """Any precision; a scale from negative to more than the precision. The values are the digits without the point."""
    make = draw(st.sampled_from(list(digits)))
    precision = draw(st.sampled_from([1, digits[make]]) | st.integers(1, digits[make]))
    scale = draw(st.sampled_from([0, precision]) | st.integers(-3, min(precision + 3, digits[make])))
    largest = 10**precision - 1
    unscaled = st.sampled_from([largest, -largest, 0]) | st.integers(-largest, largest)
    return make(precision, scale), unscaled


EXACT: tuple[Column, ...] = (
    (pa.bool_(), st.booleans()),
    *(_whole(kind) for kind in integers),
    *(_fraction(kind, width) for kind, width in floats),
    *((kind, texts) for kind in (pa.string(), pa.large_string(), pa.string_view())),
    *((kind, binaries) for kind in (pa.binary(), pa.large_binary(), pa.binary_view())),
    *((pa.binary(size), st.binary(min_size=size, max_size=size)) for size in (1, 16)),
    (pa.date32(), days),
    (pa.date64(), days),
    *(_clock(kind) for kind in (pa.time32("s"), pa.time32("ms"), pa.time64("us"))),
    *(_moment(unit, zone) for unit in ("s", "ms", "us") for zone in (None, *ZONES)),
    (pa.json_(), jsons),
    (pa.uuid(), st.uuids() | st.just(UUID(int=0))),
)
columns = st.sampled_from(EXACT) | _decimals()
REFUSED: tuple[pa.DataType, ...] = (
    pa.null(),
    pa.timestamp("ns"),
    pa.timestamp("ns", "UTC"),
    pa.time64("ns"),
    *(pa.duration(unit) for unit in ("s", "ms", "us", "ns")),
    pa.month_day_nano_interval(),
    pa.decimal256(39, 2),
    pa.decimal256(76, 0),
    pa.list_(pa.int32()),
    pa.large_list(pa.int32()),
    pa.list_view(pa.int32()),
    pa.large_list_view(pa.int32()),
    pa.list_(pa.int32(), 3),
    pa.map_(pa.string(), pa.int32()),
    pa.struct([("a", pa.int32())]),
    pa.dense_union([pa.field("a", pa.int32())]),
    pa.sparse_union([pa.field("a", pa.int32())]),
    pa.dictionary(pa.int32(), pa.string()),
    pa.run_end_encoded(pa.int32(), pa.string()),
    pa.bool8(),
    pa.opaque(pa.binary(), "geometry", "elsewhere"),
    pa.fixed_shape_tensor(pa.int32(), [2]),
)


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """Up to six columns of any types that are stored exactly, up to five rows, each value possibly null."""
    drawn = draw(st.lists(columns, min_size=1, max_size=6))
    rows = draw(st.integers(0, 5))
    arrays = [_array(kind, draw(st.lists(st.none() | values, min_size=rows, max_size=rows))) for kind, values in drawn]
    return pa.table(arrays, names=[f"{number} {kind}" for number, (kind, _) in enumerate(drawn)])


def _array(kind: pa.DataType, values: list[Any]) -> pa.Array:
    """Decimals by their bits: from Python's decimals Arrow makes none with a negative scale."""
    if not pa.types.is_decimal(kind):
        return pa.array(values, type=kind)
    bits = b"".join((value or 0).to_bytes(kind.byte_width, "little", signed=True) for value in values)
    are_there = pa.array([value is not None for value in values], pa.bool_()).buffers()[1]
    return pa.Array.from_buffers(kind, len(values), [are_there, pa.py_buffer(bits)])


def different(found: pa.Table, wanted: pa.Table) -> list[str]:
    """What is not exactly the same: type, null, sign of zero and NaN included."""
    if found.schema != wanted.schema:
        return [f"{found.schema} instead of {wanted.schema}"]
    pairs = zip(wanted.column_names, found.columns, wanted.columns, strict=True)
    return [f"{name}: {f} instead of {w}" for name, f, w in pairs if not _same(f, w)]


def _same(found: pa.ChunkedArray, wanted: pa.ChunkedArray) -> bool:
    if pa.types.is_floating(wanted.type):
        return repr(found.to_pylist()) == repr(wanted.to_pylist())
    return bool(found.equals(wanted))


def every_type() -> pa.Table:
    """A column of each exact type, all null, and a second row of none: for what must hold of all types at once."""
    kinds = list(chain((kind for kind, _ in EXACT), (pa.decimal128(38, 10), pa.decimal256(20, -2))))
    return pa.table([pa.nulls(2, kind) for kind in kinds], names=[f"{n} {kind}" for n, kind in enumerate(kinds)])
