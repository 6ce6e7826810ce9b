"""What docs/institutions.md says of values holds: its YAML is accepted, its reasons are given, each field is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from etl_assets.spec.columns import Columns, Currency, Day, DebitCredit, Instant, OtherAmount, Steps, Word
from etl_assets.spec.learning import Labels
from etl_assets_tests.raw_rows import reasons
from etl_assets_tests.specs import minimal_spec

PAGE = (Path(__file__).parents[1] / "docs" / "institutions.md").read_text(encoding="utf-8")
EXAMPLES = [yaml.safe_load(block) for block in re.findall(r"```yaml columns\n(.*?)```", PAGE, re.DOTALL)]
ROW = {
    "Year": "2024",
    "Month": "3",
    "Day": "5",
    "Time": "09:30",
    "Value date": "05.03.2024",
    "Billed": "€ 1 234,50",
    "D/C": "DR",
    "Currency": "Euro",
}


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_accepted(example: dict[str, Any]) -> None:
    assert Columns.model_validate(example).mapped.keys() == example.keys()


@pytest.mark.parametrize("model", [Instant, Day, Steps, OtherAmount, DebitCredit, Currency, Word, Labels])
def test_every_field_of_a_value_is_on_the_page(model: type[BaseModel]) -> None:
    elsewhere = {"known_after_days", "optional"}
    assert not [name for name in {*model.model_fields} - elsewhere if f"`{name}" not in PAGE and f"{name}:" not in PAGE]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({}, []),
        ({"Billed": "(1 234,50)", "D/C": "C"}, ["amount_has_two_signs"]),
        ({"Billed": "$1"}, ["amount_is_not_a_number"]),
        ({"D/C": "?"}, ["debit_credit_is_unknown"]),
        ({"D/C": None}, ["debit_credit_is_missing"]),
        ({"Currency": "Mark"}, ["currency_is_unknown"]),
        ({"Time": "9.30"}, ["event_at_is_not_a_time"]),
        ({"Value date": "5 March"}, ["booked_on_is_not_a_date"]),
        ({"transaction_id": "3.53E+18"}, ["transaction_id_was_rounded_by_a_spreadsheet"]),
        ({"ok": "?"}, ["is_fraud_is_unknown"]),
    ],
)
def test_a_reason_of_the_page_is_given_for_its_row(row: dict[str, str | None], expected: list[str]) -> None:
    columns = EXAMPLES[0] | {"currency": EXAMPLES[0]["currency"] | {"fixed": None}}
    labels = {"source": "ok", "fraud_values": ["0"], "genuine_values": ["1"], "undecided_values": ["open"]}
    assert reasons(minimal_spec(columns=columns, labels=labels), **(ROW | row)) == expected
    assert all(f"`{reason}`" in PAGE for reason in expected)
