"""The JSON Schema says of a YAML what the models say, and is the one that lies beside the documentation."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from etl_assets.definitions import DEMO_INSTITUTIONS
from etl_assets.spec.file import yaml_content
from etl_assets.spec.json_schema import json_schema, json_schema_text

DOCUMENTED = Path(__file__).parents[1] / "docs" / "institution.schema.json"
EXAMPLES = sorted(DEMO_INSTITUTIONS.glob("*.yaml"))
VALIDATOR = Draft202012Validator(json_schema())


def broken(path: str, value: Any) -> dict[str, Any]:
    """An example with one field set."""
    content = copy.deepcopy(yaml_content(EXAMPLES[0]))
    *parents, last = path.split(".")
    inner = content
    for parent in parents:
        inner = inner[parent]
    inner[last] = value
    return content


def test_the_documented_schema_is_that_of_the_models() -> None:
    found = json.loads(DOCUMENTED.read_text(encoding="utf-8"))
    mend = ".venv/bin/etl-assets schema docs/institution.schema.json"
    assert found == json.loads(json_schema_text()), f"the models have changed; write it again: {mend}"


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_each_example_is_valid(path: Path) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(yaml_content(path))] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("institution", "Bank X"),
        ("unknown", 1),
        ("deliveries.format", "xml"),
        ("deliveries.csv", {"separater": ";"}),
        ("columns.amount", {"sign": "positive_leaves"}),
        ("columns.currency", {"fixed": "euro"}),
        ("event_precision", "minute"),
        ("max_lateness_days", -1),
        ("owners", []),
    ],
)
def test_what_the_models_refuse_an_editor_marks(path: str, value: Any) -> None:
    assert list(VALIDATOR.iter_errors(broken(path, value)))


def test_the_schema_is_a_schema_and_offers_choices_and_defaults() -> None:
    Draft202012Validator.check_schema(json_schema())
    deliveries = json_schema()["$defs"]["Deliveries"]["properties"]
    assert "excel" in deliveries["format"]["enum"]
    assert deliveries["format"]["default"] == "csv"
