"""Dagster's partitions as slices of a table, and back: what a run asks for, what it may record as done.

The only file here that knows how Dagster keeps partitions. No SQL, no driver.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from math import prod
from typing import Any

import dagster as dg
import pyarrow as pa

from etl_assets.io_managers.errors import Permanent
from etl_assets.io_managers.slices import WHOLE, Dimension, Part, Slice

Context = dg.OutputContext | dg.InputContext
PartitionExpr = str | Mapping[str, str] | None


def slice_of(context: Context, partition_expr: PartitionExpr, schema: pa.Schema) -> Slice:
    """The slice that Dagster's context asks for, with bounds of the columns' own types.

    `partition_expr` names the partition column, for MultiPartitions one per dimension. A date column gets dates in
    the partitions' own time zone: converted to UTC first, midnight in Berlin would be the day before.

    Raises: Permanent for a partitioned asset without partition column, or keys that are no rectangle.
    """
    if not context.has_asset_partitions:
        return WHOLE
    definition, keys = context.asset_partitions_def, context.asset_partition_keys
    if isinstance(definition, dg.MultiPartitionsDefinition):
        return _rectangle(definition, keys, partition_expr, schema)
    return Slice((_dimension(definition, keys, _single(partition_expr), schema),))


def _single(column: PartitionExpr) -> str:
    if isinstance(column, str):
        return column
    raise Permanent("it is partitioned; name its partition column in the metadata `partition_expr`")


def _rectangle(
    definition: dg.MultiPartitionsDefinition, keys: Sequence[str], columns: PartitionExpr, schema: pa.Schema
) -> Slice:
    names = [dimension.name for dimension in definition.partitions_defs]
    if not isinstance(columns, Mapping) or set(columns) != set(names):
        raise Permanent(f"it has the partition dimensions {names}; name a column for each in `partition_expr`")
    multi = [definition.get_partition_key_from_str(key).keys_by_dimension for key in keys]
    dimensions = tuple(
        _dimension(part.partitions_def, dict.fromkeys(key[part.name] for key in multi), columns[part.name], schema)
        for part in definition.partitions_defs
    )
    if prod(len(dimension.parts) for dimension in dimensions) != len(set(keys)):
        raise Permanent(f"the run's {len(keys)} partitions are no rectangle of {names}; launch them as rectangles")
    return Slice(dimensions)


def _dimension(
    definition: dg.PartitionsDefinition[str], keys: Iterable[str], column: str, schema: pa.Schema
) -> Dimension:
    if column not in schema.names:
        raise Permanent(f"the partition column {column} is not among the columns {schema.names}")
    kind = schema.field(column).type
    if isinstance(definition, dg.TimeWindowPartitionsDefinition) and pa.types.is_temporal(kind):
        return Dimension(column, tuple(_windows(definition, keys, kind)))
    return Dimension(column, tuple(Part(key, _value(key, column, kind)) for key in sorted(keys)))


def _value(key: str, column: str, kind: pa.DataType) -> Any:
    try:
        return pa.scalar(key).cast(kind).as_py()
    except pa.ArrowException:
        raise Permanent(f"partition {key} is no value of the partition column {column}, which is {kind}") from None


def _windows(definition: dg.TimeWindowPartitionsDefinition, keys: Iterable[str], kind: pa.DataType) -> Iterator[Part]:
    for window, key in _in_time(definition, keys):
        start, end = (_bound(moment, kind) for moment in (window.start, window.end))
        is_second = bool(window.start.fold) and start == window.start.replace(tzinfo=None)
        if start >= end or is_second:
            raise Permanent(
                f"partition {key} is ambiguous as {kind}; give the partition column instants with a time zone"
            )
        yield Part(key, start, end)


def _in_time(definition: dg.TimeWindowPartitionsDefinition, keys: Iterable[str]) -> list[tuple[dg.TimeWindow, str]]:
    """By instant: Python compares two clocks of one zone without regard to which of the doubled hours they show."""
    windows = [(definition.time_window_for_partition_key(key), key) for key in keys]
    return sorted(windows, key=lambda window: window[0].start.timestamp())


def _bound(moment: datetime, kind: pa.DataType) -> Any:
    """The moment as the column holds it: a date or wall clock in the partitions' own zone, or the instant."""
    if pa.types.is_date(kind):
        return moment.date()
    return moment.astimezone(UTC) if kind.tz else moment.replace(tzinfo=None)


def narrow(context: dg.OutputContext, refused: Iterable[str]) -> None:
    """Dagster records as materialised only the partitions that are not refused.

    Dagster 1.13 records every partition of a range once an output is handled. The partitions that it records
    are read from this private attribute after the write; a test pins that it still works.
    """
    subset = context._asset_partitions_subset  # noqa: SLF001
    if subset is not None:
        kept = set(subset.get_partition_keys()) - set(refused)
        context._asset_partitions_subset = context.asset_partitions_def.subset_with_partition_keys(kept)  # noqa: SLF001
