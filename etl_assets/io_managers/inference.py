"""The contract that rows need which bring none, for any database that says how it stores and reads a type."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from etl_assets.contracts import Column, Table
from etl_assets.io_managers.errors import TypeRefused

Readable = Callable[[pa.DataType], pa.DataType]


def inferred(
    name: str, schema: pa.Schema, key: tuple[str, ...], partition_column: str | None, read_back: Readable
) -> Table:
    """The table that rows of this schema need: every type as it will be read back, nullable but for the key.

    Dictionaries become their values, nanoseconds microseconds; a value that does not fit is refused when written.

    Raises: TypeRefused with the column.
    """
    columns = tuple(Column(field.name, _readable(field, read_back), "") for field in schema)
    return Table(name, f"Inferred from the first rows of {name}.", columns, key, partition_column)


def _readable(column: pa.Field, read_back: Readable) -> pa.DataType:
    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_timestamp(kind):
        kind = pa.timestamp("us", "UTC" if kind.tz else None)
    if pa.types.is_time64(kind):
        kind = pa.time64("us")
    try:
        return read_back(kind)
    except TypeRefused as refusal:
        raise TypeRefused(f"column {column.name}: {refusal.description}") from None
