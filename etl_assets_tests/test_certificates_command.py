"""The certificates as a person asks for them on the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.reconciliation.certificate_log import remember
from etl_assets.reconciliation.certificates import Certificate, Verdict
from etl_assets_tests.test_cli import etl_assets

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)


def certificate(day: date, verdict: Verdict) -> Certificate:
    is_equal = verdict is Verdict.EQUAL
    return Certificate(
        table_name="cleaned_transactions",
        partition_key=str(day),
        verdict=verdict,
        rows_in_postgres=1765,
        rows_in_snowflake=1765,
        hash_in_postgres="1",
        hash_in_snowflake="1" if is_equal else "2",
        sums="{}",
        rows_missing=0,
        rows_extra=0,
        rows_changed=0 if is_equal else 1,
        rows_not_compared=0,
        columns_differ=() if is_equal else ("amount",),
        differing_keys=() if is_equal else ({"transaction_id": "t[7]"},),
        source_written_at=datetime(2026, 4, 1, tzinfo=UTC),
        checked_at=datetime(2026, 4, 1, tzinfo=UTC),
    )


@pytest.fixture
def settings(database: str) -> dict[str, str]:
    found = [certificate(MONDAY, Verdict.EQUAL), certificate(TUESDAY, Verdict.DIFFERENT)]
    remember(PostgresWarehouse(url=database), "nordbank", found, "run", "ORG-BANK/ETL")
    return {"ETL_WAREHOUSE_URL": database, "COLUMNS": "160"}


def test_every_day_has_its_verdict_and_what_differs_its_keys(tmp_path: Path, settings: dict[str, str]) -> None:
    said = etl_assets(tmp_path, "certificates", "nordbank", **settings)
    assert said.returncode == 0, said.stderr
    assert "1 of 2 certificates say equal." in said.stdout
    assert '2026-03-03 cleaned_transactions: [{"transaction_id": "t[7]"}]' in said.stdout
    assert "1,765" in said.stdout


def test_those_that_differ_and_those_of_some_days_can_be_asked_for(tmp_path: Path, settings: dict[str, str]) -> None:
    def days(*asked: str) -> list[str]:
        said = etl_assets(tmp_path, "certificates", "nordbank", "--json", *asked, **settings)
        assert said.returncode == 0, said.stderr
        return [row["business_date"] for row in json.loads(said.stdout)]

    assert days() == [str(MONDAY), str(TUESDAY)]
    assert days("--differing") == [str(TUESDAY)]
    assert days("--to", str(MONDAY)) == [str(MONDAY)]
    assert days("--from", str(TUESDAY), "--to", "2026-12-31") == [str(TUESDAY)]


def test_an_equal_certificate_of_an_earlier_write_is_late_and_one_of_a_table_that_is_no_mirror_is_not_shown(
    tmp_path: Path, settings: dict[str, str], database: str
) -> None:
    warehouse = PostgresWarehouse(url=database)
    removed = replace(certificate(MONDAY, Verdict.EQUAL), table_name="raw_transactions")
    remember(warehouse, "nordbank", [removed], "run", "ORG-BANK/ETL")
    with warehouse.transaction() as connection:
        connection.execute(
            "INSERT INTO nordbank._slices (table_name, partition_key, row_count, written_at, run_id) "
            "VALUES ('cleaned_transactions', %s, 1, now(), 'run')",
            [str(MONDAY)],
        )
    said = etl_assets(tmp_path, "certificates", "nordbank", "--json", "--differing", **settings)
    found = [(row["table_name"], row["verdict"], row["is_late"]) for row in json.loads(said.stdout)]
    assert found == [("cleaned_transactions", "equal", True), ("cleaned_transactions", "different", False)]
    said = etl_assets(tmp_path, "certificates", "nordbank", **settings)
    assert "equal, late" in said.stdout
    assert f"late cleaned_transactions: {MONDAY}" in said.stdout


def test_before_the_first_certificate_it_says_what_gives_them(tmp_path: Path, database: str) -> None:
    said = etl_assets(tmp_path, "certificates", "nordbank", ETL_WAREHOUSE_URL=database)
    assert said.returncode == 0, said.stderr
    assert "backfill nordbank FIRST LAST" in said.stdout
