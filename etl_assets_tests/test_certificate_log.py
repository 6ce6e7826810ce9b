"""The log has the latest certificate of each day and table, and how often in a row a write was found different."""

from __future__ import annotations

import json
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from etl_assets.io_managers.errors import Permanent
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.slices import daily_slice
from etl_assets.reconciliation.certificate_log import latest, remember
from etl_assets.reconciliation.certificates import Certificate, Verdict
from etl_assets_tests.payments import MONDAY, TUESDAY

ACCOUNT = "ORG-BANK/ETL"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
EQUAL = Certificate(
    table_name="cleaned_transactions",
    partition_key=str(MONDAY),
    verdict=Verdict.EQUAL,
    rows_in_postgres=2,
    rows_in_snowflake=2,
    hash_in_postgres="12",
    hash_in_snowflake="12",
    sums='{"amount": {"postgres": "1.0000", "snowflake": "1.0000"}}',
    rows_missing=0,
    rows_extra=0,
    rows_changed=0,
    rows_not_compared=0,
    columns_differ=(),
    differing_keys=(),
    source_written_at=NOON,
    checked_at=NOON,
)
DIFFERENT = replace(
    EQUAL, verdict=Verdict.DIFFERENT, rows_changed=1, columns_differ=("amount", "note"), differing_keys=({"id": "é"},)
)


def later(certificate: Certificate, hours: int) -> Certificate:
    return replace(certificate, checked_at=NOON + timedelta(hours=hours))


def rows(warehouse: PostgresWarehouse) -> list[dict[str, Any]]:
    stored: list[dict[str, Any]] = latest(warehouse, "bank").to_pylist()
    return stored


def test_what_was_never_certified_has_no_certificate(warehouse: PostgresWarehouse) -> None:
    remember(warehouse, "bank", [], "run", ACCOUNT)
    assert rows(warehouse) == []


def test_a_certificate_comes_back_as_it_was_given(warehouse: PostgresWarehouse) -> None:
    remember(warehouse, "bank", [DIFFERENT], "run 7", ACCOUNT)
    (stored,) = rows(warehouse)
    assert (stored["business_date"], stored["table_name"], stored["verdict"]) == (
        MONDAY,
        "cleaned_transactions",
        "different",
    )
    assert (stored["columns_differ"], json.loads(stored["differing_keys"])) == ("amount,note", [{"id": "é"}])
    assert (stored["source_written_at"], stored["checked_at"]) == (NOON, NOON)
    assert (stored["run_id"], stored["snowflake"]) == ("run 7", ACCOUNT)


def test_the_latest_comparison_of_a_day_and_table_holds_whatever_came_in_last(warehouse: PostgresWarehouse) -> None:
    remember(warehouse, "bank", [later(EQUAL, 2), later(DIFFERENT, 1)], "run", ACCOUNT)
    remember(warehouse, "bank", [DIFFERENT], "an old run that was slow", ACCOUNT)
    tuesday = replace(DIFFERENT, partition_key=str(TUESDAY))
    remember(warehouse, "bank", [tuesday, replace(DIFFERENT, table_name="row_account")], "run", ACCOUNT)
    found = {(row["business_date"], row["table_name"]): row["verdict"] for row in rows(warehouse)}
    assert found == {
        (MONDAY, "cleaned_transactions"): "equal",
        (MONDAY, "row_account"): "different",
        (TUESDAY, "cleaned_transactions"): "different",
    }
    assert latest(warehouse, "bank", daily_slice("business_date", [TUESDAY])).num_rows == 1


def test_a_write_that_is_different_again_and_again_is_counted_until_it_is_equal_or_another(
    warehouse: PostgresWarehouse,
) -> None:
    rewritten = replace(DIFFERENT, source_written_at=NOON + timedelta(minutes=1))
    unknown = replace(DIFFERENT, verdict=Verdict.CHANGED_MEANWHILE)
    times = []
    for hours, certificate in enumerate([DIFFERENT, DIFFERENT, unknown, rewritten, rewritten, EQUAL, DIFFERENT]):
        remember(warehouse, "bank", [later(certificate, hours)], "run", ACCOUNT)
        times.append(rows(warehouse)[0]["times_different"])
    assert times == [1, 2, 2, 1, 2, 0, 1]


def test_what_another_account_was_found_to_lack_counts_for_that_account(warehouse: PostgresWarehouse) -> None:
    for hours, account in enumerate([ACCOUNT, ACCOUNT, "ORG-OTHER/ETL"]):
        remember(warehouse, "bank", [later(DIFFERENT, hours)], "run", account)
    assert rows(warehouse)[0]["times_different"] == 1


def test_of_two_runs_at_once_the_later_comparison_holds(
    warehouse: PostgresWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(warehouse, "bank", [replace(EQUAL, partition_key=str(TUESDAY))], "run", ACCOUNT)
    with ThreadPoolExecutor(1) as other_run:
        started: list[Future[None]] = []

        def slow(*asked: Any) -> Any:
            """Another run comes in between what this one reads and what it writes."""
            found = latest(*asked)
            if not started:
                newer = [later(DIFFERENT, 1)]
                started.append(other_run.submit(remember, warehouse, "bank", newer, "another run", ACCOUNT))
                wait(started, timeout=1)
            return found

        monkeypatch.setattr("etl_assets.reconciliation.certificate_log.latest", slow)
        remember(warehouse, "bank", [EQUAL], "run", ACCOUNT)
        started[0].result()
    assert {row["business_date"]: row["verdict"] for row in rows(warehouse)}[MONDAY] == "different"


def test_a_certificate_of_no_day_is_refused_and_nothing_is_stored(warehouse: PostgresWarehouse) -> None:
    with pytest.raises(Permanent, match="by day"):
        remember(warehouse, "bank", [EQUAL, replace(EQUAL, partition_key="north")], "run", ACCOUNT)
    assert rows(warehouse) == []
