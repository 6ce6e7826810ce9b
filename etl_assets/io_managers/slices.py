"""Which rows of a table a run owns: partitions as bounds on one column, or on several.

Knows Arrow columns; no Dagster, no SQL and no driver. How Dagster's partitions become a slice is in `partitions.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from itertools import product
from math import prod
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.io_managers.errors import RowsOutsideSlice

Positions = np.ndarray[tuple[int], np.dtype[np.int64]]
WHOLE_TABLE = ""


@dataclass(frozen=True)
class Part:
    """One partition of a dimension: start <= value < end, or, where `end` is None, value = start."""

    key: str
    start: Any
    end: Any | None = None


@dataclass(frozen=True)
class Dimension:
    """A column and the disjoint parts of it that a run owns: all windows in order of time, or all values."""

    column: str
    parts: tuple[Part, ...]

    @property
    def is_window(self) -> bool:
        return bool(self.parts) and self.parts[0].end is not None

    def ranges(self) -> list[tuple[Any, Any]]:
        """Adjacent windows merged into few bounds: a range of 700 days is one predicate, not 700."""
        merged: list[tuple[Any, Any]] = []
        for part in self.parts:
            if merged and merged[-1][1] == part.start:
                merged[-1] = (merged[-1][0], part.end)
            else:
                merged.append((part.start, part.end))
        return merged

    def positions(self, values: pa.ChunkedArray | pa.Array) -> Positions:
        """For each value the part that it is in, -1 where none."""
        if not self.parts:
            return np.full(len(values), -1)
        starts = [part.start for part in self.parts]
        if not self.is_window:
            found = pc.index_in(values, value_set=pa.array(starts, type=values.type))
            return np.asarray(pc.fill_null(found, -1)).astype(np.int64)
        ends = _as_integers(pa.array([part.end for part in self.parts], type=values.type))
        ordinals = _as_integers(values)
        at = np.searchsorted(_as_integers(pa.array(starts, type=values.type)), ordinals, side="right") - 1
        is_inside = (at >= 0) & (ordinals < ends[at])
        return np.where(is_inside, at, -1)


@dataclass(frozen=True)
class Slice:
    """The partitions that a run reads or writes: the product of its dimensions. No dimension: the whole table."""

    dimensions: tuple[Dimension, ...] = ()

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The partition keys in the order of `positions`; of several dimensions joined by |, as Dagster does."""
        if not self.dimensions:
            return (WHOLE_TABLE,)
        return tuple("|".join(keys) for keys in product(*([p.key for p in d.parts] for d in self.dimensions)))

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dimension.column for dimension in self.dimensions)

    def positions(self, rows: pa.Table | pa.RecordBatch) -> Positions:
        """For each row the index of its partition among `keys`.

        Raises: RowsOutsideSlice with their number; their values are personal and stay out of the message.
        """
        if not self.dimensions:
            return np.zeros(rows.num_rows, np.int64)
        found = [dimension.positions(rows[dimension.column]) for dimension in self.dimensions]
        if outside := int(np.count_nonzero(np.any(np.stack(found) < 0, axis=0))):
            raise RowsOutsideSlice(
                f"{outside} of {rows.num_rows} rows have a {', '.join(self.columns)} outside the partitions "
                f"{self.span()}; filter them, or check the time zone of the partition column"
            )
        shape = [len(dimension.parts) for dimension in self.dimensions]
        return np.ravel_multi_index(found, shape) if prod(shape) else np.zeros(0, np.int64)

    def span(self) -> str:
        """The partitions in words: first to last key."""
        return " to ".join(dict.fromkeys((self.keys[0], self.keys[-1]))) if self.keys else "(none)"


WHOLE = Slice()


class Counts:
    """Rows per partition key, added up batch by batch."""

    def __init__(self, slice_: Slice) -> None:
        self.slice = slice_
        self._totals = np.zeros(len(slice_.keys), np.int64)

    def add(self, rows: pa.Table | pa.RecordBatch) -> Positions:
        """The rows are counted; returns where each belongs. Raises: RowsOutsideSlice."""
        positions = self.slice.positions(rows)
        self._totals += np.bincount(positions, minlength=len(self._totals))
        return positions

    def by_key(self) -> dict[str, int]:
        return dict(zip(self.slice.keys, self._totals.tolist(), strict=True))


@dataclass(frozen=True)
class Partial:
    """Rows of a range of which some partitions are refused, with the reason; those keep the rows that they have."""

    rows: object
    refused: Mapping[str, str] = field(default_factory=dict)


def daily_slice(column: str, days: Iterable[date]) -> Slice:
    """The slice of these days, for code that reads beside Dagster's inputs."""
    parts = tuple(Part(d.isoformat(), d, d + timedelta(days=1)) for d in sorted(days))
    return Slice((Dimension(column, parts),))


def range_slice(column: str, first: date, last: date) -> Slice:
    """All days from `first` to `last` as one part, for code that reads beside Dagster's inputs."""
    return Slice((Dimension(column, (Part(f"{first} to {last}", first, last + timedelta(days=1)),)),))


def _as_integers(values: pa.ChunkedArray | pa.Array) -> Positions:
    """Dates and instants in their own unit, null as the smallest integer, which no window holds."""
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    width = pa.int32() if pa.types.is_date32(array.type) else pa.int64()
    smallest = np.iinfo(width.to_pandas_dtype()).min
    return np.asarray(pc.fill_null(array.cast(width), smallest)).astype(np.int64)
