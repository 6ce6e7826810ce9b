"""The rules that docs/institutions.md shows are accepted as they stand, and every setting of one is on the page."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from etl_assets.spec.rules import BatchRules, Reference, RowRule, Volume
from etl_assets_tests.specs import minimal_spec

PAGE = (Path(__file__).parents[1] / "docs" / "institutions.md").read_text(encoding="utf-8")
EXAMPLES = [yaml.safe_load(block) for block in re.findall(r"```yaml rules\n(.*?)```", PAGE, re.DOTALL)]
COLUMNS = {name: {"source": name} for name in ("category", "country", "reverses_id")}


def test_there_are_examples() -> None:
    assert {name for example in EXAMPLES for name in example} == {"row_rules", "batch_rules"}


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_accepted(example: dict[str, Any]) -> None:
    minimal_spec(columns=COLUMNS, **example)


@pytest.mark.parametrize("model", [RowRule, Reference, BatchRules, Volume])
def test_every_setting_is_on_the_page(model: type[RowRule]) -> None:
    section = PAGE.partition("\n## Rules\n")[2].partition("\n## ")[0]
    assert not [name for name in model.model_fields if f"`{name}" not in section and f"{name}:" not in section]
