"""What the sensor does when a run fails, and with a bank that says by a marker or manifest when a file is complete."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from etl_assets.sensors import RUNS_PER_TICK
from etl_assets.sources.found import ListingRefused
from etl_assets_tests.bank import Platform
from etl_assets_tests.conftest import fresh_platform
from etl_assets_tests.daemon import Daemon, good

MONDAY = date(2026, 3, 2)
DAYS = [MONDAY + timedelta(days=n) for n in range(12)]


@pytest.fixture
def daemon(platform: Platform) -> Daemon:
    return Daemon(platform)


@contextmanager
def unmounted(platform: Platform) -> Iterator[None]:
    """The folder is away, as when a mount is lost: a run fails and the next may not."""
    away = platform.spec.folder.rename(platform.spec.folder.with_name("unmounted"))
    yield
    away.rename(platform.spec.folder)


def announcing(request: pytest.FixtureRequest, folder: Path, **announcement: object) -> Iterator[Daemon]:
    with fresh_platform(request, folder, deliveries={"csv": {"separator": ";"}, **announcement}) as platform:
        yield Daemon(platform)


@pytest.fixture
def marking(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Daemon]:
    yield from announcing(request, tmp_path, marker="{name}.done")


@pytest.fixture
def stating(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Daemon]:
    yield from announcing(request, tmp_path, manifest={"name": "{stem}.json"})


def beside(path: Path, name: str, content: str = "") -> None:
    """A marker or manifest that came with the file."""
    other = path.with_name(name)
    other.write_text(content)
    os.utime(other, (path.stat().st_mtime, path.stat().st_mtime))


def test_a_run_that_failed_is_tried_again_in_time_and_the_tick_says_so(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.platform.deliver(MONDAY, good(MONDAY))
    daemon.tick()
    ((request,), _) = daemon.tick()
    with unmounted(daemon.platform):
        assert not daemon.run(request).success
    assert daemon.tick() == ([], "1 failed, 1 date to be tried again")
    monkeypatch.setattr("etl_assets.deliveries.repeats.FIRST_WAIT", timedelta(0))
    ((again,), _) = daemon.tick()
    assert again.partition_key == request.partition_key
    assert (again.run_key, again.tags["etl_assets/attempt"]) == (f"{request.run_key}:2", "2")
    assert daemon.run(again).success
    assert daemon.tick() == ([], "1 unchanged")
    assert len(daemon.platform.table("scored_transactions")) == 40


def test_a_run_that_fails_again_and_again_is_given_up_until_its_file_changes(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etl_assets.deliveries.repeats.FIRST_WAIT", timedelta(0))
    daemon.platform.deliver(MONDAY, good(MONDAY))
    daemon.tick()
    for _ in range(4):
        ((request,), _) = daemon.tick()
        with unmounted(daemon.platform):
            assert not daemon.run(request).success
    given_up = "1 failed, 1 date given up until a file changes or a person runs it"
    assert [daemon.tick() for _ in range(2)] == [([], given_up)] * 2
    daemon.platform.deliver(MONDAY, good(MONDAY), hour=9)
    assert daemon.settle() == [True]
    assert daemon.tick() == ([], "1 unchanged")


def test_a_refused_date_is_never_tried_again_by_itself(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl_assets.deliveries.repeats.FIRST_WAIT", timedelta(0))
    daemon.platform.deliver(MONDAY, good(MONDAY) + "9;c1;s1\n" * 40)
    assert daemon.settle() == [False]
    assert [daemon.tick() for _ in range(2)] == [([], "1 unchanged")] * 2


def test_a_marked_file_is_requested_at_once_and_an_unmarked_one_never(marking: Daemon) -> None:
    path = marking.platform.deliver(MONDAY, good(MONDAY))
    assert [marking.tick() for _ in range(3)] == [([], "1 unannounced")] * 3
    beside(path, f"{path.name}.done")
    assert len(marking.tick()[0]) == 1


def test_a_correction_waits_for_a_marker_that_is_not_older(marking: Daemon) -> None:
    path = marking.platform.deliver(MONDAY, good(MONDAY), hour=2)
    beside(path, f"{path.name}.done")
    assert len(marking.tick()[0]) == 1
    marking.platform.deliver(MONDAY, good(MONDAY, first=7), hour=3)
    assert [marking.tick() for _ in range(3)] == [([], "1 unannounced")] * 3
    beside(path, f"{path.name}.done")
    assert len(marking.tick()[0]) == 1


def test_a_date_waits_until_all_files_of_its_manifest_are_there(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    manifest = {"name": "{business_date}.txt", "pattern": r"(?P<file>\S+) (?P<sha256>\S+)"}
    for daemon in announcing(request, tmp_path, manifest=manifest):
        one = daemon.platform.deliver(MONDAY, good(MONDAY), suffix="_1")
        hashes = [hashlib.sha256(good(MONDAY, first).encode()).hexdigest() for first in (0, 40)]
        listed = [f"transactions_20260302_{n}.csv {sha}\n" for n, sha in enumerate(hashes, 1)]
        beside(one, "20260302.txt", "".join(listed))
        assert [daemon.tick() for _ in range(2)] == [([], "1 partial")] * 2
        daemon.platform.deliver(MONDAY, good(MONDAY, 40), suffix="_2", hour=5)
        assert [r.tags["etl_assets/deliveries"] for r in daemon.tick()[0]] == ["2"]


def test_a_file_of_fewer_bytes_than_its_manifest_states_is_partial(stating: Daemon) -> None:
    path = stating.platform.deliver(MONDAY, good(MONDAY)[:-10])
    beside(path, f"{path.stem}.json", json.dumps({"size_bytes": len(good(MONDAY))}))
    assert [stating.tick() for _ in range(2)] == [([], "1 partial")] * 2
    stating.platform.deliver(MONDAY, good(MONDAY), hour=5)
    assert len(stating.tick()[0]) == 1


def test_an_empty_file_is_requested_if_its_manifest_says_that_it_is(stating: Daemon) -> None:
    path = stating.platform.deliver(MONDAY, "")
    beside(path, f"{path.stem}.json", '{"rows": 1}')
    assert [stating.tick() for _ in range(2)] == [([], "1 empty")] * 2
    beside(path, f"{path.stem}.json", '{"rows": 0}')
    assert len(stating.tick()[0]) == 1


def test_a_marker_that_counts_as_a_delivery_fails_the_tick_by_name(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    for daemon in announcing(request, tmp_path, marker="{stem}.done.csv"):
        path = daemon.platform.deliver(MONDAY, good(MONDAY))
        beside(path, f"{path.stem}.done.csv")
        with pytest.raises(ListingRefused, match=r"transactions_20260302\.done\.csv is a delivery"):
            daemon.tick()


def test_a_file_that_comes_after_its_date_was_due_is_late(daemon: Daemon) -> None:
    daemon.platform.deliver(MONDAY, good(MONDAY), hour=2)
    path = daemon.platform.deliver(DAYS[1], good(DAYS[1]))
    at = datetime(2026, 3, 6, tzinfo=UTC).timestamp()
    os.utime(path, (at, at))
    daemon.tick()
    requests, _ = daemon.tick()
    assert len(requests) == 2
    assert daemon.tick()[1] == "2 requested"


def test_a_tick_over_thousands_of_announced_files_requests_a_few_dates(stating: Daemon) -> None:
    for number in range(3_000):
        path = stating.platform.deliver(DAYS[number % 12], f"{number}\n", suffix=f"_{number}")
        beside(path, f"{path.stem}.json", '{"rows": 1}')
    requests, _ = stating.tick()
    assert 0 < len(requests) <= RUNS_PER_TICK
