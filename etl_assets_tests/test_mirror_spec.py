"""What the YAML may say about Snowflake, and how a mistake in it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl_assets.assets.mirrored import mirrored_tables
from etl_assets_tests.spec_files import changed, refusal
from etl_assets_tests.specs import minimal_spec


def test_everything_that_is_published_is_mirrored_by_default_and_raw_only_where_it_is_named() -> None:
    names = [table.name for table in mirrored_tables(minimal_spec())]
    assert names == [
        "cleaned_transactions",
        "quarantined_transactions",
        "row_account",
        "featured_transactions",
        "scored_transactions",
    ]
    some = minimal_spec(snowflake={"tables": ["row_account", "raw_transactions"]})
    assert [table.name for table in mirrored_tables(some)] == ["raw_transactions", "row_account"]
    assert mirrored_tables(minimal_spec(snowflake={"tables": []})) == []


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("snowflake.tables", ["cleaned"], "snowflake.tables.0: expected 'raw_transactions', 'cleaned_transactions'"),
        ("snowflake.tables", ["row_account"] * 2, "expected each table once; row_account stands there twice"),
        (
            "snowflake.tables",
            "row_account",
            "snowflake.tables: expected a list; found 'row_account': write [row_account]",
        ),
        ("snowflake.fresh_within_hours", 0, "snowflake.fresh_within_hours"),
        (
            "snowflake.account",
            "xy12345",
            "snowflake.account: unknown field; expected one of tables, fresh_within_hours",
        ),
    ],
)
def test_a_mistake_is_named_with_what_was_expected(tmp_path: Path, field: str, value: object, said: str) -> None:
    assert said in refusal(tmp_path, changed(field, value))
