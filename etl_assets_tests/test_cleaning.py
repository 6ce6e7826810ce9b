"""What becomes of one row, seen from outside: its canonical form, or all its reasons."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from etl_assets.tables import QUARANTINED, cleaned_table
from etl_assets_tests.raw_rows import DAY, cleaned, delivery, only_row, reasons
from etl_assets_tests.specs import minimal_spec

CURRENCY = {"columns": {"currency": {"fixed": None, "source": "currency"}}}
BOOKED = {"columns": {"booked_on": {"source": "booked_on", "formats": ["%d.%m.%Y"]}}}
KEYED = {"key": ["account_id", "transaction_id"]}


def test_a_good_row_is_published_in_canonical_form() -> None:
    spec = minimal_spec(
        columns={"description": {"source": "text"}, "booked_on": {"source": "booked"}},
        pass_through=["terminal"],
        labels={"source": "fraud"},
    )
    row = only_row(spec, account_id=" A1 ", text="   ", booked="2024-03-06", terminal=" 7 ", fraud="1")
    assert row == {
        "business_date": DAY,
        "transaction_id": "T1",
        "account_id": "A1",
        "counterparty_id": "M1",
        "description": None,
        "event_at": datetime(2024, 3, 5, 11, tzinfo=UTC),
        "event_at_is_ambiguous": False,
        "booked_on": date(2024, 3, 6),
        "amount": Decimal("-12.5000"),
        "currency": "EUR",
        "is_fraud": True,
        "terminal": " 7 ",
        "warnings": None,
        "_delivery_id": "d1@2024-03-06",
        "_row_number": 2,
    }


@pytest.mark.parametrize(
    ("overrides", "row", "reason"),
    [
        ({}, {"amount": None}, "amount_is_missing"),
        ({}, {"amount": "  "}, "amount_is_missing"),
        ({}, {"amount": "NaN"}, "amount_is_not_a_number"),
        ({}, {"amount": "1,000.00"}, "amount_is_not_a_number"),
        ({}, {"amount": "1.005"}, "amount_has_too_many_digits"),
        ({}, {"amount": "123456789012345678901"}, "amount_is_too_large"),
        ({}, {"event_at": ""}, "event_at_is_missing"),
        ({}, {"event_at": "2024-02-30 12:00:00"}, "event_at_is_not_a_time"),
        ({}, {"event_at": "2024-03-05"}, "event_at_is_not_a_time"),
        ({}, {"event_at": "2024-03-07 00:00:00"}, "event_at_is_after_business_date"),
        ({}, {"event_at": "2024-02-27 23:59:59"}, "event_at_is_too_late"),
        ({}, {"transaction_id": " "}, "transaction_id_is_missing"),
        (KEYED, {"account_id": None}, "account_id_is_missing"),
        (CURRENCY, {"currency": "EURO"}, "currency_is_unknown"),
        (CURRENCY, {"currency": "eur"}, "currency_is_unknown"),
        (CURRENCY, {"currency": ""}, "currency_is_missing"),
        (CURRENCY, {"currency": "JPY", "amount": "100.5"}, "amount_has_too_many_digits"),
        ({"columns": {"currency": {"fixed": "ABC"}}}, {}, "currency_is_unknown"),
        (BOOKED, {"booked_on": "2024-03-05"}, "booked_on_is_not_a_date"),
        ({}, {"counterparty_id": "M\0"}, "counterparty_id_has_nul"),
    ],
)
def test_a_broken_value_is_quarantined_under_its_reason(
    overrides: dict[str, Any], row: dict[str, Any], reason: str
) -> None:
    assert reasons(minimal_spec(**overrides), **row) == [reason]


@pytest.mark.parametrize(
    ("overrides", "row"),
    [
        ({}, {"event_at": "2024-03-06 23:59:59"}),
        ({}, {"event_at": "2024-02-28 00:00:00"}),
        ({}, {"account_id": None}),
        (CURRENCY, {"currency": "BHD", "amount": "-0.125"}),
        (CURRENCY, {"currency": "JPY", "amount": "-100"}),
        (BOOKED, {"booked_on": ""}),
        (BOOKED, {"booked_on": "31.12.2023"}),
    ],
)
def test_a_value_at_the_limit_is_published(overrides: dict[str, Any], row: dict[str, Any]) -> None:
    assert reasons(minimal_spec(**overrides), **row) == []


def test_a_row_has_all_its_reasons_and_shows_the_value_behind_the_first() -> None:
    row = only_row(minimal_spec(), transaction_id="", event_at="yesterday", amount="12,50")
    assert row["reasons"] == "amount_is_not_a_number,event_at_is_not_a_time,transaction_id_is_missing"
    assert (row["column_name"], row["value"]) == ("amount", "12,50")


def test_a_reason_without_a_source_column_blames_none() -> None:
    row = only_row(minimal_spec(columns={"currency": {"fixed": "ABC"}}), event_at="yesterday")
    assert row["reasons"] == "currency_is_unknown,event_at_is_not_a_time"
    assert (row["column_name"], row["value"]) == (None, None)


def test_a_record_that_cannot_be_split_has_that_one_reason_and_its_bytes() -> None:
    spec = minimal_spec()
    nothing = dict.fromkeys(spec.declared)
    row = only_row(spec, **nothing, _problem="6 fields, expected 5", _record=b"a,\xff\0b")
    assert row["reasons"] == "record_cannot_be_split"
    assert (row["column_name"], row["value"]) == (None, "6 fields, expected 5")
    assert row["record"] == r"a,\xff\x00b"


def test_a_quarantined_record_is_kept_as_json_in_the_order_of_the_spec() -> None:
    spec = minimal_spec()
    row = only_row(spec, amount="zwölf", counterparty_id=None, _extra='{"tip":"1"}')
    assert list(json.loads(row["record"]).items()) == [
        ("event_at", "2024-03-05 12:00:00"),
        ("amount", "zwölf"),
        ("transaction_id", "T1"),
        ("account_id", "A1"),
        ("counterparty_id", None),
        ("_extra", {"tip": "1"}),
    ]
    assert '"amount":"zwölf",' in row["record"]


def test_no_nul_reaches_the_quarantine_either() -> None:
    row = only_row(minimal_spec(pass_through=["note"]), note="a\0b", amount="\0")
    assert row["reasons"] == "amount_has_nul,amount_is_not_a_number,note_has_nul"
    assert row["value"] == r"\x00"
    assert not [value for value in row.values() if isinstance(value, str) and "\0" in value]


@pytest.mark.parametrize(("label", "is_fraud"), [("1", True), (" true ", True), ("0", False), ("", None), (None, None)])
def test_a_label_is_true_false_or_unknown(label: str | None, is_fraud: bool | None) -> None:  # noqa: FBT001
    assert only_row(minimal_spec(labels={"source": "fraud"}), fraud=label)["is_fraud"] is is_fraud


RULES = [
    ({"column": "amount", "minimum": -12.5}, {"amount": "-12.50"}, {"amount": "-12.51"}),
    ({"column": "amount", "maximum": 0.1}, {"amount": "0.1"}, {"amount": "0.11"}),
    ({"column": "amount", "maximum": 1e300}, {"amount": "99999999999999999999"}, None),
    ({"column": "points", "minimum": 1.5, "maximum": 20}, {"points": " 1.5"}, {"points": "100"}),
    ({"column": "points", "minimum": 0}, {"points": None}, {"points": "1e3"}),
    ({"column": "category", "pattern": r"\d{4}"}, {"category": "5411"}, {"category": "54110"}),
    ({"column": "category", "pattern": r"5(?!411)\d+"}, {"category": None}, {"category": "5411"}),
    ({"column": "category", "allowed": ["5411", "x"]}, {"category": " x"}, {"category": "X"}),
    ({"column": "category", "required": True}, {"category": "0"}, {"category": " "}),
    ({"column": "event_at", "pattern": ".*:00"}, {}, {"event_at": "2024-03-05 12:00:01"}),
    ({"column": "currency", "allowed": ["EUR"]}, {}, None),
]


@pytest.mark.parametrize(("rule", "good", "bad"), RULES)
def test_a_row_rule_quarantines_under_its_own_name(
    rule: dict[str, Any], good: dict[str, Any], bad: dict[str, Any] | None
) -> None:
    spec = minimal_spec(
        columns={"category": {"source": "category"}},
        pass_through=["points"],
        row_rules=[{"name": "house_rule", **rule}],
    )
    assert reasons(spec, **good) == []
    if bad is not None:
        assert reasons(spec, **bad) == ["house_rule"]


def test_bounds_hold_after_the_sign_is_canonical() -> None:
    spec = minimal_spec(
        columns={"amount": {"sign": "positive_leaves"}},
        row_rules=[{"name": "money_leaves", "column": "amount", "maximum": 0}],
    )
    assert only_row(spec, amount="12.50")["amount"] == Decimal("-12.50")
    assert reasons(spec, amount="-12.50") == ["money_leaves"]


def test_a_bound_finer_than_money_is_not_rounded_towards_the_amount() -> None:
    rule = {"name": "next_to_nothing", "column": "amount", "maximum": 0.00005}
    spec = minimal_spec(columns={"currency": {"fixed": "CLF"}}, row_rules=[rule])
    assert reasons(spec, amount="0.0001") == ["next_to_nothing"]
    assert reasons(spec, amount="0") == []


def test_typing_reasons_and_rules_stand_side_by_side() -> None:
    spec = minimal_spec(row_rules=[{"name": "a_known_account", "column": "account_id", "allowed": ["A2"]}])
    assert reasons(spec, amount="?") == ["a_known_account", "amount_is_not_a_number"]


def test_a_range_without_rows_has_both_tables_with_all_types() -> None:
    spec = minimal_spec(labels={"source": "fraud"}, pass_through=["note"])
    published, quarantined = cleaned(spec, delivery(spec))
    assert published.schema == cleaned_table(spec).schema
    assert quarantined.schema == QUARANTINED.schema
    assert (published.num_rows, quarantined.num_rows) == (0, 0)


def test_a_day_of_nothing_but_bad_rows_is_quarantined_whole() -> None:
    spec = minimal_spec(columns={"transaction_id": None})
    verdict = cleaned(spec, delivery(spec, {"amount": "?"}, {"amount": "?"}))
    assert (verdict.published.num_rows, verdict.quarantined.num_rows) == (0, 2)
