"""Sign, currency and amount in columns of their own: put together exactly, or quarantined with the column to blame."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from etl_assets.institution_spec import InstitutionSpec
from etl_assets_tests.raw_rows import only_row, reasons
from etl_assets_tests.specs import minimal_spec

CODES = {"source": "D/C", "leaves": ["D", "DR"], "arrives": ["C", "CR"]}


def spec_of(amount: dict[str, Any], **columns: Any) -> InstitutionSpec:
    return minimal_spec(columns={"amount": amount, **columns})


def amount_of(spec: InstitutionSpec, **row: Any) -> tuple[Decimal, str] | list[str]:
    """Amount and currency of the row, or why it is not published."""
    found = only_row(spec, **row)
    return found["reasons"].split(",") if "reasons" in found else (found["amount"], found["currency"])


@pytest.mark.parametrize(
    ("amount", "code", "expected"),
    [
        ("12.50", "D", (Decimal("-12.5"), "EUR")),
        ("12.50", " DR ", (Decimal("-12.5"), "EUR")),
        ("12.50", "CR", (Decimal("12.5"), "EUR")),
        ("0.00", "D", (Decimal(0), "EUR")),
        ("12.50", "d", ["debit_credit_is_unknown"]),
        ("12.50", "X", ["debit_credit_is_unknown"]),
        ("12.50", "  ", ["debit_credit_is_missing"]),
        ("12.50", None, ["debit_credit_is_missing"]),
        (None, None, ["amount_is_missing"]),
        ("-12.50", "D", ["amount_has_two_signs"]),
        ("-12.50", "X", ["amount_has_two_signs", "debit_credit_is_unknown"]),
    ],
)
def test_a_code_says_which_way_the_money_goes(amount: str | None, code: str | None, expected: object) -> None:
    assert amount_of(spec_of({"debit_credit": CODES}), **{"amount": amount, "D/C": code}) == expected


def test_a_negative_amount_reverses_its_code_only_where_that_is_declared() -> None:
    spec = spec_of({"debit_credit": CODES | {"negatives_reverse": True}})
    assert amount_of(spec, **{"amount": "-12.50", "D/C": "D"}) == (Decimal("12.5"), "EUR")
    assert amount_of(spec, **{"amount": "-12.50", "D/C": "C"}) == (Decimal("-12.5"), "EUR")


def test_the_column_of_the_code_is_the_one_to_blame_for_it() -> None:
    row = only_row(spec_of({"debit_credit": CODES}), **{"D/C": "X", "amount": "1"})
    assert (row["column_name"], row["value"]) == ("D/C", "X")


BILLED = {
    "source": "billed",
    "sign": "positive_leaves",
    "otherwise": {"source": "original", "currency": {"source": "original currency"}},
}
PAID = {"fixed": None, "source": "billed currency"}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (("4.38", "GBP", "7.00", "CAD"), (Decimal("-4.38"), "GBP")),
        ((None, "GBP", "7.00", "CAD"), (Decimal(-7), "CAD")),
        (("  ", None, "700", "JPY"), (Decimal(-700), "JPY")),
        (("4.38", "GBP", None, None), (Decimal("-4.38"), "GBP")),
        (("4.38", "GBP", "seven", "?"), (Decimal("-4.38"), "GBP")),
        (("4,38", "GBP", "7.00", "CAD"), ["amount_is_not_a_number"]),
        (("4.38", None, "7.00", "CAD"), ["currency_is_missing"]),
        ((None, "GBP", "7.00", None), ["currency_is_missing"]),
        ((None, "GBP", "7.00", "XXX"), ["currency_is_unknown"]),
        ((None, "GBP", "7.50", "JPY"), ["amount_has_too_many_digits"]),
        ((None, None, None, "CAD"), ["amount_is_missing", "currency_is_missing"]),
    ],
)
def test_what_was_billed_counts_and_else_the_original_in_its_own_currency(
    row: tuple[str | None, ...], expected: object
) -> None:
    names = ("billed", "billed currency", "original", "original currency")
    assert amount_of(spec_of(BILLED, currency=PAID), **dict(zip(names, row, strict=True))) == expected


def test_the_other_amount_is_written_as_the_first_unless_it_says_so_itself() -> None:
    other = {"source": "in", "sign": "negative_leaves"}
    german = {"decimal_mark": ",", "thousands_mark": ".", "sign": "positive_leaves", "source": "out"}
    spec = spec_of(german | {"otherwise": other})
    assert amount_of(spec, out="1.234,50") == (Decimal("-1234.5"), "EUR")
    assert amount_of(spec, **{"in": "1.234,50"}) == (Decimal("1234.5"), "EUR")
    coded = spec_of({"debit_credit": CODES, "otherwise": {"source": "other"}})
    assert amount_of(coded, **{"amount": None, "other": "5", "D/C": "D"}) == (Decimal(-5), "EUR")


def test_the_other_amount_may_have_the_marks_the_other_way_round() -> None:
    written = {"source": "a", "decimal_mark": ",", "otherwise": {"source": "b", "thousands_mark": "."}}
    assert amount_of(spec_of(written), b="1.234,50") == (Decimal("1234.5"), "EUR")


def test_a_word_or_symbol_for_a_currency_becomes_its_code() -> None:
    named = {"fixed": None, "source": "Cur", "mapping": {"£": "GBP", "Euro": "EUR"}}
    spec = spec_of({}, currency=named)
    assert [amount_of(spec, Cur=word, amount="1") for word in ("£", " Euro ", "USD")] == [
        (Decimal(1), "GBP"),
        (Decimal(1), "EUR"),
        (Decimal(1), "USD"),
    ]
    assert reasons(spec, Cur="euro") == ["currency_is_unknown"]


def test_a_nul_in_any_of_the_columns_is_seen() -> None:
    spec = spec_of(BILLED, currency=PAID)
    row = {"billed": "1", "billed currency": "EUR", "original": "1\0", "original currency": "EUR"}
    assert reasons(spec, **row) == ["amount_has_nul"]
