"""What a value and a row are to a comparison: one text for one value, whichever database says it.

Each kind of value has an expression per dialect (in `dialects.py`); here is what they have in common: which Arrow type
is of which kind, how the texts of a row are joined so that no value can run into the next, and how a key is shown.

NULL is `~`, which no value's text begins with. Text says its length first; every other text ends with a comma that it
does not contain. So two rows have the same text only if each of their values has.

Not seen: two doubles below 2^-53 (1e-16) that differ by less than 2^-106 (1e-32); two finite doubles of the same sign
from 2^115 (4e34) on; 0.0 and -0.0, which are equal. Every other double is compared bit by bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

import pyarrow as pa

from etl_assets.io_managers.errors import TypeRefused

NULL = "~"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Kind(StrEnum):
    """What is compared alike: the types of a kind have one text for one value."""

    WHOLE = "whole number"
    DECIMAL = "decimal"
    FLOAT = "double"
    BOOL = "truth"
    DAY = "date"
    CLOCK = "time of day"
    INSTANT = "timestamp"
    TEXT = "text"
    JSON = "JSON"
    BYTES = "bytes"
    UUID = "UUID"


ORDERED = frozenset({Kind.WHOLE, Kind.DECIMAL, Kind.FLOAT, Kind.DAY, Kind.INSTANT})
SUMMED = frozenset({Kind.WHOLE, Kind.DECIMAL})
TESTS = {
    Kind.WHOLE: pa.types.is_integer,
    Kind.DECIMAL: pa.types.is_decimal,
    Kind.FLOAT: pa.types.is_floating,
    Kind.BOOL: pa.types.is_boolean,
    Kind.DAY: pa.types.is_date,
    Kind.CLOCK: pa.types.is_time,
    Kind.INSTANT: pa.types.is_timestamp,
}
NAMED = {
    "string": Kind.TEXT,
    "large_string": Kind.TEXT,
    "string_view": Kind.TEXT,
    "binary": Kind.BYTES,
    "large_binary": Kind.BYTES,
    "binary_view": Kind.BYTES,
    "extension<arrow.json>": Kind.JSON,
    "extension<arrow.uuid>": Kind.UUID,
}


def kind_of(type_: pa.DataType) -> Kind:
    """The kind of an Arrow type. Raises: TypeRefused for one that no warehouse stores."""
    if named := NAMED.get(str(type_)):
        return named
    if pa.types.is_fixed_size_binary(type_):
        return Kind.BYTES
    for kind, is_it in TESTS.items():
        if is_it(type_):
            return kind
    raise TypeRefused(f"nothing says when two values of Arrow's {type_} are the same; leave the column out")


def joined(texts: Sequence[str]) -> str:
    """SQL of all texts one after the other, in pairs of pairs: one by one each row would be copied forty times."""
    if len(texts) == 1:
        return texts[0]
    middle = len(texts) // 2
    return f"({joined(texts[:middle])} || {joined(texts[middle:])})"


def text_of(kind: Kind, value: Any) -> str | None:
    """The text that both databases give this value, for kinds that a partition has; None for the others."""
    if kind is Kind.DAY and isinstance(value, date):
        return f"{(value - EPOCH.date()).days},"
    if kind is Kind.WHOLE:
        return f"{int(value)},"
    if kind is Kind.TEXT:
        return f"{8 * len(str(value).encode())}:{value}"
    return None


def shown(kind: Kind, text: str) -> str | None:
    """A value of a key for people, from its text."""
    if text == NULL:
        return None
    if kind in {Kind.TEXT, Kind.JSON}:
        return text.partition(":")[2]
    value = text.removesuffix(",")
    if kind is Kind.DAY:
        return str(EPOCH.date() + timedelta(days=int(value)))
    if kind is Kind.INSTANT:
        return (EPOCH + timedelta(microseconds=int(value))).isoformat()
    return value
