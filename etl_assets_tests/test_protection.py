"""Personal data as tokens, as nothing, as ciphertext: what an institution's rows are before anybody writes them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.sources.layout import LINEAGE, DeliveryRejected
from etl_assets.sources.protection import KeyUnset, protection_of
from etl_assets.sources.reading import read_delivery
from etl_assets.sources.tokens import VARIABLE, Keys, keys_of
from etl_assets_tests.specs import minimal_spec

SECRET = "of tests, and long enough".rjust(40)
CARD = "4111111111111111"


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, SECRET)


@pytest.fixture(scope="module")
def keys() -> Iterator[Keys]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, SECRET)
        yield keys_of("bank_test")


def spec_with(*, columns: Mapping[str, Any] | None = None, **personal: Any) -> InstitutionSpec:
    return minimal_spec(personal_data=personal, columns=columns or {})


def rows(spec: InstitutionSpec, *given: Mapping[str, Any]) -> pa.Table:
    """What `read_delivery` gives, each row saying only what is in it."""
    schema = pa.schema([*LINEAGE, *(pa.field(name, pa.string()) for name in spec.declared)])
    return pa.Table.from_pylist([{"_row_number": i, **row} for i, row in enumerate(given, start=2)], schema=schema)


def protected(spec: InstitutionSpec, *given: Mapping[str, Any]) -> list[dict[str, Any]]:
    return protection_of(spec).applied(rows(spec, *given)).to_pylist()


def token(keys: Keys, value: str | None) -> str | None:
    return keys.tokens(pa.chunked_array([[value]], pa.string()))[0].as_py()


def extras(spec: InstitutionSpec, *given: Mapping[str, Any]) -> list[dict[str, Any] | None]:
    """What is left of undeclared columns: all at once, as readers write them, and one by one with spaces in them."""
    found = [_left(spec, [json.dumps(g, separators=(",", colon)) for g in given]) for colon in (":", ": ")]
    assert found[0] == found[1]
    return found[0]


def _left(spec: InstitutionSpec, texts: Sequence[str]) -> list[dict[str, Any] | None]:
    left = [row["_extra"] for row in protected(spec, *({"_extra": text} for text in texts))]
    return [None if text is None else json.loads(text) for text in left]


def test_a_card_becomes_a_token_and_everything_else_stays() -> None:
    spec = spec_with(tokens=["account_id"])
    (row,) = protected(spec, {"account_id": CARD, "amount": "-12.50"})
    assert re.fullmatch("tok_[a-z2-7]{26}", row["account_id"])
    assert row["amount"] == "-12.50"


@pytest.mark.parametrize(("secret", "said"), [(None, "is not set"), ("short", "has only 5 characters")])
def test_an_institution_with_personal_data_wants_a_secret(
    monkeypatch: pytest.MonkeyPatch, secret: str | None, said: str
) -> None:
    monkeypatch.setenv(VARIABLE, secret) if secret else monkeypatch.delenv(VARIABLE)
    with pytest.raises(KeyUnset, match=f"bank_test has personal_data, and {VARIABLE} {said}"):
        protection_of(spec_with(dropped=["ssn"]))


def test_an_institution_without_personal_data_wants_none_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)
    spec = minimal_spec()
    given = rows(spec, {"account_id": "c1", "_extra": '{"city":"Bonn"}'}, {"_problem": "odd", "_record": b"x"})
    assert protection_of(spec).applied(given) is given


def test_no_key_shows_in_what_is_printed_of_a_protection() -> None:
    found = repr(protection_of(spec_with(tokens=["account_id"])))
    secrets = keys_of("bank_test")
    assert not [key for key in (SECRET, repr(secrets.token), repr(secrets.record)) if key in found]


def test_any_spelling_of_a_declared_column_names_it() -> None:
    columns = {"account_id": {"source": "card", "aliases": ["Card No."]}}
    (row,) = protected(spec_with(columns=columns, tokens=["CARD NO"]), {"card": CARD})
    assert row["card"].startswith("tok_")


def test_a_dropped_column_is_null() -> None:
    columns = {"description": {"source": "text"}}
    (row,) = protected(spec_with(columns=columns, dropped=["text"]), {"text": "Anna Beispiel"})
    assert row["text"] is None


def test_nothing_undeclared_is_kept_beside_personal_data_unless_it_is_named(keys: Keys) -> None:
    spec = spec_with(tokens=["account_id", "acct"], dropped=["ssn"])
    assert extras(spec, {"ssn": "1", "acct": "77", "born": "1953-03-12"}, {"born": "x"}) == [
        {"acct": token(keys, "77")},
        None,
    ]


def test_undeclared_columns_are_kept_where_the_spec_says_so(keys: Keys) -> None:
    spec = spec_with(tokens=["acct"], dropped=["ssn"], undeclared="keep")
    assert extras(spec, {"ssn": "1", "acct": "7", "city": "Bonn"}, {"ssn": None, "acct": None, "city": None}) == [
        {"acct": token(keys, "7"), "city": "Bonn"},
        {"acct": None, "city": None},
    ]


@pytest.mark.parametrize("title", ["SSN", " ssn", "s_s_n", "ssn (column 4)", "Ssn."])
def test_a_personal_column_is_known_under_titles_that_are_nearly_its_own(title: str) -> None:
    spec = spec_with(dropped=["ssn"], undeclared="keep")
    assert extras(spec, {"city": "Bonn", title: "033-98-5854"}) == [{"city": "Bonn"}]


def test_a_personal_column_that_was_renamed_stops_the_delivery() -> None:
    spec = spec_with(dropped=["ssn"], undeclared="keep")
    with pytest.raises(DeliveryRejected, match="no record has 'ssn', which personal_data names, and undeclared"):
        extras(spec, {"social security": "033-98-5854"})
    with pytest.raises(DeliveryRejected, match="no record has 'ssn'"):
        protected(spec, {"account_id": "c1"})
    damaged = protected(spec, {"_problem": "odd", "_record": b"033-98-5854"})
    assert damaged[0]["_record"] != b"033-98-5854"


@pytest.mark.parametrize("undeclared", ["keep", "drop"])
def test_objects_of_json_deliveries_lose_what_is_nested_in_them(keys: Keys, undeclared: str) -> None:
    personal = {"tokens": ["holder.account"], "dropped": ["holder.name", "phones.number"]}
    given = {
        "holder": {"name": "Anna", "account": 17, "since": 2011},
        "phones": [{"number": "0170", "kind": "m"}, {"number": "0171"}],
        "limit": 1.50,
    }
    account = {"account": token(keys, "17")}
    kept = {"holder": {**account, "since": 2011}, "phones": [{"kind": "m"}, {}], "limit": 1.5}
    left = {"keep": kept, "drop": {"holder": account}}
    assert extras(spec_with(**personal, undeclared=undeclared), given) == [left[undeclared]]


def test_numbers_of_json_deliveries_stay_as_they_were_written() -> None:
    spec = spec_with(dropped=["ssn"], undeclared="keep")
    (row,) = protected(spec, {"_extra": '{"ssn":1,"limit":1.500,"id":12345678901234567890123}'})
    assert row["_extra"] == '{"limit":1.500,"id":12345678901234567890123}'


def test_an_unforeseen_error_does_not_tell_what_it_quotes() -> None:
    said = r"^ValueError in test_protection\.py, line \d+; its text is withheld"
    with pytest.raises(RuntimeError, match=said) as told, protection_of(spec_with(dropped=["ssn"])).withheld():
        raise ValueError("033-98-5854")
    assert told.value.__suppress_context__
    with pytest.raises(ValueError, match="a value"), protection_of(minimal_spec()).withheld():
        raise ValueError("a value")


PERSONAL = "\N{CURRENCY SIGN}"
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
VALUES = st.tuples(WORDS, WORDS).map(PERSONAL.join)
TITLES = ("account_id", "description", "ssn", "note")


def quoted(values: Sequence[str]) -> str:
    return ",".join('"' + value.replace('"', '""') + '"' for value in values)


@given(
    st.lists(
        st.tuples(VALUES, VALUES, VALUES, VALUES, st.sampled_from(["", ',"', ",a field", ' "', "\0"])), max_size=5
    ),
    st.sampled_from(["keep", "drop"]),
)
def test_no_personal_value_is_anywhere_in_the_rows(lines: list[tuple[str, ...]], undeclared: str) -> None:
    """Read for real, with undeclared columns and with records that are damaged by what ends them."""
    columns = {"description": {"source": "description"}}
    personal = {"tokens": ["account_id", "note"], "dropped": ["description", "ssn"], "undeclared": undeclared}
    spec = spec_with(columns=columns, **personal)
    header = ",".join(["transaction_id", "counterparty_id", "event_at", "amount", *TITLES])
    text = [header, *(f"t,c,e,a,{quoted(values)}{damage}" for *values, damage in lines)]
    read = read_delivery("transactions_20240306.csv", "\n".join(text).encode(), spec).rows
    found = protection_of(spec).applied(read)
    assert PERSONAL not in repr(found.drop_columns(["_record"]).to_pylist())
    given = [part for part in read["_record"].to_pylist() if part is not None]
    assert [part is None for part in found["_record"].to_pylist()] == [p is None for p in read["_record"].to_pylist()]
    assert not [part for part in given if part in b"".join(filter(None, found["_record"].to_pylist()))]
