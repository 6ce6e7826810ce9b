"""What changed between two headers, whatever the order of their columns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_assets.deliveries.schema_drift import SchemaEvent, events
from etl_assets_tests.specs import minimal_spec

SPEC = minimal_spec(
    columns={
        "amount": {"aliases": ["Net Amount", "sum"]},
        "country": {"source": "land", "aliases": ["Land 2"], "optional": True},
    }
)
HEADER = dict.fromkeys(("transaction_id", "account_id", "counterparty_id", "event_at", "amount", "id_08"), "text")


def without(header: dict[str, str], *titles: str) -> dict[str, str]:
    return {title: kind for title, kind in header.items() if title not in titles}


def seen(current: dict[str, str], previous: dict[str, str] | None = HEADER) -> list[tuple[str, ...]]:
    found = events(previous, current, SPEC)
    return [(event.kind, event.column, event.was or "", event.is_ or "") for event in found]


@pytest.mark.parametrize("previous", [None, {}])
def test_the_first_delivery_has_changed_nothing(previous: dict[str, str] | None) -> None:
    assert seen(HEADER, previous) == []


def test_a_delivery_without_a_header_has_changed_nothing() -> None:
    assert seen({}) == []


def test_another_order_is_no_change() -> None:
    assert seen(dict(reversed(HEADER.items()))) == []


def test_a_declared_column_under_another_of_its_spellings_is_renamed() -> None:
    assert seen(without(HEADER, "amount") | {"Net Amount": "text"}) == [("renamed", "amount", "amount", "Net Amount")]


@pytest.mark.parametrize("title", ["id-08", "ID 08", "Id08"])
def test_a_column_that_nobody_declared_is_renamed_where_only_marks_and_case_differ(title: str) -> None:
    assert seen(without(HEADER, "id_08") | {title: "text"}) == [("renamed", title, "id_08", title)]


def test_titles_without_letters_are_not_taken_for_each_other() -> None:
    found = seen(HEADER | {"€": "text"}, HEADER | {"$": "text"})
    assert found == [("removed", "$", "text", ""), ("added", "€", "", "text")]


def test_new_and_missing_columns_are_told_with_their_types() -> None:
    current = without(HEADER, "id_08") | {"note": "number"}
    assert seen(current) == [("removed", "id_08", "text", ""), ("added", "note", "", "number")]


@pytest.mark.parametrize(("previous", "current"), [(HEADER, HEADER | {"land": "text"})] * 2)
def test_an_optional_column_may_come_and_go(previous: dict[str, str], current: dict[str, str]) -> None:
    assert seen(current, previous) == seen(previous, current) == []


def test_an_optional_column_that_is_spelt_otherwise_is_renamed() -> None:
    assert seen(HEADER | {"Land 2": "text"}, HEADER | {"land": "text"}) == [("renamed", "land", "land", "Land 2")]
    assert seen(HEADER | {"LAND": "text"}, HEADER | {"land": "text"}) == [("renamed", "land", "land", "LAND")]


@pytest.mark.parametrize(
    ("was", "is_", "is_new"),
    [
        ("double", "string", True),
        ("number", "string", True),
        ("number", "number or text", False),
        ("number or text", "text", False),
        ("number or text", "time", True),
        ("number", "", False),
        ("", "text", False),
    ],
)
def test_a_type_is_another_where_no_value_has_one_of_the_old(was: str, is_: str, *, is_new: bool) -> None:
    expected = [("retyped", "amount", was, is_)] if is_new else []
    assert seen(HEADER | {"amount": is_}, HEADER | {"amount": was}) == expected


def test_a_column_can_be_renamed_and_retyped_at_once() -> None:
    found = seen(without(HEADER, "amount") | {"sum": "double"})
    assert found == [("renamed", "amount", "amount", "sum"), ("retyped", "amount", "text", "double")]


headers = st.dictionaries(st.sampled_from([*HEADER, "id-08", "id 08", "sum", "land", "LAND", "x", ""]), st.just("text"))


@given(headers, headers)
def test_changes_come_in_one_order_and_each_once(previous: dict[str, str], current: dict[str, str]) -> None:
    found = events(previous, current, SPEC)
    assert found == events(dict(reversed(previous.items())), dict(reversed(current.items())), SPEC)
    assert len({(event.kind, event.column) for event in found}) == len(found)
    assert events(current, current, SPEC) == ()


@given(headers, headers)
def test_every_title_is_kept_renamed_removed_or_added(previous: dict[str, str], current: dict[str, str]) -> None:
    found = events(previous, current, minimal_spec())
    if previous and current:
        assert previous.keys() - current.keys() == left(found, "removed") | {
            e.was for e in found if e.kind == "renamed"
        }
        assert current.keys() - previous.keys() == left(found, "added") | {e.is_ for e in found if e.kind == "renamed"}


def left(found: tuple[SchemaEvent, ...], kind: str) -> set[str]:
    return {event.column for event in found if event.kind == kind}
