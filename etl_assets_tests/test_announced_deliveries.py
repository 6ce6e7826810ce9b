"""Markers, manifests and re-saved files through the whole graph: what a run by hand reads, refuses and records."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from etl_assets_tests.bank import HEADER, Platform, line
from etl_assets_tests.conftest import fresh_platform

MONDAY = date(2026, 3, 2)
MANIFEST = {"name": "{stem}.json", "fields": {"rows": "count", "total": "sum", "sha256": "sha256"}}


@pytest.fixture
def stating(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Platform]:
    with fresh_platform(request, tmp_path, deliveries={"csv": {"separator": ";"}, "manifest": MANIFEST}) as platform:
        yield platform


@pytest.fixture
def marking(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Platform]:
    announcement = {"marker": "{name}.done", "settle_s": 60}
    with fresh_platform(request, tmp_path, deliveries={"csv": {"separator": ";"}, **announcement}) as platform:
        yield platform


def records(count: int, first: int = 0) -> str:
    return HEADER + "".join(line(number, MONDAY) for number in range(first, first + count))


def announce(path: Path, **facts: Any) -> None:
    """A manifest that came with the file and tells the truth, but for `facts`."""
    rows = len(path.read_bytes().splitlines()) - 1
    content = {"count": rows, "sum": -12.5 * rows, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    manifest = path.with_suffix(".json")
    manifest.write_text(json.dumps(content | facts))
    os.utime(manifest, (path.stat().st_mtime, path.stat().st_mtime))


def ledger(platform: Platform) -> list[tuple[object, ...]]:
    """State, stated rows and lateness of each delivery, by arrival."""
    rows = platform.table("deliveries", ("state", "stated_rows", "is_late"), "delivered_at, path")
    return [tuple(row.values()) for row in rows]


def run(platform: Platform) -> str:
    """What the run of Monday failed on."""
    platform.run(MONDAY, layers=("daily",))
    return platform.errors()


def test_a_file_without_its_marker_is_refused_by_hand_and_stays_out_of_the_ledger(marking: Platform) -> None:
    path = marking.deliver(MONDAY, records(30))
    assert f"{path.name}: its marker {path.name}.done is not there. Wait for it" in run(marking)
    assert ledger(marking) == []
    path.with_name(f"{path.name}.done").touch()
    assert run(marking) == ""
    assert ledger(marking) == [("read", None, False)]


def test_a_file_that_was_written_just_now_is_refused_if_it_has_to_settle(marking: Platform) -> None:
    path = marking.deliver(MONDAY, records(30))
    os.utime(path)
    path.with_name(f"{path.name}.done").touch()
    assert "and deliveries.settle_s is 60" in run(marking)


def test_a_delivery_that_is_what_its_manifest_states_is_read(stating: Platform) -> None:
    announce(stating.deliver(MONDAY, records(30)))
    assert run(stating) == ""
    assert ledger(stating) == [("read", 30, False)]
    (row,) = stating.table("deliveries", ("source", "code_version", "duration_s", "content_digest"))
    assert row["source"] == str(stating.spec.folder)
    assert None not in row.values()


@pytest.mark.parametrize(
    ("facts", "state", "said"),
    [
        ({"count": 31}, "partial", "expects 31 records, and the file has 30"),
        ({"count": 29}, "rejected", "expects 29 records, and the file has 30"),
        ({"sum": -375.1}, "rejected", "expects a total of -375.1, and the amounts sum to -375"),
        ({"sha256": "0" * 64}, "rejected", "states the SHA-256 0000"),
    ],
)
def test_another_delivery_than_stated_is_refused_in_numbers(
    stating: Platform, facts: dict[str, object], state: str, said: str
) -> None:
    announce(stating.deliver(MONDAY, records(30)), **facts)
    assert said in run(stating)
    assert [row[0] for row in ledger(stating)] == [state]


@pytest.mark.parametrize(("is_told", "content"), [(True, HEADER), (True, ""), (False, HEADER)])
def test_an_empty_day_is_a_fact_if_it_is_announced_and_an_alert_if_not(
    request: pytest.FixtureRequest, tmp_path: Path, content: str, *, is_told: bool
) -> None:
    announcement = {"manifest": {"name": "{stem}.json"}} if is_told else {}
    deliveries = {"csv": {"separator": ";"}, **announcement}
    with fresh_platform(request, tmp_path, deliveries=deliveries) as platform:
        path = platform.deliver(MONDAY, content)
        path.with_suffix(".json").write_text('{"rows": 0}')
        assert run(platform) == ""
        assert ledger(platform) == [("empty", 0 if is_told else None, False)]
        alerts = {name for name, _ in platform.failed_checks("raw_transactions")}
        assert ("an_empty_delivery_is_announced" in alerts) is not is_told


def test_a_file_that_was_only_saved_again_is_resaved_and_a_changed_one_corrected(platform: Platform) -> None:
    path = platform.deliver(MONDAY, records(30))
    assert run(platform) == ""
    quoted = records(30).replace("c1", '"c1"').replace("\n", "\r\n")
    assert platform.deliver(MONDAY, quoted, hour=3) == path
    assert run(platform) == ""
    platform.deliver(MONDAY, records(30, first=1), hour=4)
    assert run(platform) == ""
    assert [state for state, *_ in ledger(platform)] == ["read", "resaved", "corrected"]


def test_a_file_that_comes_days_later_is_late(platform: Platform) -> None:
    path = platform.deliver(MONDAY, records(30))
    at = datetime(2026, 3, 9, tzinfo=UTC).timestamp()
    os.utime(path, (at, at))
    assert run(platform) == ""
    assert ledger(platform) == [("late", None, True)]
