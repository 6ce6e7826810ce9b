"""Text of a source -> values in canonical form: plain text, words, ids, amounts, currencies' digits, labels.

Column by column, nothing of rows or reasons; moments in time have rooms of their own (`timestamps.py`, `zones.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.spec.columns import Money
from etl_assets.spec.learning import Labels
from etl_assets.transforms.currencies import MINOR_DIGITS
from etl_assets.transforms.written_numbers import plain_numbers

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


def in_our_words(text: pa.Array, mapping: Mapping[str, str]) -> pa.Array:
    """The text with each word of the institution replaced by ours; a word that is not mapped stays."""
    if not mapping:
        return text
    known = pc.index_in(text, value_set=pa.array(list(mapping), pa.string()))
    return pc.coalesce(pa.array(list(mapping.values()), pa.string()).take(known), text)


def is_rounded_by_a_spreadsheet(text: pa.Array) -> Mask:
    """Where a long number has become 3.53E+18, whose other digits nobody can have back.

    One digit, a mark, an exponent with a sign and two digits: an id like 5E3 is left alone.
    """
    has_exponent = mask(pc.match_substring(text, "+"))
    if not has_exponent.any():
        return has_exponent
    return mask(pc.match_substring_regex(text, r"\A[+-]?[0-9](?:[.,][0-9]+)?[eE]\+[0-9]{2,3}\z"))


def amounts(text: pa.Array, dialect: Money, digits: npt.NDArray[np.int64]) -> Amounts:
    """Money, exactly: no float is involved, and a text that could mean two amounts means none.

    Zeros that pad an amount beyond its currency's `digits` are accepted (SQL exports write 12.5000), but never three
    digits in all: 12.000 is as likely to be twelve thousand, written with a thousands mark nobody declared.
    """
    plain = plain_numbers(text, dialect)
    is_number = mask(pc.is_valid(plain))
    is_too_large = is_number & ~mask(
        pc.match_substring_regex(plain, rf"\A[+-]?0*[0-9]{{0,{MONEY_WHOLE_DIGITS}}}(\.|\z)")
    )
    has_too_many = _has_too_many_digits(plain, np.where(digits < 0, MONEY_DIGITS, digits))
    values = where(is_number & ~is_too_large & ~has_too_many, plain).cast(MONEY)
    signed = pc.negate(values) if dialect.sign == "positive_leaves" else values
    return Amounts(signed, mask(pc.is_valid(text)) & ~is_number, is_too_large, has_too_many)


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


def labels(text: pa.Array, known: Labels) -> tuple[pa.Array, Mask]:
    """True for a confirmed fraud, false for a genuine row, null where neither is known; and where a label is neither.

    Without a list of genuine labels, every label that is not fraud and not undecided counts as genuine.
    """
    is_fraud, is_genuine, is_undecided = (
        mask(pc.is_in(text, value_set=pa.array(list(values), pa.string())))
        for values in (known.fraud_values, known.genuine_values, known.undecided_values)
    )
    is_other = mask(pc.is_valid(text)) & ~is_fraud & ~is_undecided & ~is_genuine
    is_unknown = is_other if known.genuine_values else np.zeros(len(text), np.bool_)
    is_known = is_fraud | is_genuine | (is_other & ~is_unknown)
    return where(is_known, pa.array(is_fraud)), is_unknown
