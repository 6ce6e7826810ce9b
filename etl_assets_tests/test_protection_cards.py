"""Card numbers in columns that nobody marked stop the delivery; numbers that only look like them by chance do not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.sources.card_numbers import is_card_number
from etl_assets.sources.layout import DeliveryRejected
from etl_assets.sources.protection import protection_of
from etl_assets_tests.specs import minimal_spec
from etl_assets_tests.test_protection import rows

DESCRIBED = {"description": {"source": "text"}}
CARDS = ["4111111111111111", "5555555555554444", "378282246310005", "3530111333300000", "30569309025904"]


def let_through(column: str, *values: str, spec: InstitutionSpec | None = None) -> None:
    spec = spec or minimal_spec(columns=DESCRIBED)
    protection_of(spec).applied(rows(spec, *({column: value} for value in values)))


@pytest.mark.parametrize("card", CARDS)
def test_a_column_of_card_numbers_stops_the_delivery(card: str) -> None:
    said = "column 'account_id' in 2 of 3 rows. Name the column under personal_data.tokens or personal_data.dropped"
    with pytest.raises(DeliveryRejected, match=said) as refused:
        let_through("account_id", card, card, "")
    assert card not in str(refused.value)


@pytest.mark.parametrize(
    "text", [f"paid with {CARDS[0]}.", "CARD 4111 1111 1111 1111 BERLIN", "4111-1111-1111-1111", "3782 822463 10005"]
)
def test_a_card_number_in_free_text_stops_the_delivery(text: str) -> None:
    with pytest.raises(DeliveryRejected, match="column 'text' in 1 of 2 rows"):
        let_through("text", "coffee", text)


@pytest.mark.parametrize("value", [CARDS[0], {"pan": int(CARDS[0])}])
def test_a_card_number_in_an_undeclared_column_stops_the_delivery(value: object) -> None:
    with pytest.raises(DeliveryRejected, match="column 'card' in 1 of 1 rows"):
        let_through("_extra", json.dumps({"city": "Bonn", "card": value}))


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",
        "1583708213000000",
        "20240305120000",
        "-78.1502464111111111111111",
        "82f58aa4111111111111111d3c50333f96",
        "2024-03-05 12:00:00.123456",
        "DE89370400440532013000",
    ],
)
def test_other_long_numbers_do_not(text: str) -> None:
    let_through("text", text)


def test_ids_of_which_some_pass_the_check_digit_do_not() -> None:
    ids = [str(4_000_000_000_000_000 + i) for i in range(100)]
    assert sum(map(is_card_number, ids)) == 10
    let_through("transaction_id", *ids)


def test_a_column_that_the_spec_calls_no_cards_does_not() -> None:
    let_through("account_id", *CARDS, spec=minimal_spec(personal_data={"no_cards": ["Account ID"]}))


def test_statements_about_cards_want_no_secret_and_drop_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ETL_TOKEN_KEY", raising=False)
    spec = minimal_spec(personal_data={"no_cards": ["account_id"]})
    (row,) = protection_of(spec).applied(rows(spec, {"_extra": '{"city":"Bonn"}'})).to_pylist()
    assert row["_extra"] == '{"city":"Bonn"}'


@given(st.integers(0, 10**15 - 1))
def test_of_the_last_digits_that_a_number_can_have_one_makes_it_a_card(start: int) -> None:
    first = f"4{start:015}"[:15]
    assert sum(is_card_number(first + str(last)) for last in range(10)) == 1


def test_one_row_in_thirty_thousand_is_found() -> None:
    with pytest.raises(DeliveryRejected, match="column 'text' in 1 of 30001 rows"):
        let_through("text", *["coffee"] * 30_000, CARDS[0])
