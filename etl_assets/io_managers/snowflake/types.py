"""Arrow types in Snowflake: the column type that holds each exactly, or a refusal by name.

Three views of a type: as the contract says it, as it travels in Parquet (`sent_as`), as the catalogue prints it
(`sql_type`). Instants are TIMESTAMP_TZ in UTC and not TIMESTAMP_LTZ: those show every session another clock, and a
reader whose session is not in UTC would see a row move to another day. JSON is text, since VARIANT would forget the
order of its members, their repetitions and how a number was written; a UUID is its 16 bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from etl_assets.io_managers.errors import TypeRefused

TEXT, BYTES, CLOCK = "VARCHAR", "BINARY", "TIME(6)"
LOCAL, INSTANT = "TIMESTAMP_NTZ(6)", "TIMESTAMP_TZ(6)"
STORED: dict[str, str] = {
    "string": TEXT,
    "large_string": TEXT,
    "string_view": TEXT,
    "binary": BYTES,
    "large_binary": BYTES,
    "binary_view": BYTES,
    "bool": "BOOLEAN",
    "int8": "NUMBER(3,0)",
    "int16": "NUMBER(5,0)",
    "int32": "NUMBER(10,0)",
    "int64": "NUMBER(19,0)",
    "uint8": "NUMBER(3,0)",
    "uint16": "NUMBER(5,0)",
    "uint32": "NUMBER(10,0)",
    "uint64": "NUMBER(20,0)",
    "halffloat": "FLOAT",
    "float": "FLOAT",
    "double": "FLOAT",
    "date32[day]": "DATE",
    "date64[ms]": "DATE",
    "time32[s]": CLOCK,
    "time32[ms]": CLOCK,
    "time64[us]": CLOCK,
    "extension<arrow.json>": TEXT,
    "extension<arrow.uuid>": BYTES,
}
READ: dict[str, pa.DataType] = {
    TEXT: pa.string(),
    BYTES: pa.binary(),
    "BOOLEAN": pa.bool_(),
    "NUMBER(3,0)": pa.int16(),
    "NUMBER(5,0)": pa.int32(),
    "NUMBER(10,0)": pa.int64(),
    "NUMBER(19,0)": pa.int64(),
    "FLOAT": pa.float64(),
    "DATE": pa.date32(),
    CLOCK: pa.time64("us"),
    LOCAL: pa.timestamp("us"),
    INSTANT: pa.timestamp("us", "UTC"),
}
MAX_DIGITS, MAX_SCALE = 38, 37
MICROSECONDS = 6


def sql_type(kind: pa.DataType) -> str:
    """The type as the catalogue prints it, so that a table there can be compared with the contract.

    Raises: TypeRefused for a type that would lose something, such as nanoseconds, durations or nested values.
    """
    if stored := STORED.get(str(kind)):
        return stored
    if pa.types.is_fixed_size_binary(kind):
        return BYTES
    if pa.types.is_decimal(kind):
        digits, scale = _digits(kind)
        if digits <= MAX_DIGITS and scale <= MAX_SCALE:
            return f"NUMBER({digits},{scale})"
    if pa.types.is_timestamp(kind) and kind.unit != "ns":
        return INSTANT if kind.tz else LOCAL
    raise TypeRefused(f"Snowflake has no type that holds Arrow's {kind} exactly; cast it before writing")


def _digits(kind: pa.DataType) -> tuple[int, int]:
    """Digits and scale of the NUMBER that holds every value: Snowflake's scale is between 0 and the digits."""
    scale = max(kind.scale, 0)
    return max(kind.precision - min(kind.scale, 0), scale), scale


def printed(column: Mapping[str, Any]) -> str:
    """A row of INFORMATION_SCHEMA.COLUMNS as the type that `sql_type` prints."""
    kind = str(column["DATA_TYPE"])
    if kind == "NUMBER":
        return f"NUMBER({column['NUMERIC_PRECISION']},{column['NUMERIC_SCALE']})"
    if kind.startswith("TIME"):
        precision = column.get("DATETIME_PRECISION")
        return f"{kind}({MICROSECONDS if precision is None else precision})"
    return TEXT if kind == "TEXT" else kind


def arrow_of(stored: str) -> pa.DataType:
    """The Arrow type in which a column that the catalogue prints as `stored` is read.

    Raises: TypeRefused where no Arrow type holds it exactly, such as VARIANT or instants of nanoseconds.
    """
    if kind := READ.get(stored):
        return kind
    if found := re.fullmatch(r"NUMBER\((\d+),(\d+)\)", stored):
        return pa.decimal128(int(found[1]), int(found[2]))
    raise TypeRefused(f"no Arrow type holds Snowflake's {stored} exactly; give the asset a contract without it")
