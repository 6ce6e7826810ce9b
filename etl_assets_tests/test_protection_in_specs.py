"""What a spec may say of personal data, and what contradicts the rest of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from etl_assets.spec.privacy import PersonalData, fates, header_in_words, plain_title
from etl_assets.tables import raw_table
from etl_assets_tests.specs import minimal_spec

ALIASED = {"account_id": {"source": "card", "aliases": ["Card No"]}}
REVERSING = {"reverses_id": {"source": "cancels"}}
MAPPED = {"direction": {"source": "dc", "mapping": {"D": "debit"}}}


@pytest.mark.parametrize(
    ("personal", "others", "said"),
    [
        ({"tokens": ["ssn"], "dropped": ["SSN"]}, {}, "once; it stands under personal_data.tokens already"),
        ({"tokens": ["card", "Card No"]}, {"columns": ALIASED}, "once; it stands under personal_data.tokens already"),
        ({"tokens": ["ssn"], "no_cards": ["ssn"]}, {}, "once; it stands under personal_data.tokens already"),
        ({"tokens": ["amount"]}, {}, "expected a column of text"),
        ({"dropped": ["event_at"]}, {}, "expected a column of text"),
        ({"tokens": ["dc"]}, {"columns": MAPPED}, "expected a column of text"),
        ({"dropped": ["transaction_id"]}, {}, "no row can do without transaction_id"),
        ({"dropped": ["account_id"]}, {"key": ["account_id", "transaction_id"]}, "no row can do without account_id"),
        (
            {"tokens": ["account_id"]},
            {"row_rules": [{"name": "long", "column": "account_id", "pattern": "[0-9]+"}]},
            "expected a rule with `required` only",
        ),
        (
            {"dropped": ["account_id"]},
            {"row_rules": [{"name": "there", "column": "account_id", "required": True}]},
            "expected a column that personal_data does not drop",
        ),
        ({"tokens": ["transaction_id"]}, {"columns": REVERSING}, "expected both as tokens or neither"),
        ({"tokens": [""]}, {}, "at least 1 character"),
        ({"undeclared": "hide"}, {}, "'keep' or 'drop'"),
        ({"hidden": ["ssn"]}, {}, "Extra inputs"),
    ],
)
def test_a_contradiction_is_refused(personal: dict[str, Any], others: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        minimal_spec(personal_data=personal, **others)


def test_what_a_spec_may_say_is_accepted() -> None:
    rules = [{"name": "there", "column": "account_id", "required": True}]
    personal = {"tokens": ["card_no", "transaction_id", "cancels"], "dropped": ["ssn"], "no_cards": ["amount"]}
    spec = minimal_spec(columns=ALIASED | REVERSING, row_rules=rules, personal_data=personal)
    found = {name: fate for name, fate in fates(spec).items() if fate != "kept"}
    assert found == {"card": "token", "transaction_id": "token", "cancels": "token"}


def test_the_dictionary_says_which_columns_are_tokens() -> None:
    spec = minimal_spec(personal_data={"tokens": ["account_id"], "dropped": ["counterparty_id"]})
    found = {column.name: column.description for column in raw_table(spec).columns}
    assert found["account_id"].startswith("A token of the delivered value")
    assert found["counterparty_id"] == "Personal; always null."
    assert found["amount"] == "As delivered."


def test_undeclared_columns_stay_out_as_soon_as_any_column_is_personal() -> None:
    kept = [minimal_spec(personal_data=p).personal_data.keeps_undeclared for p in ({}, {"no_cards": ["a"]})]
    left_out = [minimal_spec(personal_data=p).personal_data.keeps_undeclared for p in ({"dropped": ["a"]},)]
    assert (kept, left_out) == ([True, True], [False])


def test_the_example_of_the_documentation_is_accepted_and_has_every_field() -> None:
    page = (Path(__file__).parents[1] / "docs" / "institutions.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml personal_data\n(.*?)```", page, re.DOTALL)
    example = yaml.safe_load(block)
    assert example["personal_data"].keys() == PersonalData.model_fields.keys()
    assert minimal_spec(**example).personal_data.is_named


@pytest.mark.parametrize("title", ["(column 4)", "  ", "---"])
def test_a_title_without_letters_is_still_one(title: str) -> None:
    assert plain_title(title)


def test_a_message_quotes_of_the_header_only_what_the_spec_knows() -> None:
    """The first line of a file without a header is a person's."""
    person = ["033-98-5854", "4111111111111111", "amount"]
    said = header_in_words(person, minimal_spec(personal_data={"dropped": ["ssn"]}))
    assert said == "the header is ['amount'] and 2 titles that the spec does not name"
    assert header_in_words(["ssn"], minimal_spec(personal_data={"dropped": ["ssn"]})).startswith(
        "the header is ['ssn']"
    )
    assert header_in_words(person, minimal_spec()) == f"the header is {person}"
