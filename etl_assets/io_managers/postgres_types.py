"""Arrow types in PostgreSQL: the column type that holds each exactly, or a refusal by name."""

from __future__ import annotations

import pyarrow as pa

from etl_assets.io_managers.errors import TypeRefused

EXACT: dict[pa.DataType, str] = {
    pa.string(): "text",
    pa.large_string(): "text",
    pa.binary(): "bytea",
    pa.bool_(): "boolean",
    pa.int16(): "smallint",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.float32(): "real",
    pa.float64(): "double precision",
    pa.date32(): "date",
}


def sql_type(kind: pa.DataType) -> str:
    """The type as PostgreSQL itself prints it, so that a table in the catalogue can be compared with the contract.

    Raises: TypeRefused for a type that would lose something, such as nanoseconds.
    """
    if kind in EXACT:
        return EXACT[kind]
    if pa.types.is_decimal(kind):
        return f"numeric({kind.precision},{kind.scale})"
    if pa.types.is_timestamp(kind) and kind.unit == "us":
        return "timestamp with time zone" if kind.tz else "timestamp without time zone"
    raise TypeRefused(f"PostgreSQL has no type that holds Arrow's {kind} exactly; cast it before writing")
