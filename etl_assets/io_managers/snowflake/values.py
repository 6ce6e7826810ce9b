"""Arrow values on their way to Snowflake and back: as Parquet that COPY reads without guessing, and in exact types."""

from __future__ import annotations

from datetime import date

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.io_managers.errors import Refused, TypeRefused
from etl_assets.io_managers.snowflake.types import sql_type

FIRST_DAY, LAST_DAY = date.min, date.max
WIDENED: dict[str, pa.DataType] = {
    "int8": pa.int32(),
    "int16": pa.int32(),
    "uint8": pa.int32(),
    "uint16": pa.int32(),
    "uint32": pa.int64(),
    "uint64": pa.decimal128(20, 0),
    "halffloat": pa.float64(),
    "float": pa.float64(),
    "string_view": pa.string(),
    "binary_view": pa.binary(),
    "date64[ms]": pa.date32(),
    "time32[s]": pa.time64("us"),
    "time32[ms]": pa.time64("us"),
}
WHOLE = pa.decimal256(76, 0)


def sent_as(kind: pa.DataType) -> pa.DataType:
    """The type in Parquet: one of the few whose logical type says everything."""
    if isinstance(kind, pa.BaseExtensionType):
        return sent_as(kind.storage_type)
    if pa.types.is_fixed_size_binary(kind):
        return pa.binary()
    if pa.types.is_decimal(kind):
        digits, scale = sql_type(kind).removeprefix("NUMBER(").rstrip(")").split(",")
        return pa.decimal128(int(digits), int(scale))
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", "UTC" if kind.tz else None)
    return WIDENED.get(str(kind), kind)


def as_sent(rows: pa.Table) -> pa.Table:
    """Rows of a contract as they travel, in columns c0, c1, ...: no name of a contract meets the rules of paths.

    Raises: TypeRefused or Refused with the column, never with its value.
    """
    return pa.table({f"c{n}": _sendable(rows[n], field) for n, field in enumerate(rows.schema)})


def _sendable(values: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    if field.type == pa.json_():
        _refuse_what_is_no_json(values, field.name)
    try:
        if isinstance(field.type, pa.BaseExtensionType):
            values = values.cast(field.type.storage_type)
        sent = values.cast(sent_as(field.type))
        if pa.types.is_date(sent.type) or pa.types.is_timestamp(sent.type):
            _refuse_other_calendars(sent)
    except pa.ArrowInvalid:
        raise TypeRefused(f"column {field.name} has a value that Snowflake cannot hold") from None
    return sent


def _refuse_other_calendars(moments: pa.ChunkedArray) -> None:
    """Snowflake's years are 1 to 9999; what lies outside is stored as something else."""
    days = pa.array([FIRST_DAY, LAST_DAY], pa.date32())
    first, last = days.cast(pa.timestamp("s")).cast(pa.int64()).to_pylist()
    found = pc.min_max(moments.cast(pa.int32() if pa.types.is_date(moments.type) else pa.int64())).as_py()
    unit = 1_000_000 if pa.types.is_timestamp(moments.type) else 1 / 86_400
    if found["min"] is not None and not (first * unit <= found["min"] and found["max"] < (last + 86_400) * unit):
        raise pa.ArrowInvalid("a moment outside the years 1 to 9999")


def _refuse_what_is_no_json(values: pa.ChunkedArray, name: str) -> None:
    texts = pa.table({"text": values.cast(pa.string())})  # noqa: F841  DuckDB finds it by its name
    with duckdb.connect() as engine:
        (wrong,) = engine.execute("SELECT count(*) FROM texts WHERE NOT json_valid(text)").fetchone() or (0,)
    if wrong:
        raise Refused(f"column {name}: {wrong} values are no JSON")


def as_read(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows that came from Snowflake, column by column, in the contract's own types.

    Raises: TypeRefused with the column for a value that the contract's type does not hold.
    """
    columns = [_typed(rows[n], field) for n, field in enumerate(schema)]
    return pa.table(columns, schema=schema.with_metadata(None))


def _typed(found: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    kind = field.type
    try:
        if pa.types.is_decimal(kind) and (pa.types.is_integer(found.type) or kind.scale < 0):
            found = _rescaled(found, kind)
        if isinstance(kind, pa.BaseExtensionType):
            return found.cast(kind.storage_type).cast(kind)
        return found.cast(kind)
    except pa.ArrowInvalid:
        raise TypeRefused(f"column {field.name} has a value in Snowflake that {kind} does not hold") from None


def _rescaled(found: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """Whole numbers come as integers where they are small, and those Arrow does not cast to every decimal."""
    return found.cast(pa.decimal256(38, 0)).cast(WHOLE).cast(pa.decimal256(76, kind.scale))
