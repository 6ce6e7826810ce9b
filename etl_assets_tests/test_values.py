"""Texts of one column become values exactly, or visibly not at all."""

from __future__ import annotations

import re
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_assets.institution_spec import Amount
from etl_assets.transforms.currencies import MINOR_DIGITS
from etl_assets.transforms.values import Amounts, amounts


def read(text: str, digits: int = 2, **dialect: str) -> Amounts:
    return amounts(pa.array([text]), Amount(source="amount", **dialect), np.array([digits]))


def value(text: str, digits: int = 2, **dialect: str) -> Decimal | str:
    """The amount, or why it is none."""
    found = read(text, digits, **dialect)
    problems = [name for name in Amounts._fields[1:] if getattr(found, name)[0]]
    return ",".join(problems) or found.values[0].as_py()


GERMAN = {"decimal_mark": ",", "thousands_mark": "."}
SWISS = {"thousands_mark": "'"}
ENGLISH = {"thousands_mark": ","}


@pytest.mark.parametrize(
    ("text", "dialect", "expected"),
    [
        ("12.5", {}, "12.5"),
        ("+12.50", {}, "12.5"),
        (".50", {}, "0.5"),
        ("-0.00", {}, "0"),
        ("000000000000000000000000000000000000000012.50", {}, "12.5"),
        ("99999999999999999999.99", {}, "99999999999999999999.99"),
        ("1.234,56", GERMAN, "1234.56"),
        ("-1234,5", GERMAN, "-1234.5"),
        ("1.234.567", GERMAN, "1234567"),
        ("1,234,567.89", ENGLISH, "1234567.89"),
        ("12'345.00", SWISS, "12345"),
        ("1 234", {"thousands_mark": " "}, "1234"),
        ("12.50", {"sign": "positive_leaves"}, "-12.5"),
        ("-12.50", {"sign": "positive_leaves"}, "12.5"),
    ],
)
def test_an_amount_is_read_exactly_in_its_dialect(text: str, dialect: dict[str, str], expected: str) -> None:
    assert value(text, **dialect) == Decimal(expected)


NOT_NUMBERS = ["NaN", "inf", "-Infinity", "1e3", "1E-2", "12.", ".", "-", "+-1", "--1", "1_000", "0x1F", "12,50"]
ALMOST_NUMBERS = ["€5", "5-", "(5)", "٣", "1..2", "1\u00a0000", "1 000", "1\t", "5\n", "\u22125"]


@pytest.mark.parametrize("text", [*NOT_NUMBERS, *ALMOST_NUMBERS])
def test_what_is_not_plainly_a_number_is_none(text: str) -> None:
    assert value(text) == "is_not_a_number"


@pytest.mark.parametrize(
    "text", ["1,2345.00", "12,34", "1,23,456", ",123", "1234,567", "1,234,", "1,234.5,6", "1,,234"]
)
def test_misplaced_thousands_marks_make_no_number(text: str) -> None:
    assert value(text, **ENGLISH) == "is_not_a_number"


@pytest.mark.parametrize(
    ("text", "digits", "expected"),
    [
        ("1.005", 2, "has_too_many_digits"),
        ("1.0050", 2, "has_too_many_digits"),
        ("12.000", 2, "has_too_many_digits"),
        ("12.5000", 2, Decimal("12.5")),
        ("12.50000000", 2, Decimal("12.5")),
        ("100.00", 0, Decimal(100)),
        ("100.50", 0, "has_too_many_digits"),
        ("1.000", 0, "has_too_many_digits"),
        ("1.234", 3, Decimal("1.234")),
        ("1.2345", 4, Decimal("1.2345")),
        ("1.23456", 4, "has_too_many_digits"),
        ("100000000000000000000", 2, "is_too_large"),
        ("-100000000000000000000.001", 2, "is_too_large,has_too_many_digits"),
    ],
)
def test_digits_beyond_the_currency_are_refused_unless_they_only_pad(
    text: str, digits: int, expected: Decimal | str
) -> None:
    assert value(text, digits) == expected


@given(
    st.decimals(-(10**20) + 1, 10**20 - 1, places=4),
    st.sampled_from([(".", " "), (".", ","), (",", "."), (",", ""), (".", "'"), (".", "")]),
    st.booleans(),
    st.sampled_from(["negative_leaves", "positive_leaves"]),
)
def test_every_amount_of_every_dialect_comes_back_exactly(
    amount: Decimal,
    marks: tuple[str, str],
    grouped: bool,  # noqa: FBT001
    sign: str,
) -> None:
    written = f"{amount:,.4f}" if grouped else f"{amount:.4f}"
    text = written.translate(str.maketrans({",": marks[1], ".": marks[0]}))
    found = value(text, 4, decimal_mark=marks[0], thousands_mark=marks[1], sign=sign)
    assert found == (amount if sign == "negative_leaves" else -amount)


def test_currencies_have_the_digits_of_iso_4217() -> None:
    assert [MINOR_DIGITS[code] for code in ("JPY", "EUR", "BHD", "CLF", "KRW", "HRK")] == [0, 2, 3, 4, 0, 2]
    assert all(re.fullmatch("[A-Z]{3}", code) for code in MINOR_DIGITS)
    assert not {"XXX", "XTS", "XAU"} & set(MINOR_DIGITS)
