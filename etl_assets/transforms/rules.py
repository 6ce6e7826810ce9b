"""The institution's row rules: which rows break which, as masks.

Masks first and reasons later (`quarantine.py`): on a normal day hardly any row needs one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.reference_lists import listed
from etl_assets.row_expressions import false_rows
from etl_assets.spec.rules import RowRule
from etl_assets.transforms.canonical import Reading
from etl_assets.transforms.values import MONEY, Mask, flat, mask, tidy

SMALLEST_MONEY = Decimal("0.0001")
LARGEST_MONEY = Decimal(10) ** 20 - SMALLEST_MONEY


def judge(reading: Reading, rules: tuple[RowRule, ...]) -> None:
    """Every row that breaks a rule is refused under the rule's name, or named so in `warnings` where it only warns.

    Bounds hold for the canonical value (of an amount: after its sign), patterns and lists for the text. A row without
    a value breaks only `required`: otherwise no column with a rule could be optional.
    """
    broken = _expressions(reading, rules) | {
        rule.name: _breaks(reading, rule, rule.column) for rule in rules if rule.column is not None
    }
    for rule in rules:
        if not rule.warns:
            reading.refuse(rule.name, rule.column, broken[rule.name])
    warned = {rule.name: broken[rule.name] for rule in rules if rule.warns}
    reading.columns["warnings"] = _named(warned, reading.rows.num_rows)


def _expressions(reading: Reading, rules: tuple[RowRule, ...]) -> dict[str, Mask]:
    asked = {rule.name: rule.holds for rule in rules if rule.holds is not None}
    if not asked:
        return {}
    rows = pa.table(reading.columns | {"business_date": reading.rows["business_date"]})
    found = false_rows(asked, rows, reading.spec.time_zone)
    return {name: mask(flat(found[name])) for name in asked}


def _named(marks: Mapping[str, Mask], rows: int) -> pa.Array:
    """For each row the names of its marks, in order, separated by commas; null where it has none."""
    none = pa.nulls(rows, pa.string())
    is_marked = np.logical_or.reduce([*marks.values()], axis=0, initial=False)
    if not marks or not is_marked.any():
        return none
    names = [pc.if_else(pa.array(marks[n][is_marked]), n, pa.scalar(None, pa.string())) for n in sorted(marks)]
    found = pc.binary_join_element_wise(*names, ",", null_handling="skip")
    return pc.replace_with_mask(none, pa.array(is_marked), found)


def _breaks(reading: Reading, rule: RowRule, column: str) -> Mask:
    is_missing = reading.is_missing(column)
    text = reading.texts[column]
    broken = is_missing & rule.required
    for is_broken in (*_outside(reading, rule, column), *_wrong_text(text, rule)):
        broken |= is_broken & ~is_missing
    return broken


def _outside(reading: Reading, rule: RowRule, column: str) -> Iterator[Mask]:
    if rule.minimum is None and rule.maximum is None:
        return
    is_amount = column == "amount"
    numbers = reading.columns["amount"] if is_amount else _numbers(reading.texts[column])
    if not is_amount:
        yield mask(pc.is_null(numbers))
    if rule.minimum is not None:
        least = _money(rule.minimum, ROUND_CEILING) if is_amount else rule.minimum
        yield mask(pc.less(numbers, least))
    if rule.maximum is not None:
        most = _money(rule.maximum, ROUND_FLOOR) if is_amount else rule.maximum
        yield mask(pc.greater(numbers, most))


def _money(bound: float, rounding: str) -> pa.Scalar:
    limited = min(max(Decimal(repr(bound)), -LARGEST_MONEY), LARGEST_MONEY)
    return pa.scalar(limited.quantize(SMALLEST_MONEY, rounding), MONEY)


def _numbers(text: pa.Array) -> pa.Array:
    trimmed = tidy(text)
    is_number = pc.match_substring_regex(trimmed, r"\A[+-]?[0-9]+(\.[0-9]+)?\z")
    return pc.if_else(is_number, trimmed, None).cast(pa.float64())


def _wrong_text(text: pa.Array, rule: RowRule) -> Iterator[Mask]:
    if rule.allowed is not None:
        yield ~mask(pc.is_in(text, value_set=pa.array(rule.allowed, pa.string())))
    if rule.reference is not None:
        yield ~mask(pc.is_in(text, value_set=listed(rule.reference)))
    if rule.pattern is not None:
        yield ~_matches(text, re.compile(rule.pattern))


def _matches(text: pa.Array, pattern: re.Pattern[str]) -> Mask:
    codes = text.dictionary_encode()
    found = [pattern.fullmatch(value) is not None for value in codes.dictionary.to_pylist()]
    return mask(pa.array(found, pa.bool_()).take(codes.indices)) if found else np.zeros(len(text), np.bool_)
