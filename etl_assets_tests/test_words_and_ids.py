"""Ids stay what they are or are refused, words of an institution become ours, and no label is guessed."""

from __future__ import annotations

from typing import Any

import pytest

from etl_assets.spec.columns import IDS
from etl_assets_tests.raw_rows import only_row, reasons
from etl_assets_tests.specs import minimal_spec

EVERY_ID = minimal_spec(columns={name: {"source": name} for name in IDS})


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize(
    "text", ["3.53E+18", "1.23457E+15", "3,53E+18", "1E+12", "-7.27612092139916e+17", " 3.53E+18 "]
)
def test_an_id_that_a_spreadsheet_has_rounded_is_refused(name: str, text: str) -> None:
    assert reasons(EVERY_ID, **{name: text}) == [f"{name}_was_rounded_by_a_spreadsheet"]


@pytest.mark.parametrize("text", ["5E3", "5E+3", "12E+18", "1.2.3E+18", "3.53E18", "A3.53E+18", "3.53E+1800", "+4930"])
def test_an_id_that_only_looks_like_a_number_is_kept(text: str) -> None:
    assert only_row(EVERY_ID, transaction_id=text)["transaction_id"] == text


@pytest.mark.parametrize("text", ["3527213246127876953", "-727612092139916043", "9" * 60, "00012", "1e400", "12.0"])
def test_big_integers_are_exact(text: str) -> None:
    row = only_row(EVERY_ID, transaction_id=text, account_id=text, counterparty_id=text)
    assert [row[name] for name in ("transaction_id", "account_id", "counterparty_id")] == [text] * 3


def test_a_mapped_word_becomes_ours_and_another_stays() -> None:
    channel = {"source": "kind", "mapping": {"Chip Transaction": "card_present", "Online": "online"}}
    spec = minimal_spec(columns={"channel": channel})
    found = [only_row(spec, kind=kind)["channel"] for kind in ("Online", " Chip Transaction ", "online", "Cash", None)]
    assert found == ["online", "card_present", "online", "Cash", None]


def test_a_rule_on_a_mapped_column_sees_our_word() -> None:
    rule = {"name": "channel_is_known", "column": "channel", "allowed": ["online"]}
    spec = minimal_spec(columns={"channel": {"source": "kind", "mapping": {"W": "online"}}}, row_rules=[rule])
    assert reasons(spec, kind="W") == []
    assert reasons(spec, kind="X") == ["channel_is_known"]


def label(text: str | None, **labels: Any) -> bool | str | None:
    row = only_row(minimal_spec(labels={"source": "ok?", **labels}), **{"ok?": text})
    found: bool | str | None = row.get("reasons", row.get("is_fraud"))
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", True), ("1", False), ("open", None), (None, None), ("  ", None), ("2", "is_fraud_is_unknown")],
)
def test_an_inverted_label_is_read_by_its_lists(text: str | None, expected: object) -> None:
    lists = {"fraud_values": ["0"], "genuine_values": ["1"], "undecided_values": ["open"]}
    assert label(text, **lists) == expected


def test_without_a_list_of_genuine_labels_any_other_is_genuine() -> None:
    assert [label(text) for text in ("1", "true", "0", "whatever", None)] == [True, True, False, False, None]
    assert label("open", undecided_values=["open"]) is None
