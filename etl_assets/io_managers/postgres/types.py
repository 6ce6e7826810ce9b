"""Arrow types in PostgreSQL: the column type that holds each exactly, or a refusal by name.

Three views of a type: as the contract says it, as it is sent (`sent_as`), as the catalogue prints it (`sql_type`).
"""

from __future__ import annotations

import re

import pyarrow as pa

from etl_assets.io_managers.errors import TypeRefused

STORED: dict[str, str] = {
    "string": "text",
    "large_string": "text",
    "string_view": "text",
    "binary": "bytea",
    "large_binary": "bytea",
    "binary_view": "bytea",
    "bool": "boolean",
    "int8": "smallint",
    "int16": "smallint",
    "int32": "integer",
    "int64": "bigint",
    "uint8": "smallint",
    "uint16": "integer",
    "uint32": "bigint",
    "uint64": "numeric(20,0)",
    "halffloat": "real",
    "float": "real",
    "double": "double precision",
    "date32[day]": "date",
    "date64[ms]": "date",
    "time32[s]": "time without time zone",
    "time32[ms]": "time without time zone",
    "time64[us]": "time without time zone",
    "extension<arrow.json>": "json",
    "extension<arrow.uuid>": "uuid",
}
READ: dict[str, pa.DataType] = {
    "text": pa.string(),
    "character varying": pa.string(),
    "bytea": pa.binary(),
    "boolean": pa.bool_(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "real": pa.float32(),
    "double precision": pa.float64(),
    "date": pa.date32(),
    "time without time zone": pa.time64("us"),
    "timestamp without time zone": pa.timestamp("us"),
    "timestamp with time zone": pa.timestamp("us", "UTC"),
    "json": pa.json_(),
    "uuid": pa.uuid(),
}
MAX_DIGITS = 38


def sql_type(kind: pa.DataType) -> str:
    """The type as PostgreSQL itself prints it, so that a table in the catalogue can be compared with the contract.

    Raises: TypeRefused for a type that would lose something, such as nanoseconds, durations or nested values.
    """
    if stored := STORED.get(str(kind)):
        return stored
    if pa.types.is_fixed_size_binary(kind):
        return "bytea"
    if pa.types.is_decimal(kind) and kind.precision <= MAX_DIGITS:
        return f"numeric({kind.precision},{kind.scale})"
    if pa.types.is_timestamp(kind) and kind.unit != "ns":
        return "timestamp with time zone" if kind.tz else "timestamp without time zone"
    raise TypeRefused(f"PostgreSQL has no type that holds Arrow's {kind} exactly; cast it before writing")


def arrow_of(stored: str) -> pa.DataType:
    """The Arrow type in which a column that the catalogue prints as `stored` is read.

    Raises: TypeRefused where no Arrow type holds it exactly, such as interval, jsonb or numeric without precision.
    """
    if kind := READ.get(stored):
        return kind
    if found := re.fullmatch(r"numeric\((\d+),(-?\d+)\)", stored):
        return pa.decimal128(int(found[1]), int(found[2]))
    raise TypeRefused(f"no Arrow type holds PostgreSQL's {stored} exactly; give the asset a contract without it")


def sent_as(kind: pa.DataType) -> pa.DataType:
    """The type that the encoder takes for it."""
    if isinstance(kind, pa.BaseExtensionType):
        return kind.storage_type
    if pa.types.is_date64(kind):
        return pa.date32()
    if pa.types.is_decimal256(kind):
        return pa.decimal128(kind.precision, kind.scale)
    return pa.binary() if kind == pa.binary_view() else kind


def as_sent(rows: pa.Table) -> pa.Table:
    """Rows of a contract as the encoder takes them. Raises: TypeRefused with the column, never with its value."""
    return pa.table({field.name: _sendable(rows[field.name], field) for field in rows.schema})


def _sendable(values: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    try:
        return values.cast(sent_as(field.type))
    except pa.ArrowInvalid:
        raise TypeRefused(f"column {field.name} has a value that PostgreSQL cannot hold") from None


def as_read(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows that came from PostgreSQL in the contract's own types."""
    return pa.table([_typed(rows[field.name], field.type) for field in schema], schema=schema)


def _typed(found: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if found.type == kind:
        return found
    storage = found.type.storage_type if isinstance(found.type, pa.BaseExtensionType) else found.type
    values = found.cast(storage)
    if kind == pa.uint64():
        values = values.cast(pa.decimal128(20, 0))
    if pa.types.is_decimal(kind) and kind.scale < 0:
        # From text Arrow takes no more digits than the type has, and from whole numbers it makes no decimal32.
        whole = pa.decimal256(kind.precision - kind.scale, 0)
        values = values.cast(whole).cast(pa.decimal256(kind.precision, kind.scale))
    return values.cast(kind)
