"""Amounts as people and spreadsheets decorate them are read exactly where they are declared, and nowhere else."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_assets.institution_spec import Amount
from etl_assets.transforms.values import amounts

US = {"thousands_mark": ",", "symbols": ["$", "US$", "USD"], "negatives": ["leading", "parentheses"]}
SAP = {"decimal_mark": ",", "thousands_mark": ".", "negatives": ["trailing"]}
FRENCH = {"decimal_mark": ",", "thousands_mark": " ", "symbols": ["€"]}
INDIAN = {"symbols": ["Rs.", "Rs"]}


def value(text: str, **dialect: Any) -> Decimal | None:
    """The amount that one text is, if it is one."""
    found = amounts(pa.array([text]), Amount(source="amount", **dialect), np.array([4]))
    return found.values[0].as_py()


@pytest.mark.parametrize(
    ("text", "dialect", "expected"),
    [
        ("($99.00)", US, "-99"),
        ("$(1,099.00)", US, "-1099"),
        ("(99.00)", US, "-99"),
        ("$-99.00", US, "-99"),
        ("-$99.00", US, "-99"),
        ("-US$ 1,099.5", US, "-1099.5"),
        ("+99.00 USD", US, "99"),
        ("$.50", US, "0.5"),
        ("99", US, "99"),
        ("1.234,56-", SAP, "-1234.56"),
        ("1.234,56+", SAP, "1234.56"),
        ("1.234,56", SAP, "1234.56"),
        ("1 234,56", FRENCH, "1234.56"),
        ("1\u00a0234\u202f567,56\u00a0€", FRENCH, "1234567.56"),
        ("-1\u202f234,56 €", FRENCH, "-1234.56"),
        ("Rs.500", INDIAN, "500"),
        ("Rs.-5.50", INDIAN, "-5.5"),
        ("1\u2019234.50", {"thousands_mark": "'"}, "1234.5"),
        ("12.50 kr.", {"symbols": ["kr."]}, "12.5"),
    ],
)
def test_a_decorated_amount_is_read_exactly(text: str, dialect: dict[str, Any], expected: str) -> None:
    assert value(text, **dialect) == Decimal(expected)


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        ("€99.00", US),
        ("99.00-", US),
        ("$$99", US),
        ("$99 USD", US),
        ("--99", US),
        ("-(99)", US),
        ("(-99)", US),
        ("-$-99", US),
        ("($99", US),
        ("99)", US),
        ("()", US),
        ("$", US),
        ("$ -", US),
        ("- 99", US),
        ("$  99", US),
        ("$99.00 approx", US),
        ("usd 99", US),
        ("-99,00", SAP),
        ("99,00--", SAP),
        ("12 34,56", FRENCH),
        ("1\u2009234,56", FRENCH),
        ("\u221299", FRENCH),
        ("Rs.50.5.5", INDIAN),
        ("Rs .50", INDIAN),
        ("-99", {"negatives": ["parentheses"]}),
    ],
)
def test_what_was_not_declared_is_no_number(text: str, dialect: dict[str, Any]) -> None:
    assert value(text, **dialect) is None


DIALECTS = st.fixed_dictionaries(
    {
        "marks": st.sampled_from([(".", " "), (".", ","), (",", "."), (",", ""), (".", "'"), (".", ""), (",", " ")]),
        "symbol": st.sampled_from(["", "$", "€", "EUR", "kr.", "R$", "Kč", "zł"]),
        "place": st.sampled_from(["before", "after"]),
        "gap": st.sampled_from(["", " ", "\u00a0"]),
        "negative": st.sampled_from(["leading", "trailing", "parentheses", "beside the number"]),
        "is_grouped": st.booleans(),
    }
)
MONEY = st.decimals(-(10**15), 10**15, places=4)


def written(amount: Decimal, how: dict[str, Any]) -> str:
    """The amount as someone with these habits writes it."""
    decimal, thousands = how["marks"]
    plain = f"{abs(amount):,.4f}" if how["is_grouped"] else f"{abs(amount):.4f}"
    digits = plain.translate(str.maketrans({",": thousands, ".": decimal}))
    minus, symbol, gap = "-" if amount < 0 else "", how["symbol"], how["gap"] if how["symbol"] else ""
    if how["negative"] == "beside the number":
        digits, minus = minus + digits, ""
    body = symbol + gap + digits if how["place"] == "before" else digits + gap + symbol
    if not minus:
        return body
    if how["negative"] == "trailing" and how["place"] == "after":
        return digits + minus + gap + symbol
    return {"leading": f"-{body}", "trailing": f"{body}-", "parentheses": f"({body})"}[how["negative"]]


def declared(how: dict[str, Any]) -> dict[str, Any]:
    """The dialect that those habits are declared as."""
    negative = "leading" if how["negative"] == "beside the number" else how["negative"]
    return {
        "decimal_mark": how["marks"][0],
        "thousands_mark": how["marks"][1],
        "symbols": [how["symbol"]] if how["symbol"] else [],
        "negatives": [negative],
    }


@given(MONEY, DIALECTS)
def test_any_amount_in_any_declared_dialect_comes_back_exactly(amount: Decimal, how: dict[str, Any]) -> None:
    assert value(written(amount, how), **declared(how)) == amount


@given(MONEY, DIALECTS, st.sampled_from("xE_#٣\u2212\t\n\0/"), st.data())
def test_a_foreign_character_anywhere_makes_it_no_number(
    amount: Decimal, how: dict[str, Any], character: str, data: st.DataObject
) -> None:
    text = written(amount, how)
    place = data.draw(st.integers(0, len(text)))
    assert value(text[:place] + character + text[place:], **declared(how)) is None


@given(MONEY.filter(bool), DIALECTS)
def test_a_second_sign_or_half_a_bracket_makes_it_no_number(amount: Decimal, how: dict[str, Any]) -> None:
    text = written(-abs(amount), how)
    for spoilt in (f"-{text}", f"{text}-", f"({text}", f"{text})", f"({text})"):
        assert value(spoilt, **declared(how)) is None


@given(MONEY, DIALECTS.filter(lambda how: how["symbol"]))
def test_a_symbol_that_is_not_declared_makes_it_no_number(amount: Decimal, how: dict[str, Any]) -> None:
    assert value(written(amount, how), **(declared(how) | {"symbols": ["£"]})) is None


def test_a_column_with_one_plain_amount_among_decorated_ones_is_read_row_by_row() -> None:
    texts = pa.array(["99", None, "($1,099.00)", "€1", "-5"])
    found = amounts(texts, Amount(source="a", **US), np.full(5, 2))
    assert found.values.to_pylist() == [Decimal(99), None, Decimal(-1099), None, Decimal(-5)]
    assert found.is_not_a_number.tolist() == [False, False, False, True, False]
