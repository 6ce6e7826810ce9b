"""The row account's question to Snowflake, put to DuckDB: a lost, doubled or foreign row breaks it, and no other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import duckdb
import pytest

from etl_assets.mirroring.row_account import violations
from etl_assets_tests.specs import minimal_spec

DAYS = [date(2026, 3, 2), date(2026, 3, 3)]
ALL = ["raw_transactions", "cleaned_transactions", "quarantined_transactions", "row_account"]


@pytest.fixture
def tables() -> Iterator[duckdb.DuckDBPyConnection]:
    """A delivery of five lines: three published, one invalid, a header."""
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA BANK_TEST; USE BANK_TEST")
        for name in ALL[:2]:
            connection.execute(f"CREATE TABLE {name} (business_date DATE, _delivery_id TEXT)")
        connection.execute(
            "CREATE TABLE quarantined_transactions (business_date DATE, _delivery_id TEXT, disposition TEXT);"
            "CREATE TABLE row_account (business_date DATE, _delivery_id TEXT, records_read BIGINT, published BIGINT, "
            "invalid BIGINT, duplicate BIGINT, superseded BIGINT, control_lines BIGINT)"
        )
        connection.execute("INSERT INTO raw_transactions SELECT DATE '2026-03-02', 'd' FROM range(4)")
        connection.execute("INSERT INTO cleaned_transactions SELECT DATE '2026-03-02', 'd' FROM range(3)")
        connection.execute("INSERT INTO quarantined_transactions VALUES ('2026-03-02', 'd', 'invalid')")
        connection.execute("INSERT INTO row_account VALUES ('2026-03-02', 'd', 5, 3, 1, 0, 0, 1)")
        yield connection


def broken(tables: duckdb.DuckDBPyConnection, mirrored: list[str]) -> dict[date, int]:
    spec = minimal_spec(snowflake={"tables": mirrored})
    return dict(tables.execute(violations(spec, DAYS)).fetchall())


def test_what_is_accounted_for_breaks_nothing(tables: duckdb.DuckDBPyConnection) -> None:
    assert broken(tables, ALL) == {}
    assert broken(tables, ALL[1:]) == {}
    assert broken(tables, ["row_account"]) == {}


@pytest.mark.parametrize(
    ("happened", "seen_by"),
    [
        ("INSERT INTO cleaned_transactions VALUES ('2026-03-02', 'd')", "cleaned_transactions"),
        ("INSERT INTO cleaned_transactions VALUES ('2026-03-02', 'other')", "cleaned_transactions"),
        ("UPDATE quarantined_transactions SET disposition = 'duplicate'", "quarantined_transactions"),
        ("DELETE FROM raw_transactions", "raw_transactions"),
        ("DELETE FROM row_account", "cleaned_transactions"),
    ],
)
def test_a_delivery_that_is_not_accounted_for_is_counted_where_the_table_is_mirrored(
    tables: duckdb.DuckDBPyConnection, happened: str, seen_by: str
) -> None:
    tables.execute(happened)
    assert broken(tables, ["row_account", seen_by]) == {DAYS[0]: 1}
    assert broken(tables, ["row_account"]) == {}


def test_an_account_that_does_not_add_up_is_counted_by_itself(tables: duckdb.DuckDBPyConnection) -> None:
    tables.execute("UPDATE row_account SET records_read = 6")
    assert broken(tables, ["row_account"]) == {DAYS[0]: 1}
