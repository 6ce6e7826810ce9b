"""Aggregates per partition of a slice, whatever its partitions are: by one query, or by one for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import product

from etl_assets.contracts import Column
from etl_assets.io_managers.slices import Dimension, Slice
from etl_assets.reconciliation.canonical import Kind, kind_of, text_of
from etl_assets.reconciliation.sides import Row, Side

A_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Aggregates:
    """What is asked of each group of rows: of the table's columns, or of `inner` ones that are computed first."""

    asked: Sequence[str]
    also_by: str = ""
    """Divides partitions further."""
    inner: Sequence[str] = ()


def grouped(side: Side, slice_: Slice, aggregates: Aggregates) -> list[tuple[str, Row]]:
    """Partition keys with the aggregates of their rows; none for a partition without rows.

    One query where a row's values name its partition. Partitions that are windows of several values, such as hours of
    an instant, take a query each.
    """
    keys = _keys_by_texts(side, slice_)
    if keys is None:
        parts = parts_of(slice_)
        return [(key, row) for key, part in parts.items() for row in _rows(side, part, (), aggregates)]
    width = len(slice_.columns)
    found = _rows(side, slice_, slice_.columns, aggregates)
    return [(keys[row[:width]], row[width:]) for row in found if row[:width] in keys]


def parts_of(slice_: Slice) -> dict[str, Slice]:
    """Each partition key with the slice of it alone."""
    alone = (
        Slice(tuple(Dimension(column, (part,)) for column, part in zip(slice_.columns, parts, strict=True)))
        for parts in product(*(dimension.parts for dimension in slice_.dimensions))
    )
    return dict(zip(slice_.keys, alone, strict=True))


def _rows(side: Side, slice_: Slice, by: Sequence[str], aggregates: Aggregates) -> list[Row]:
    """One row for each group; without anything to group by, none for no rows, as if there were."""
    texts = [side.dialect.value(side.column(name)) for name in by]
    columns = [side.dialect.identifier(name) for name in by]
    groups = [*columns, aggregates.also_by] if aggregates.also_by else columns
    rest = f" GROUP BY {', '.join(groups)}" if groups else " HAVING count(*) > 0"
    inner = [*columns, *aggregates.inner] if aggregates.inner else ()
    return side.rows([*texts, *aggregates.asked], slice_, rest, inner)


def _keys_by_texts(side: Side, slice_: Slice) -> dict[Row, str] | None:
    """The partition key of each combination of values that a partition consists of; None where it has several."""
    texts = [_texts(side.column(dimension.column), dimension) for dimension in slice_.dimensions]
    if any(text is None for dimension in texts for text in dimension):
        return None
    return dict(zip(product(*texts), slice_.keys, strict=True))


def _texts(column: Column, dimension: Dimension) -> list[str | None]:
    kind = kind_of(column.type)
    is_day = kind is Kind.DAY
    return [
        text_of(kind, part.start) if part.end is None or (is_day and part.end - part.start == A_DAY) else None
        for part in dimension.parts
    ]
