"""A dropped file becomes scored rows with no click: real folder, real PostgreSQL, the sensor as Dagster ticks it."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta

import pytest

from etl_assets.deliveries.arrivals import Memory
from etl_assets.deliveries.ledger import Ledger, Read
from etl_assets.sensors import RUNS_PER_TICK
from etl_assets.sources.listing import Found, ListingFailed, listed
from etl_assets_tests.bank import HEADER, Platform, line
from etl_assets_tests.daemon import Daemon, good
from etl_assets_tests.reads import read

MONDAY = date(2026, 3, 2)
DAYS = [MONDAY + timedelta(days=n) for n in range(12)]
AT_NINE = datetime(2026, 3, 3, 9, tzinfo=UTC)


@pytest.fixture
def daemon(platform: Platform) -> Daemon:
    return Daemon(platform)


def as_read(found: Found) -> Read:
    path = found.relative_path
    return read(path, path, found.business_date, size_bytes=found.size_bytes, delivered_at=found.delivered_at)


def test_a_dropped_file_becomes_scored_rows_and_is_then_unchanged(daemon: Daemon) -> None:
    daemon.platform.deliver(MONDAY, good(MONDAY))
    assert daemon.tick() == ([], "1 unstable")
    requests, _ = daemon.tick()
    assert [request.partition_key for request in requests] == ["2026-03-02"]
    assert daemon.tick() == ([], "1 requested")
    assert daemon.run(requests[0]).success
    scored = daemon.platform.table("scored_transactions", ("business_date", "model_version"))
    assert [tuple(row.values()) for row in scored] == [(MONDAY, "cold_start")] * 40
    assert daemon.tick() == ([], "1 unchanged")


def test_a_run_names_its_institution_and_trains_nothing(daemon: Daemon) -> None:
    daemon.platform.deliver(MONDAY, good(MONDAY))
    daemon.tick()
    ((request,), _) = daemon.tick()
    assert request.tags["etl_assets/institution"] == daemon.platform.spec.institution
    result = daemon.run(request)
    assert not any("autoencoder" in event.node_name for event in result.all_events if event.is_step_event)


def test_a_corrected_file_is_another_run_that_replaces_what_it_corrects(daemon: Daemon) -> None:
    path = daemon.platform.deliver(MONDAY, good(MONDAY))
    assert daemon.settle() == [True]
    path.write_text(HEADER + "".join(line(number, MONDAY, amount="-99,00") for number in range(40)))
    os.utime(path, (AT_NINE.timestamp(), AT_NINE.timestamp()))
    assert daemon.settle() == [True]
    amounts = daemon.platform.table("scored_transactions", ("DISTINCT amount",))
    assert [str(row["amount"]) for row in amounts] == ["-99.0000"]
    assert daemon.tick() == ([], "1 unchanged")


def test_a_refused_file_is_not_requested_again_until_it_changes(daemon: Daemon) -> None:
    daemon.platform.deliver(MONDAY, "")
    assert daemon.settle() == []
    daemon.platform.deliver(MONDAY, "nothing;like;the;header\n1;2;3;4\n")
    assert daemon.settle() == [False]
    assert [daemon.tick()[1] for _ in range(3)] == ["1 rejected"] * 3
    daemon.platform.deliver(MONDAY, good(MONDAY), hour=5)
    assert daemon.settle() == [True]
    assert len(daemon.platform.table("scored_transactions")) == 40


def test_the_same_bytes_under_another_name_run_once_and_are_told(daemon: Daemon) -> None:
    daemon.platform.deliver(MONDAY, good(MONDAY))
    assert daemon.settle() == [True]
    daemon.platform.deliver(MONDAY, good(MONDAY), suffix="_again", hour=5)
    assert daemon.settle() == [True]
    assert daemon.tick() == ([], "1 unchanged, 1 redelivered")
    assert len(daemon.platform.table("scored_transactions")) == 40


def test_what_is_over_the_limit_comes_with_the_next_tick(daemon: Daemon) -> None:
    for day in DAYS:
        daemon.platform.deliver(day, good(day))
    daemon.tick()
    first, second = daemon.tick()[0], daemon.tick()[0]
    assert len(first) == RUNS_PER_TICK
    assert first[-1].partition_key == DAYS[-1].isoformat()
    assert [request.partition_key for request in second] == [day.isoformat() for day in DAYS[-3:-1]]


def test_a_folder_that_cannot_be_listed_fails_the_tick_and_leaves_the_cursor(daemon: Daemon) -> None:
    folder = daemon.platform.spec.folder
    daemon.platform.deliver(MONDAY, good(MONDAY))
    daemon.tick()
    before = daemon.cursor
    folder.rename(folder.with_name("unmounted"))
    with pytest.raises(ListingFailed, match="mount it"):
        daemon.tick()
    folder.with_name("unmounted").rename(folder)
    assert daemon.cursor == before
    assert len(daemon.tick()[0]) == 1


def test_a_lost_cursor_costs_a_tick_and_asks_for_nothing_that_the_ledger_holds(daemon: Daemon) -> None:
    daemon.platform.deliver(MONDAY, good(MONDAY))
    assert daemon.settle() == [True]
    daemon.cursor = None
    assert daemon.tick() == ([], "1 unchanged")
    assert Memory.read(daemon.cursor) == Memory()


def test_ten_thousand_files_fit_into_a_cursor_and_are_forgotten_once_they_are_read(daemon: Daemon) -> None:
    for number in range(10_000):
        daemon.platform.deliver(DAYS[number % 12], f"{number}\n", suffix=f"_{number}")
    daemon.tick()
    assert len(daemon.tick()[0]) == RUNS_PER_TICK
    assert len(daemon.cursor or "") < 250_000
    reads = [as_read(found) for found in listed(daemon.platform.spec)]
    Ledger(daemon.platform.warehouse, daemon.platform.spec.institution).record(reads, "run")
    assert daemon.tick() == ([], "10000 unchanged")
    assert Memory.read(daemon.cursor) == Memory()
