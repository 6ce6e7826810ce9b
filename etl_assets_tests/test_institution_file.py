"""A tenant file that is not even YAML, or not only one thing wrong with it: every mistake in its own line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from etl_assets.institution_spec import SpecRefused, load_spec
from etl_assets_tests.spec_files import refusal
from etl_assets_tests.specs import MINIMAL
from etl_assets_tests.specs import _merged as merged


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "expected fields as in `institution: my_bank`; found nothing"),
        ("# only a comment\n", "found nothing"),
        ("- institution\n", r"expected fields .* found \['institution'\]"),
        ("institution: a: b\n", "expected a readable YAML file: mapping values are not allowed"),
        ("deliveries:\n\tfolder: x\n", r"(?s)expected a readable YAML file: .*'\\t'.* line 2, column 1"),
        (b"institution: \xff\n", "expected a readable YAML file: "),
        ("columns: {}\nkey: []\ncolumns: {}\n", r"(?s)'columns' stands there twice.* line 3, column 1"),
        ("a: {b: [{c: 1, c: 2}]}", "'c' stands there twice"),
        ("a: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
        ("1: x", "1: "),
    ],
)
def test_a_file_that_is_no_mapping_of_fields_is_refused(tmp_path: Path, content: str | bytes, said: str) -> None:
    assert re.search(said, refusal(tmp_path, content))


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SpecRefused, match=r"gone\.yaml: expected a readable YAML file: .*No such file"):
        load_spec(tmp_path / "gone.yaml")


def test_a_date_that_no_calendar_has_names_its_field_though_yaml_itself_would_fail(tmp_path: Path) -> None:
    content = yaml.safe_dump(MINIMAL).replace("'2024-01-01'", "2024-02-30")
    assert "  start_date: " in refusal(tmp_path, content)


def test_anchors_and_merge_keys_are_no_repetition(tmp_path: Path) -> None:
    path = tmp_path / "bank.yaml"
    rules = "row_rules:\n- &a {name: a, column: amount, minimum: 0}\n- {<<: *a, name: b}\n"
    path.write_text(yaml.safe_dump(MINIMAL) + rules)
    assert [(r.name, r.minimum) for r in load_spec(path).row_rules] == [("a", 0), ("b", 0)]


def test_several_mistakes_are_told_at_once_each_in_its_line(tmp_path: Path) -> None:
    fields = merged(MINIMAL, {"time_zone": "x", "owners": ["y"], "deliveries": {"csv": {"quote": "zz"}}, "bogus": 1})
    lines = refusal(tmp_path, yaml.safe_dump(fields)).splitlines()[1:]
    assert {line.split(":")[0] for line in lines} == {"  time_zone", "  owners.0", "  deliveries.csv.quote", "  bogus"}


def test_several_contradictions_are_told_at_once_each_in_its_line(tmp_path: Path) -> None:
    overrides = {
        "key": ["country"],
        "pass_through": ["amount"],
        "row_rules": [{"name": "a", "column": "x", "required": True}],
    }
    lines = refusal(tmp_path, yaml.safe_dump(merged(MINIMAL, overrides))).splitlines()[1:]
    assert {line.split(":")[0] for line in lines} >= {"  key.0", "  pass_through.0", "  row_rules.0.column"}
