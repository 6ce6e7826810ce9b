"""Which rows of a table a run owns: partitions as bounds on one column.

Knows Dagster's partitions and Arrow columns; no SQL and no driver. How a slice is replaced belongs to the
warehouse modules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.io_managers.errors import Permanent, RowsOutsideSlice

Bound = date | datetime | str


@dataclass(frozen=True)
class Part:
    """One partition: the rows with start <= value < end, or, where `end` is None, value = start."""

    key: str
    start: Bound
    end: Bound | None


@dataclass(frozen=True)
class Slice:
    """The partitions that a run reads or writes, in order. No column: the whole table is one slice."""

    column: str | None
    parts: tuple[Part, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(part.key for part in self.parts) if self.column else (WHOLE_TABLE,)

    def ranges(self) -> list[tuple[Bound, Bound]]:
        """Adjacent time windows merged into few bounds: a range of 700 days is one predicate, not 700."""
        merged: list[tuple[Bound, Bound]] = []
        for part in self.parts:
            end = part.start if part.end is None else part.end
            if merged and part.end is not None and merged[-1][1] == part.start:
                merged[-1] = (merged[-1][0], end)
            else:
                merged.append((part.start, end))
        return merged

    def counts(self, rows: pa.Table) -> dict[str, int]:
        """Rows per partition key.

        Raises: RowsOutsideSlice with their number; their values are personal and stay out of the message.
        """
        if self.column is None:
            return {WHOLE_TABLE: rows.num_rows}
        counts = dict.fromkeys(self.keys, 0) | self._counts_inside(rows[self.column])
        if outside := rows.num_rows - sum(counts.values()):
            raise RowsOutsideSlice(
                f"{outside} of {rows.num_rows} rows have a {self.column} outside the partitions {self.span()}"
            )
        return counts

    def span(self) -> str:
        """The partitions in words: first to last key."""
        return " to ".join(dict.fromkeys((self.keys[0], self.keys[-1]))) if self.keys else "(none)"

    def _counts_inside(self, values: pa.ChunkedArray) -> dict[str, int]:
        if not self.parts:
            return {}
        if self.parts[0].end is None:
            found = {str(item["values"]): item["counts"] for item in pc.value_counts(values).to_pylist()}
            return {key: found.get(key, 0) for key in self.keys}
        starts = _as_integers([part.start for part in self.parts], values.type)
        ends = _as_integers([part.end for part in self.parts], values.type)
        ordinals = _as_integers(values.drop_null(), values.type)
        at = np.searchsorted(starts, ordinals, side="right") - 1
        inside = (at >= 0) & (ordinals < ends[at])
        counts = np.bincount(at[inside], minlength=len(self.parts))
        return {part.key: int(count) for part, count in zip(self.parts, counts, strict=True)}


WHOLE_TABLE = ""


@dataclass(frozen=True)
class Partial:
    """Rows of a range of which some partitions are refused, with the reason; those keep the rows that they have."""

    rows: object
    refused: Mapping[str, str] = field(default_factory=dict)


def slice_of(context: dg.OutputContext | dg.InputContext, column: str | None, kind: pa.DataType | None) -> Slice:
    """The slice that Dagster's context asks for, with bounds of the column's type.

    A date column gets dates in the partitions' own time zone: converted to UTC first, midnight in Berlin
    would be the day before.
    """
    if not context.has_asset_partitions:
        return Slice(None, ())
    if column is None:
        raise Permanent(f"asset {context.asset_key.to_user_string()} is partitioned, its table has no partition column")
    definition = context.asset_partitions_def
    return Slice(column, tuple(_parts(definition, context.asset_partition_keys, kind)))


def _parts(definition: dg.PartitionsDefinition, keys: Iterable[str], kind: pa.DataType | None) -> Iterable[Part]:
    if not isinstance(definition, dg.TimeWindowPartitionsDefinition):
        yield from (Part(key, key, None) for key in keys)
        return
    windows = sorted((definition.time_window_for_partition_key(key), key) for key in keys)
    for window, key in windows:
        is_date = kind is not None and pa.types.is_date(kind)
        yield Part(key, *((window.start.date(), window.end.date()) if is_date else (window.start, window.end)))


def daily_slice(column: str, days: Iterable[date]) -> Slice:
    """The slice of these days, for code that reads beside Dagster's inputs."""
    return Slice(column, tuple(Part(d.isoformat(), d, d + timedelta(days=1)) for d in sorted(days)))


def _as_integers(values: object, kind: pa.DataType) -> np.ndarray:
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else pa.array(values, type=kind)
    width = pa.int32() if pa.types.is_date32(kind) else pa.int64()
    return np.asarray(array.cast(width))


def narrow(context: dg.OutputContext, refused: Iterable[str]) -> None:
    """Dagster records as materialised only the partitions that are not refused.

    Dagster 1.13 records every partition of a range once an output is handled. The partitions that it records
    are read from this private attribute after the write; a test pins that it still works.
    """
    subset = context._asset_partitions_subset  # noqa: SLF001
    if subset is not None:
        kept = set(subset.get_partition_keys()) - set(refused)
        context._asset_partitions_subset = context.asset_partitions_def.subset_with_partition_keys(kept)  # noqa: SLF001
