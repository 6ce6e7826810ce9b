"""The YAML that docs/institutions.md shows is accepted as it stands."""

import re
from pathlib import Path

import pytest
import yaml

from etl_assets.spec.deliveries import Deliveries
from etl_assets.spec.mirror import DEFAULT, Mirror

PAGE = (Path(__file__).parents[1] / "docs" / "institutions.md").read_text(encoding="utf-8")
EXAMPLES = [yaml.safe_load(block)["deliveries"] for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_accepted(example: dict[str, object]) -> None:
    assert Deliveries.model_validate(example).business_date("tx_20260302.csv") is not None


def test_every_format_and_every_setting_of_one_is_on_the_page() -> None:
    settings = [name for name in Deliveries.model_fields if name != "format"]
    formats = Deliveries.model_fields["format"].annotation.__args__
    assert not [name for name in (*settings, *formats) if f"`{name}" not in PAGE and f"{name}:" not in PAGE]


def test_the_example_of_mirrors_is_accepted_and_every_table_is_on_the_page() -> None:
    (block,) = re.findall(r"```yaml snowflake\n(.*?)```", PAGE, re.DOTALL)
    assert Mirror.model_validate(yaml.safe_load(block)["snowflake"]).tables != DEFAULT
    assert not [name for name in (*DEFAULT, *Mirror.model_fields) if f"`{name}" not in PAGE]
