"""The log says how the header of each delivery differs from the one before, whatever was read first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pytest

from etl_assets.deliveries.ledger import Ledger, Read
from etl_assets.deliveries.schema_log import SchemaLog, as_json
from etl_assets.io_managers.postgres.schema import qualified
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets_tests.reads import MONDAY, read
from etl_assets_tests.specs import minimal_spec

SPEC = minimal_spec(columns={"amount": {"aliases": ["sum"]}})
OLD = dict.fromkeys(("event_at", "amount", "id_08"), "text")
NEW = dict.fromkeys(("event_at", "sum", "id-08"), "text")
DAYS = [MONDAY + timedelta(days=n) for n in range(4)]


@pytest.fixture
def log(warehouse: PostgresWarehouse) -> SchemaLog:
    return SchemaLog(warehouse, SPEC)


def delivered(log: SchemaLog, day: date, titles: Mapping[str, str], run: str = "run-1", **changes: Any) -> Read:
    """The delivery of the day is in the ledger and its header in the log."""
    one = read(f"{day}.csv", str(changes.pop("content", day)), day, titles=as_json(titles), **changes)
    Ledger(log.warehouse, SPEC.institution).record([one], run)
    log.record(run)
    return one


def logged(log: SchemaLog) -> list[tuple[Any, ...]]:
    at = qualified(SPEC.institution, "schema_events")
    rows = log.warehouse.fetch(f"SELECT * FROM {at} ORDER BY business_date, 4").to_pylist()
    return [(row["business_date"], row["kind"], row["column"], row["was"], row["is"], row["run_id"]) for row in rows]


def test_a_header_that_stays_is_no_event(log: SchemaLog) -> None:
    for day in DAYS:
        delivered(log, day, dict(reversed(OLD.items())) if day == MONDAY else OLD)
    assert logged(log) == []


def test_a_renamed_column_is_logged_once_on_the_day_that_it_changed(log: SchemaLog) -> None:
    for n, titles in enumerate((OLD, NEW, NEW)):
        delivered(log, DAYS[n], titles, f"run-{n}")
    assert logged(log) == [
        (DAYS[1], "renamed", "amount", "amount", "sum", "run-1"),
        (DAYS[1], "renamed", "id-08", "id_08", "id-08", "run-1"),
    ]


def test_reading_again_changes_nothing(log: SchemaLog) -> None:
    for run in ("run-1", "run-2"):
        for day, titles in zip(DAYS, (OLD, OLD | {"note": "text"}), strict=False):
            delivered(log, day, titles, run)
    assert logged(log) == [(DAYS[1], "added", "note", None, "text", "run-1")]


def test_a_delivery_that_arrives_late_takes_the_event_from_the_one_after_it(log: SchemaLog) -> None:
    delivered(log, DAYS[0], OLD, "run-0")
    delivered(log, DAYS[2], OLD | {"note": "text"}, "run-2")
    assert [event[0] for event in logged(log)] == [DAYS[2]]
    delivered(log, DAYS[1], OLD | {"note": "text"}, "run-3")
    assert logged(log) == [(DAYS[1], "added", "note", None, "text", "run-3")]


def test_a_rejected_file_and_one_without_a_header_are_passed_over(log: SchemaLog) -> None:
    delivered(log, DAYS[0], OLD)
    delivered(log, DAYS[1], NEW, problem="it ends early")
    delivered(log, DAYS[2], {})
    delivered(log, DAYS[3], OLD | {"amount": "double"})
    assert logged(log) == [(DAYS[3], "retyped", "amount", "text", "double", "run-1")]


def test_a_file_that_repeats_an_earlier_one_does_not_bring_its_old_header_back(log: SchemaLog) -> None:
    delivered(log, DAYS[0], OLD, content="a")
    delivered(log, DAYS[1], NEW)
    delivered(log, DAYS[2], OLD, content="a")
    delivered(log, DAYS[3], NEW)
    assert {event[0] for event in logged(log)} == {DAYS[1]}


def test_the_order_in_which_files_are_read_does_not_matter(log: SchemaLog) -> None:
    headers = (OLD, NEW, OLD | {"note": "text"}, OLD)
    for n in (3, 1, 0, 2):
        delivered(log, DAYS[n], headers[n])
    assert {(event[0], event[1], event[2]) for event in logged(log)} == {
        (DAYS[1], "renamed", "amount"),
        (DAYS[1], "renamed", "id-08"),
        (DAYS[2], "added", "note"),
        (DAYS[2], "renamed", "amount"),
        (DAYS[2], "renamed", "id_08"),
        (DAYS[3], "removed", "note"),
    }


def test_a_log_of_no_deliveries_is_a_table_without_rows(log: SchemaLog) -> None:
    log.record("run-1")
    assert logged(log) == []
