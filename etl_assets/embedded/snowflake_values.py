"""Values that fakesnow would change on their way in or out, as Snowflake has them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from fakesnow import arrow, transforms
from fakesnow.converter import from_binding
from sqlglot import exp

WIDEST = ["38", "0"]
INTEGERS = (pa.int8(), pa.int16(), pa.int32(), pa.int64())
_struct, _integers, _sent = arrow.timestamp_to_sf_struct, transforms.integer_precision, arrow.to_sf


def with_null_timestamps(column: Any) -> pa.Array:
    """A NULL timestamp is NULL; fakesnow sends the epoch."""
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    filled = _struct(pc.fill_null(column, pa.scalar(0, pa.int64()).cast(column.type)))
    fields = [filled.type.field(i) for i in range(filled.type.num_fields)]
    return pa.StructArray.from_arrays(filled.flatten(), fields=fields, mask=pc.is_null(column))


def with_scaled_integers(rows: pa.Table, columns: Any) -> pa.Table:
    """Numbers travel as the narrowest integers that hold them, their decimal places in the schema, as an account's do.

    fakesnow sends decimals, with which a client that makes doubles of such integers would pass every test.
    """
    for at, name in enumerate(rows.column_names):
        if pa.types.is_decimal128(rows.field(at).type):
            rows = rows.set_column(at, name, _scaled(rows.column(at)))
    return _sent(rows, columns)


def _scaled(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The digits as integers; the decimals themselves where one needs more than 64 bits."""
    array = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    words = np.frombuffer(array.buffers()[1] or b"", "<i8")[2 * array.offset : 2 * (array.offset + len(array))]
    low, high, is_null = words[::2], words[1::2], array.is_null().to_numpy(zero_copy_only=False)
    if (high != low >> 63)[~is_null].any():
        return column
    integers = pa.array(low, mask=is_null)
    bounds = pc.min_max(integers).values()
    narrowest = next(kind for kind in INTEGERS if all(_fits(bound, kind) for bound in bounds))
    return pa.chunked_array([integers.cast(narrowest)])


def _fits(value: pa.Scalar, kind: pa.DataType) -> bool:
    return value.as_py() is None or abs(2 * value.as_py() + 1) < 2**kind.bit_width


def binding(value: dict[str, Any]) -> Any:
    """A bound decimal keeps its fraction, and a typed NULL is one; fakesnow answers both with a failure."""
    if value["value"] is None:
        return None
    if value["type"] == "FIXED":
        number = Decimal(value["value"])
        return int(number) if number == number.to_integral_value() else number
    return from_binding(value)


def integer_precision(expression: Any) -> Any:
    """NUMBER(38,0) has 38 digits; fakesnow makes it 64 bits wide."""
    if isinstance(expression, exp.DataType) and [part.name for part in expression.expressions] == WIDEST:
        return expression
    return _integers(expression)
