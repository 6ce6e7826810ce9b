"""The columns in which an institution says how much, in which currency and which way -> one amount per row.

How one text is read belongs to `values.py` and `written_numbers.py`; here the columns are put together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.spec.columns import Columns, Currency, DebitCredit, Money
from etl_assets.transforms.values import (
    MONEY_DIGITS,
    UNKNOWN_CURRENCY,
    Mask,
    amounts,
    flat,
    in_our_words,
    mask,
    minor_digits,
    tidy,
    where,
)


class Broken(NamedTuple):
    """A reason, the source column that is to blame, and the rows that it holds for."""

    reason: str
    source: str | None
    rows: Mask


class Paid(NamedTuple):
    """What each row says of money: the texts that count, the amount, and why there is none."""

    text: pa.Array
    currency: pa.Array
    values: pa.Array
    broken: tuple[Broken, ...]


def paid(rows: pa.Table, columns: Columns) -> Paid:
    """The amount of each row, with its sign and in its currency: the first of the declared columns that has one.

    A row with an unreadable amount is refused, not read from the other column: what was billed is what counts.
    """
    first = _paid(rows, columns.amount, columns.currency)
    other = columns.amount.other
    if other is None:
        return first
    second = _paid(rows, other, other.currency or columns.currency)
    is_first = mask(pc.is_valid(first.text)) | mask(pc.is_null(second.text))
    chosen = pa.array(is_first)
    text, codes, values = (pc.if_else(chosen, a, b) for a, b in zip(first[:3], second[:3], strict=True))
    return Paid(text, codes, values, (*_only(first, is_first), *_only(second, ~is_first)))


def _only(found: Paid, rows: Mask) -> Iterator[Broken]:
    return (b._replace(rows=b.rows & rows) for b in found.broken)


def _paid(rows: pa.Table, written: Money, currency: Currency) -> Paid:
    text, codes = tidy(flat(rows[written.source])), currency_codes(rows, currency)
    digits = minor_digits(codes)
    is_unknown = digits == UNKNOWN_CURRENCY
    money = amounts(text, written, np.where(is_unknown, MONEY_DIGITS, digits))
    broken = [
        Broken("currency_is_unknown", currency.source, is_unknown & mask(pc.is_valid(codes))),
        Broken("amount_is_not_a_number", written.source, money.is_not_a_number),
        Broken("amount_is_too_large", written.source, money.is_too_large),
        Broken("amount_has_too_many_digits", written.source, money.has_too_many_digits),
    ]
    if written.debit_credit is None:
        return Paid(text, codes, money.values, tuple(broken))
    signed = _signed(rows, written.source, written.debit_credit, money.values)
    return Paid(text, codes, signed[0], (*broken, *signed[1]))


def currency_codes(rows: pa.Table, currency: Currency) -> pa.Array:
    """The code of each row's currency, or what stands there instead."""
    if currency.source is None:
        return pa.repeat(pa.scalar(currency.fixed, pa.string()), rows.num_rows)
    return in_our_words(tidy(flat(rows[currency.source])), currency.mapping)


def _signed(rows: pa.Table, amount: str, codes: DebitCredit, values: pa.Array) -> tuple[pa.Array, tuple[Broken, ...]]:
    text = tidy(flat(rows[codes.source]))
    leaves, arrives = (mask(pc.is_in(text, value_set=pa.array(list(c)))) for c in (codes.leaves, codes.arrives))
    is_there = mask(pc.is_valid(text))
    is_negative = mask(pc.less(values, pa.scalar(0, values.type)))
    broken = (
        Broken("debit_credit_is_missing", codes.source, ~is_there & mask(pc.is_valid(values))),
        Broken("debit_credit_is_unknown", codes.source, is_there & ~leaves & ~arrives),
        Broken("amount_has_two_signs", amount, is_negative & (not codes.negatives_reverse)),
    )
    signed = pc.if_else(pa.array(leaves), pc.negate(values), values)
    return where(~np.logical_or.reduce([b.rows for b in broken]), signed), broken
