"""The JSON Schema says of a YAML what the models say, explains every field, and lies beside the documentation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from etl_assets.definitions import DEMO_INSTITUTIONS
from etl_assets.institution_spec import InstitutionSpec
from etl_assets.onboarding.first_yaml import Answers, first_draft
from etl_assets.onboarding.yaml_writing import yaml_text
from etl_assets.simulator import simulate
from etl_assets.spec.file import yaml_file
from etl_assets.spec.json_schema import json_schema, json_schema_text
from etl_assets_tests.specs import MINIMAL
from etl_assets_tests.specs import _merged as merged
from etl_assets_tests.test_onboarding_samples import FILES

ROOT = Path(__file__).parents[1]
DOCUMENTED = ROOT / "docs" / "institution.schema.json"
EXAMPLES = sorted([*DEMO_INSTITUTIONS.glob("*.yaml"), *(ROOT / "bench").glob("*.yaml")])
BLOCKS = re.findall(
    r"```yaml[^\n]*\n(.*?)```", (ROOT / "docs" / "institutions.md").read_text(encoding="utf-8"), re.DOTALL
)
SCHEMA = json_schema()
KNOWN = {**SCHEMA["properties"], **SCHEMA["$defs"]["Columns"]["properties"]}
EXCEL = {"format": "excel", "excel": {"sheet": "Data"}}


def with_field(path: str, value: Any) -> dict[str, Any]:
    """The minimal spec with one field set, as a file has it."""
    override = reduce(lambda inner, name: {name: inner}, reversed(path.split(".")), value)
    content: dict[str, Any] = json.loads(json.dumps(merged(MINIMAL, override)))
    return content


def properties(node: Any, above: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property that any part of the schema has, however deep, by the path to it."""
    if isinstance(node, dict):
        fields = node.get("properties", {}) if "additionalProperties" in node else {}
        yield from ((f"{above}/{name}", field) for name, field in fields.items())
        for name, inner in node.items():
            yield from properties(inner, f"{above}/{name}")
    elif isinstance(node, list):
        for i, inner in enumerate(node):
            yield from properties(inner, f"{above}/{i}")


def mistakes(content: Any, schema: dict[str, Any] = SCHEMA) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(content)]


def test_the_documented_schema_is_that_of_the_models() -> None:
    found = json.loads(DOCUMENTED.read_text(encoding="utf-8"))
    mend = ".venv/bin/etl-assets schema docs/institution.schema.json"
    assert found == json.loads(json_schema_text()), f"the models have changed; write it again: {mend}"


@pytest.mark.parametrize(("path", "field"), list(properties(SCHEMA)), ids=[path for path, _ in properties(SCHEMA)])
def test_every_field_explains_itself_and_says_more_than_its_name(path: str, field: dict[str, Any]) -> None:
    said = field.get("description", "")
    assert 0 < len(said) <= 200, said
    assert len(set(re.findall(r"\w+", said.lower())) - set(path.rpartition("/")[2].split("_"))) >= 4, said


def test_no_part_of_the_schema_takes_an_unknown_field() -> None:
    assert len(list(properties(SCHEMA))) > 150
    parts = {"the file": SCHEMA, **SCHEMA["$defs"]}
    objects = {name: part["anyOf"][1] if "anyOf" in part else part for name, part in parts.items()}
    assert [name for name, part in objects.items() if part["additionalProperties"] is not False] == []


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_each_example_is_valid(path: Path) -> None:
    assert mistakes(yaml_file(path).content) == []


@pytest.mark.parametrize("block", BLOCKS)
def test_an_editor_marks_nothing_that_the_documentation_shows(block: str, tmp_path: Path) -> None:
    (tmp_path / "block.yaml").write_text(block, encoding="utf-8")
    for name, value in yaml_file(tmp_path / "block.yaml").content.items():
        assert mistakes(value, {**KNOWN[name], "$defs": SCHEMA["$defs"]}) == []


@pytest.mark.parametrize("bank", ["nordbank", "kartenhaus", "mercado"])
def test_an_editor_marks_nothing_in_the_first_yaml_of_a_simulated_bank(bank: str, tmp_path: Path) -> None:
    simulate(tmp_path, days=2)
    assert mistakes(first_yaml(max((tmp_path / bank).iterdir()), tmp_path)) == []


@pytest.mark.parametrize("file", [expected.file for expected in FILES])
def test_an_editor_marks_nothing_in_the_first_yaml_of_a_real_file(file: str, shared_data: Path, tmp_path: Path) -> None:
    assert mistakes(first_yaml(shared_data / file, tmp_path)) == []


def first_yaml(sample: Path, folder: Path) -> dict[str, Any]:
    """What `init` writes of the sample."""
    file = folder / "bank_x.yaml"
    file.write_text(yaml_text(first_draft(sample, Answers("bank_x", currency="GBP")), "# first"), encoding="utf-8")
    return yaml_file(file).content


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("columns.event_at", {"followed_by": ["time", {"source": "zone", "aliases": ["tz"]}]}),
        ("columns.event_at", {"steps": {"origin": "2017-01-01", "unit": "hour"}}),
        ("columns.event_at", {"steps": {"origin": "2017-01-01T06:00:00", "unit": "hour"}}),
        ("columns.event_at", {"formats": ["epoch_ms"]}),
        ("columns.amount", {"symbols": ["€", "EUR", "kr."], "thousands_mark": "'"}),
        ("columns.amount", {"otherwise": {"source": "original", "currency": {"source": "original_currency"}}}),
        ("columns.currency", {"fixed": None, "source": "Währung", "mapping": {"Euro": "EUR"}}),
        ("columns.country", {"source": "Land\nISO", "aliases": ["_land"]}),
        ("deliveries", EXCEL),
        ("deliveries.folder", "s3://bucket/$BANK/${ETL_X}/a$$b"),
        ("deliveries.file_name", r"(?P<month>[a-z]+)-(?P<year>\d{4})\.csv"),
        ("deliveries", {"format": "json", "json_records": "data.items"}),
        ("deliveries", {"marker": "control/{stem}.ok", "manifest": {"name": "{name}.json", "fields": {"rows": "n"}}}),
        ("deliveries.csv", {"separator": "\t", "quote": "'", "footer": {"pattern": r"T;(?P<rows>\d+)"}}),
        ("owners", ["team:zahlungsverkehr-österreich", "a.b@c.example"]),
        ("time_zone", "Etc/GMT+1"),
        ("row_rules", [{"name": "a", "holds": "amount <> 0"}, {"name": "b", "column": "amount", "minimum": 0}]),
        ("row_rules", [{"name": "a", "column": "amount", "minimum": 0.5, "maximum": None}]),
        ("batch_rules", {"volume": {"maximum": 3}, "warns": ["volume"]}),
        ("labels", {"source": "fraud", "fraud_values": ["yes, it is"]}),
    ],
)
def test_what_the_models_take_an_editor_does_not_mark(path: str, value: Any) -> None:
    content = with_field(path, value)
    InstitutionSpec.model_validate(content)
    assert mistakes(content) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("institution", "Bank X"),
        ("institution", 1),
        ("unknown", 1),
        ("owners", []),
        ("owners", ["Jane Doe"]),
        ("owners", "team:payments"),
        ("start_date", "02.03.2026"),
        ("start_date", 20260302),
        ("time_zone", "+01:00"),
        ("event_precision", "minute"),
        ("max_lateness_days", -1),
        ("max_lateness_days", "7"),
        ("max_lateness_days", True),
        ("max_lateness_days", 7.5),
        ("deliveries.folder", "$(ETL_DELIVERIES)/x"),
        ("deliveries.file_name", r"day_\d{8}\.csv"),
        ("deliveries.format", "xml"),
        ("deliveries.format", "excel"),
        ("deliveries", {"excel": {"sheet": "Data"}}),
        ("deliveries", {"format": "excel", "excel": "Data"}),
        ("deliveries", {**EXCEL, "json_records": "data"}),
        ("deliveries", {"format": "fixed_width"}),
        ("deliveries.fixed_width", {"columns": [{"name": "a", "start": 1, "width": 3}]}),
        ("deliveries.csv", {"separater": ";"}),
        ("deliveries.csv", {"separator": "::"}),
        ("deliveries.csv", {"separator": "§"}),
        ("deliveries.csv", {"footer": "TOTAL"}),
        ("deliveries.marker", "done"),
        ("deliveries.marker", "/done/{name}.ok"),
        ("deliveries.manifest", {"name": "{name}.json", "fields": {"count": "n"}}),
        ("deliveries.manifest", {"name": "{name}.json", "fields": ["rows"]}),
        ("deliveries.archives", {"max_expanded_mb": 0}),
        ("columns.colour", {"source": "c"}),
        ("columns.amount", "Betrag"),
        ("columns.country", {"aliases": ["Land"]}),
        ("columns.country", {"source": "_file"}),
        ("columns.country", {"source": "c", "optional": "maybe"}),
        ("columns.country", {"source": "c", "mapping": {"D": " DE"}}),
        ("columns.account_id", {"mapping": {"a": "b"}}),
        ("columns.status", {"source": "s", "mapping": {"B": "booked"}}),
        ("columns.event_at.formats", "%Y-%m-%d"),
        ("columns.event_at.formats", ["DD.MM.YYYY"]),
        ("columns.event_at.followed_by", "time"),
        ("columns.event_at.followed_by", [1]),
        ("columns.event_at.followed_by", [""]),
        ("columns.event_at.followed_by", ["_time"]),
        ("columns.event_at.followed_by", [{"name": "time"}]),
        ("columns.event_at.steps", {"origin": "2017-01-01T00:00:00Z", "unit": "hour"}),
        ("columns.event_at.steps", {"origin": 20170101, "unit": "hour"}),
        ("columns.event_at.steps", {"origin": "2017-01-01", "unit": "week"}),
        ("columns.amount.negatives", ["brackets"]),
        ("columns.amount.symbols", ["-"]),
        ("columns.amount.debit_credit", {"source": "dc", "leaves": "D", "arrives": ["C"]}),
        ("columns.currency", {"fixed": "euro"}),
        ("columns.currency", {"fixed": None}),
        ("columns.currency", {"source": "c"}),
        ("row_rules", [{"name": "a"}]),
        ("row_rules", [{"name": "a", "column": "amount", "holds": "amount <> 0"}]),
        ("row_rules", [{"name": "a", "column": "amount", "minimum": True}]),
        ("row_rules", [{"name": "a", "column": "currency", "allowed": "EUR"}]),
        ("row_rules", [{"name": "a", "column": "currency", "reference": {"file": "a.xlsx", "column": "b"}}]),
        ("batch_rules", {"max_quarantined_share": 5}),
        ("batch_rules", {"volume": 3}),
        ("batch_rules", {"warns": ["volumes"]}),
        ("personal_data", {"undeclared": "remove"}),
        ("labels", {"source": "fraud", "fraud_values": [1]}),
        ("alert_budget", {"share": 1}),
        ("training", {"weeks": 0}),
    ],
)
def test_what_the_models_refuse_an_editor_marks(path: str, value: Any) -> None:
    content = with_field(path, value)
    with pytest.raises(ValidationError):
        InstitutionSpec.model_validate(content)
    assert mistakes(content) != []


def test_the_schema_is_a_schema_and_offers_choices_and_defaults() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    deliveries = SCHEMA["$defs"]["Deliveries"]["properties"]
    assert "excel" in deliveries["format"]["enum"]
    assert deliveries["format"]["default"] == "csv"
