"""Contradictions in how values are said to be written are refused in words, at their field."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from etl_assets_tests.spec_files import changed, refusal
from etl_assets_tests.specs import minimal_spec

CODES: dict[str, Any] = {"source": "dc", "leaves": ["D"], "arrives": ["C"]}
STEPS = {"origin": "2017-01-01", "unit": "day"}
EVENT, AMOUNT, CURRENCY = "columns.event_at", "columns.amount", "columns.currency"
MISTAKES = [
    # what is set, to what, where it is reported, what is said
    (f"{EVENT}.formats", ["epoch"], f"{EVENT}.formats.0", "expected epoch_s, epoch_ms, epoch_us or a strptime"),
    (f"{EVENT}.formats", ["epoch_s", "epoch_ms"], EVENT, "at most one of epoch_s and epoch_ms"),
    ("columns.booked_on", {"source": "b", "formats": ["epoch_s"]}, "columns.booked_on.formats.0", "month and day"),
    (EVENT, {"steps": STEPS, "formats": ["%Y-%m-%d"]}, EVENT, "expected either formats or steps"),
    (EVENT, {"steps": STEPS, "followed_by": ["t"]}, EVENT, "expected no followed_by"),
    (EVENT, {"formats": ["epoch_s"], "followed_by": ["t"]}, EVENT, "expected no followed_by"),
    (f"{EVENT}.steps", STEPS, "event_precision", "expected day: columns.event_at.steps of one day have no time"),
    (f"{EVENT}.steps", STEPS | {"unit": "week"}, f"{EVENT}.steps.unit", "'hour' or 'day'; found 'week'"),
    (f"{EVENT}.steps", STEPS | {"origin": "soon"}, f"{EVENT}.steps.origin", "expected a moment without a timezone"),
    (f"{EVENT}.steps", STEPS | {"origin": "2017-01-01T00:00:00Z"}, f"{EVENT}.steps.origin", "timezone"),
    (f"{EVENT}.steps", {"unit": "hour"}, f"{EVENT}.steps.origin", "expected a value; it is missing"),
    (f"{EVENT}.steps", STEPS | {"start": 1}, f"{EVENT}.steps.start", "unknown field; expected one of origin, unit"),
    (f"{EVENT}.followed_by", ["amount"], AMOUNT, "a source that columns.event_at.followed_by.0 does not read"),
    (f"{EVENT}.followed_by", ["_t"], f"{EVENT}.followed_by.0.source", "put this one under aliases; found '_t'"),
    (f"{EVENT}.followed_by", [{"name": "t"}], f"{EVENT}.followed_by.0.name", "unknown field; expected one of source"),
    (f"{AMOUNT}.symbols", "$", f"{AMOUNT}.symbols", "expected a list; found '$': write [$]"),
    (f"{AMOUNT}.symbols", ["$ "], f"{AMOUNT}.symbols.0", "expected a symbol or code such as $, EUR or kr."),
    (f"{AMOUNT}.symbols", ["-"], f"{AMOUNT}.symbols.0", "without digits, spaces, signs and marks; found '-'"),
    (f"{AMOUNT}.symbols", [""], f"{AMOUNT}.symbols.0", "at least 1 character"),
    (f"{AMOUNT}.negatives", ["brackets"], f"{AMOUNT}.negatives.0", "or 'parentheses'; found 'brackets'"),
    (f"{AMOUNT}.negatives", [], f"{AMOUNT}.negatives", "at least 1 item"),
    (f"{AMOUNT}.sign", CODES, f"{AMOUNT}.sign", "expected 'negative_leaves' or 'positive_leaves'"),
    (f"{AMOUNT}.debit_credit", CODES | {"arrives": []}, f"{AMOUNT}.debit_credit.arrives", "at least 1 item"),
    (f"{AMOUNT}.debit_credit", CODES | {"arrives": ["D"]}, f"{AMOUNT}.debit_credit", "found D under both"),
    (f"{AMOUNT}.debit_credit", CODES | {"leaves": ["D "]}, f"{AMOUNT}.debit_credit.leaves.0", "no space at its ends"),
    (f"{AMOUNT}.debit_credit", CODES | {"leaves": [1]}, f"{AMOUNT}.debit_credit.leaves.0", "put it in quotes"),
    (f"{AMOUNT}.debit_credit", CODES | {"debit": ["D"]}, f"{AMOUNT}.debit_credit.debit", "unknown field; expected one"),
    (f"{AMOUNT}.debit_credit", CODES | {"source": "event_at"}, f"{AMOUNT}.debit_credit", "event_at does not read"),
    (AMOUNT, {"sign": "positive_leaves", "debit_credit": CODES}, AMOUNT, "expected either sign or debit_credit"),
    (f"{AMOUNT}.otherwise", {"source": "amount"}, f"{AMOUNT}.otherwise", "columns.amount does not read"),
    (f"{AMOUNT}.otherwise", {"source": "o", "thousands_mark": "."}, AMOUNT, "otherwise: decimal_mark .* are both '.'"),
    (f"{AMOUNT}.otherwise", {"source": "o", "otherwise": {}}, f"{AMOUNT}.otherwise.otherwise", "unknown field"),
    (f"{AMOUNT}.otherwise", {"source": "o", "currency": {}}, f"{AMOUNT}.otherwise.currency", "exactly one of"),
    (f"{CURRENCY}.mapping", {"Euro": "EUR"}, CURRENCY, "a fixed currency has none"),
    (CURRENCY, {"fixed": None, "source": "c", "mapping": {"Euro": "Eur"}}, f"{CURRENCY}.mapping.Euro", "^[A-Z]{3}$"),
    (
        "columns.channel",
        {"source": "k", "mapping": {"": "x"}},
        "columns.channel.mapping",
        "key '': expected at least 1 char",
    ),
    (
        "columns.channel",
        {"source": "k", "mapping": {"W ": "x"}},
        "columns.channel.mapping",
        "key 'W ': expected no space",
    ),
    ("columns.channel", {"source": "k", "mapping": {"N": False}}, "columns.channel.mapping.N", "put it in quotes"),
    (
        "columns.channel",
        {"source": "k", "mapping": {True: "x"}},
        "columns.channel.mapping",
        "key True: expected text: put it in quotes",
    ),
    ("columns.account_id", {"source": "k", "mapping": {"a": "b"}}, "columns.account_id.mapping", "unknown field"),
    ("labels", {"source": "f", "genuine_values": ["1"]}, "labels", "each label in one list; found 1 in two"),
    ("labels", {"source": "f", "undecided_values": [" "]}, "labels.undecided_values.0", "no space at its ends"),
]


@pytest.mark.parametrize(("field", "value", "place", "said"), MISTAKES, ids=[f"{m[0]}={m[1]}"[:60] for m in MISTAKES])
def test_a_mistake_is_refused_at_its_place(tmp_path: Path, field: str, value: object, place: str, said: str) -> None:
    lines = refusal(tmp_path, changed(field, value)).splitlines()
    expected = ".*".join(re.escape(part) for part in said.split(".*"))
    assert any(re.match(rf"  {re.escape(place)}: .*{expected}", line) for line in lines), lines


def test_every_source_column_that_values_are_read_from_is_declared_under_its_spellings() -> None:
    other = {"source": "o", "currency": {"source": "oc"}, "debit_credit": CODES}
    event_at = {"followed_by": [{"source": "t", "aliases": ["time"]}]}
    spec = minimal_spec(columns={"event_at": event_at, "amount": {"otherwise": other}})
    assert list(spec.declared)[:6] == ["event_at", "t", "amount", "o", "dc", "oc"]
    assert spec.declared["t"] == ("t", "time")
