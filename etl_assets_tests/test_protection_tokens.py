"""One secret, many values: which tokens are the same, and which records come back."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_assets.sources.tokens import VARIABLE, Keys, NotRevealed, keys_of

SECRET = "of tests, and long enough".rjust(40)
CARD = "4111111111111111"


@pytest.fixture(scope="module")
def keys() -> Iterator[Keys]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, SECRET)
        yield keys_of("bank_test")


def token(keys: Keys, value: str | None) -> str | None:
    return keys.tokens(pa.chunked_array([[value]], pa.string()))[0].as_py()


@pytest.mark.parametrize(
    "other", ["4111 1111 1111 1111", "4111-1111-1111-1111", f"  {CARD} ", "4111\u00a011111111 1111"]
)
def test_the_same_card_written_differently_is_the_same_token(keys: Keys, other: str) -> None:
    assert token(keys, other) == token(keys, CARD)


def test_ids_that_are_no_cards_keep_their_dashes(keys: Keys) -> None:
    assert token(keys, "12-34") != token(keys, "1-234")


@pytest.mark.parametrize("blank", [None, "", "  "])
def test_null_stays_null_and_blank_stays_blank(keys: Keys, blank: str | None) -> None:
    assert token(keys, blank) == blank


def test_what_excel_has_rounded_is_left_to_the_rule_against_it_without_its_digits(keys: Keys) -> None:
    assert token(keys, "4.11111111111111E+15") == "4E+15"


def test_tokens_of_batches_with_dictionaries_of_their_own_agree(keys: Keys) -> None:
    found = keys.tokens(pa.chunked_array([["a", "b"], [], ["b", None, "c"]], pa.string())).to_pylist()
    assert found == [token(keys, v) for v in ("a", "b", "b", None, "c")]
    assert keys.tokens(pa.chunked_array([], pa.string())).to_pylist() == []


@given(st.text(), st.text())
def test_tokens_are_equal_exactly_where_values_are(keys: Keys, one: str, other: str) -> None:
    def plain(value: str) -> str:
        digits = re.sub("[ \u00a0\u2010-\u2015-]", "", value.strip())
        return digits if re.fullmatch("[0-9]{12,19}", digits) else value.strip()

    if plain(one) and plain(other):
        assert (token(keys, one) == token(keys, other)) == (plain(one) == plain(other))


@given(st.text("0123456789", min_size=12, max_size=19), st.data())
def test_spaces_and_dashes_within_a_card_number_do_not_count(keys: Keys, digits: str, data: st.DataObject) -> None:
    gaps = data.draw(st.lists(st.sampled_from(["", " ", "-"]), min_size=len(digits), max_size=len(digits)))
    assert token(keys, "".join(map("".join, zip(digits, gaps, strict=True)))) == token(keys, digits)


def test_another_institution_and_another_secret_give_other_tokens(monkeypatch: pytest.MonkeyPatch, keys: Keys) -> None:
    elsewhere = keys_of("bank_other")
    monkeypatch.setenv(VARIABLE, SECRET[::-1])
    found = {token(k, CARD) for k in (keys, elsewhere, keys_of("bank_test"))}
    assert len(found) == 3
    assert keys.identifier != keys_of("bank_test").identifier


@given(st.binary(max_size=200))
def test_a_record_comes_back_with_its_key_and_is_not_in_its_ciphertext(keys: Keys, record: bytes) -> None:
    sealed = keys.sealed(record)
    assert keys.revealed(sealed) == record
    assert sealed == keys.sealed(record)
    assert len(record) < 8 or record not in sealed


@given(st.binary(max_size=50), st.data())
def test_a_record_that_was_changed_does_not_come_back(keys: Keys, record: bytes, data: st.DataObject) -> None:
    sealed = bytearray(keys.sealed(record))
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(NotRevealed):
        keys.revealed(bytes(sealed))


def test_a_record_of_another_institution_does_not_come_back(keys: Keys) -> None:
    with pytest.raises(NotRevealed, match="another institution or with another ETL_TOKEN_KEY"):
        keys.revealed(keys_of("bank_other").sealed(b"033-98-5854"))
