"""Text of a source -> values in canonical form: plain text, amounts, currencies' digits, labels.

Column by column, nothing of rows or reasons; moments in time have rooms of their own (`timestamps.py`, `zones.py`).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.institution_spec import Amount
from etl_assets.transforms.currencies import MINOR_DIGITS

Mask = npt.NDArray[np.bool_]
MONEY = pa.decimal128(24, 4)
MONEY_DIGITS, MONEY_WHOLE_DIGITS, THOUSANDS_GROUP = 4, 20, 3
UNKNOWN_CURRENCY = -1


class Amounts(NamedTuple):
    """`values` are null wherever one of the masks is true."""

    values: pa.Array
    is_not_a_number: Mask
    is_too_large: Mask
    has_too_many_digits: Mask


def flat(column: pa.ChunkedArray) -> pa.Array:
    """The column as one array."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def mask(condition: pa.Array) -> Mask:
    """The condition with null as false."""
    found: Mask = pc.fill_null(condition, False).to_numpy(zero_copy_only=False)  # noqa: FBT003  Arrow's own signature
    return found


def where(condition: Mask, values: pa.Array) -> pa.Array:
    """`values` where the condition holds, null elsewhere."""
    return values if condition.all() else pc.if_else(pa.array(condition), values, pa.scalar(None, values.type))


def tidy(text: pa.Array) -> pa.Array:
    """Text without ASCII spaces at its ends; null where nothing is left.

    Only spaces, because fixed-width exports pad with them; a tab or a no-break space is a defect to be seen.
    """
    trimmed = pc.ascii_trim(text, characters=" ")
    return where(~mask(pc.equal(trimmed, "")), trimmed)


def minor_digits(currency: pa.Array) -> npt.NDArray[np.int64]:
    """Digits after the decimal mark of each row's currency; UNKNOWN_CURRENCY where ISO 4217 has no such code."""
    codes = currency.dictionary_encode()
    digits = pa.array([MINOR_DIGITS.get(code, UNKNOWN_CURRENCY) for code in codes.dictionary.to_pylist()], pa.int64())
    found: npt.NDArray[np.int64] = pc.fill_null(digits.take(codes.indices), UNKNOWN_CURRENCY).to_numpy()
    return found


def amounts(text: pa.Array, dialect: Amount, digits: npt.NDArray[np.int64]) -> Amounts:
    """Money, exactly: no float is involved, and a text that could mean two amounts means none.

    Zeros that pad an amount beyond its currency's `digits` are accepted (SQL exports write 12.5000), but never three
    digits in all: 12.000 is as likely to be twelve thousand, written with a thousands mark nobody declared.
    """
    is_number = mask(pc.match_substring_regex(text, _number_pattern(dialect)))
    plain = _plain(where(is_number, text), dialect)
    is_too_large = is_number & ~mask(
        pc.match_substring_regex(plain, rf"\A[+-]?0*[0-9]{{0,{MONEY_WHOLE_DIGITS}}}(\.|\z)")
    )
    has_too_many = _has_too_many_digits(plain, np.where(digits < 0, MONEY_DIGITS, digits))
    values = where(is_number & ~is_too_large & ~has_too_many, plain).cast(MONEY)
    signed = pc.negate(values) if dialect.sign == "positive_leaves" else values
    return Amounts(signed, mask(pc.is_valid(text)) & ~is_number, is_too_large, has_too_many)


def _number_pattern(dialect: Amount) -> str:
    decimal, thousands = re.escape(dialect.decimal_mark), re.escape(dialect.thousands_mark)
    grouped = rf"[0-9]{{1,3}}(?:{thousands}[0-9]{{3}})+|" if thousands else ""
    return rf"\A[+-]?(?:(?:{grouped}[0-9]+)(?:{decimal}[0-9]+)?|{decimal}[0-9]+)\z"


def _plain(text: pa.Array, dialect: Amount) -> pa.Array:
    if dialect.thousands_mark:
        text = pc.replace_substring(text, dialect.thousands_mark, "")
    return text if dialect.decimal_mark == "." else pc.replace_substring(text, dialect.decimal_mark, ".")


def _has_too_many_digits(plain: pa.Array, digits: npt.NDArray[np.int64]) -> Mask:
    delivered = _fraction_digits(plain)
    too_many: Mask = delivered > digits
    if not too_many.any():
        return too_many
    significant = _fraction_digits(pc.ascii_rtrim(where(too_many, plain), characters="0"))
    is_padding: Mask = (significant <= digits) & (delivered != THOUSANDS_GROUP)
    return too_many & ~is_padding


def _fraction_digits(plain: pa.Array) -> npt.NDArray[np.int64]:
    mark = pc.fill_null(pc.find_substring(plain, "."), -1).to_numpy()
    length = pc.fill_null(pc.binary_length(plain), 0).to_numpy()
    return np.where(mark < 0, 0, length - mark - 1).astype(np.int64)


def labels(text: pa.Array, fraud_values: Collection[str]) -> pa.Array:
    """True for a confirmed fraud, false for any other label, null where none was delivered."""
    is_fraud = pc.is_in(text, value_set=pa.array(list(fraud_values), pa.string()))
    return where(mask(pc.is_valid(text)), is_fraud)
