"""Values that fakesnow would change on their way in or out, as Snowflake has them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from fakesnow import arrow, transforms
from fakesnow.converter import from_binding
from sqlglot import exp

WIDEST = ["38", "0"]
_struct, _integers = arrow.timestamp_to_sf_struct, transforms.integer_precision


def with_null_timestamps(column: Any) -> pa.Array:
    """A NULL timestamp is NULL; fakesnow sends the epoch."""
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    filled = _struct(pc.fill_null(column, pa.scalar(0, pa.int64()).cast(column.type)))
    fields = [filled.type.field(i) for i in range(filled.type.num_fields)]
    return pa.StructArray.from_arrays(filled.flatten(), fields=fields, mask=pc.is_null(column))


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
