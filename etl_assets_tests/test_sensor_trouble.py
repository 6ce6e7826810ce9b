"""What the arrivals do when something is away, comes twice or has an odd time: nothing is lost or runs twice."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from etl_assets.io_managers.errors import Unavailable
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets_tests.bank import HEADER, Platform, line
from etl_assets_tests.conftest import fresh_platform
from etl_assets_tests.daemon import Daemon, good
from etl_assets_tests.test_sensor_repeats import beside

MONDAY = date(2026, 3, 2)
TUESDAY = MONDAY + timedelta(days=1)
CORRECTED = HEADER + "".join(line(number, MONDAY, amount="-99,00") for number in range(40))


@pytest.fixture
def daemon(platform: Platform) -> Daemon:
    return Daemon(platform)


def amounts(daemon: Daemon) -> list[str]:
    return [str(row["amount"]) for row in daemon.platform.table("scored_transactions", ("DISTINCT amount",))]


def test_a_tick_without_a_database_says_so_and_leaves_the_cursor(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.platform.deliver(MONDAY, good(MONDAY))
    daemon.tick()
    before, warehouse = daemon.cursor, daemon.platform.warehouse
    monkeypatch.setattr(daemon.platform, "warehouse", PostgresWarehouse(url="postgresql://etl:hidden@127.0.0.1:1/etl"))
    with pytest.raises(Unavailable, match="is it running") as said:
        daemon.tick()
    assert "hidden" not in str(said.value)
    monkeypatch.setattr(daemon.platform, "warehouse", warehouse)
    assert daemon.cursor == before
    assert len(daemon.tick()[0]) == 1


def test_a_tick_that_is_killed_before_its_answer_and_a_second_daemon_ask_for_the_same_run(daemon: Daemon) -> None:
    daemon.platform.deliver(MONDAY, good(MONDAY))
    daemon.tick()
    before = daemon.cursor
    ((first,), _) = daemon.tick()
    daemon.cursor = before
    ((second,), _) = daemon.tick()
    assert second.run_key == first.run_key
    daemon.platform.instance.create_run_for_job(
        daemon.platform.definitions.resolve_job_def(f"{daemon.platform.spec.institution}__raw_to_scored"),
        tags={**first.tags, "dagster/partition": "2026-03-02"},
    )
    daemon.cursor = before
    ((third,), _) = daemon.tick()
    assert third.run_key == first.run_key


def test_a_file_that_was_away_when_its_run_came_is_asked_for_anew_once_it_is_back(daemon: Daemon) -> None:
    daemon.platform.deliver(MONDAY, good(MONDAY)).unlink()
    path = daemon.platform.deliver(MONDAY, good(MONDAY))
    daemon.tick()
    ((request,), _) = daemon.tick()
    path.unlink()
    assert not daemon.run(request).success
    assert not daemon.platform.warehouse.exists(daemon.platform.spec.institution, "raw_transactions")
    assert daemon.tick() == ([], "no deliveries in the folder")
    daemon.platform.deliver(MONDAY, good(MONDAY))
    daemon.tick()
    ((again,), _) = daemon.tick()
    assert again.run_key != request.run_key
    assert daemon.run(again).success
    assert daemon.tick() == ([], "1 unchanged")
    assert len(daemon.platform.table("scored_transactions")) == 40


def test_a_run_of_an_archived_file_that_is_repeated_by_hand_keeps_its_rows(daemon: Daemon) -> None:
    path = daemon.platform.deliver(MONDAY, good(MONDAY))
    daemon.tick()
    ((request,), _) = daemon.tick()
    assert daemon.run(request).success
    path.unlink()
    assert daemon.run(request).success
    assert len(daemon.platform.table("scored_transactions")) == 40


def test_an_older_version_that_comes_back_with_its_time_is_read_and_does_not_supersede_the_newer(
    daemon: Daemon,
) -> None:
    daemon.platform.deliver(MONDAY, CORRECTED, hour=9)
    assert daemon.settle() == [True]
    daemon.platform.deliver(MONDAY, good(MONDAY), hour=5)
    assert daemon.settle() == [True]
    assert daemon.tick() == ([], "1 unchanged")
    assert amounts(daemon) == ["-99.0000"]
    quarantined = daemon.platform.table("quarantined_transactions", ("DISTINCT disposition",))
    assert quarantined == [{"disposition": "superseded"}]


def test_a_file_from_the_future_is_read_like_any_other(daemon: Daemon) -> None:
    path = daemon.platform.deliver(MONDAY, good(MONDAY))
    ahead = (datetime.now(UTC) + timedelta(hours=3)).timestamp()
    os.utime(path, (ahead, ahead))
    assert daemon.settle() == [True]
    assert daemon.tick() == ([], "1 unchanged")
    assert len(daemon.platform.table("scored_transactions")) == 40


def test_files_before_the_first_day_and_after_today_are_counted_and_wait(daemon: Daemon) -> None:
    daemon.platform.deliver(daemon.platform.spec.start_date - timedelta(days=1), good(MONDAY))
    path = daemon.platform.deliver(datetime.now(UTC).date() + timedelta(days=2), good(MONDAY))
    os.utime(path, (1, 1))
    assert [daemon.tick() for _ in range(3)] == [([], "1 early, 1 ignored")] * 3


def test_dates_whose_manifests_were_not_read_wait_and_the_tick_says_so(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etl_assets.sensors.MANIFESTS_PER_TICK", 2)
    deliveries = {"csv": {"separator": ";"}, "manifest": {"name": "{stem}.json"}}
    with fresh_platform(request, tmp_path, deliveries=deliveries) as platform:
        daemon, days = Daemon(platform), [MONDAY + timedelta(days=n) for n in range(5)]
        for day in days:
            path = platform.deliver(day, good(day))
            if day > TUESDAY:
                beside(path, f"{path.stem}.json", '{"rows": 40}')
        requests, _ = daemon.tick()
        assert [request.partition_key for request in requests] == [str(days[2]), str(days[4])]
        assert daemon.tick() == ([], "2 requested, 3 unannounced")
        assert all(daemon.run(request).success for request in requests)
        assert [request.partition_key for request in daemon.tick()[0]] == [str(days[3])]
