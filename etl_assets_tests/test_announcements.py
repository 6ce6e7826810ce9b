"""Which found files may not be read yet, and why, by what lies beside them in a real folder."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.sources.announcements import Announcements, announcements, files_beside
from etl_assets.sources.listing import listed
from etl_assets_tests.specs import minimal_spec

MONDAY = date(2026, 3, 2)
NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
FILE_NAME = r"tx_(?P<business_date>\d{8})(_(?P<region>[a-z]+))?\.csv"


def put(folder: Path, name: str, content: str = "", minutes: int = 0) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    at = (NOON + timedelta(minutes=minutes)).timestamp()
    os.utime(path, (at, at))


def spec_of(folder: Path, **settings: Any) -> InstitutionSpec:
    return minimal_spec(deliveries={"folder": str(folder), "file_name": FILE_NAME, **settings})


def told(folder: Path, now: datetime = NOON + timedelta(hours=1), **settings: Any) -> Announcements:
    spec = spec_of(folder, **settings)
    there = files_beside(spec)
    return announcements(spec, listed(spec), there, now)


def doubts(folder: Path, **settings: Any) -> dict[str, str]:
    """Kind by path."""
    return {path: doubt.kind for path, doubt in told(folder, **settings).doubts.items()}


def test_a_marker_may_lie_below_the_file_and_be_named_by_any_part_of_its_name(tmp_path: Path) -> None:
    for name in ("a/tx_20260302_north.csv", "a/tx_20260302.csv", "tx_20260303_south.csv"):
        put(tmp_path, name, "x")
    put(tmp_path, "a/done/20260302-north")
    put(tmp_path, "a/done/20260302-")
    assert doubts(tmp_path, marker="done/{business_date}-{region}") == {"tx_20260303_south.csv": "unannounced"}


def test_a_file_needs_both_its_marker_and_its_manifest_if_both_are_asked_for(tmp_path: Path) -> None:
    put(tmp_path, "tx_20260302.csv", "x")
    settings: dict[str, Any] = {"marker": "{name}.done", "manifest": {"name": "{stem}.json"}}
    for name, content in (("tx_20260302.csv.done", ""), ("tx_20260302.json", '{"rows": 1}')):
        assert doubts(tmp_path, **settings) == {"tx_20260302.csv": "unannounced"}
        put(tmp_path, name, content)
    assert doubts(tmp_path, **settings) == {}


@pytest.mark.parametrize(("content", "expected"), [('{"rows": 1}', ["unannounced"]), ('{"size_bytes": 1}', [])])
def test_a_manifest_that_is_older_than_its_file_must_prove_its_bytes(
    tmp_path: Path, content: str, expected: list[str]
) -> None:
    put(tmp_path, "tx_20260302.json", content)
    put(tmp_path, "tx_20260302.csv", "x", minutes=1)
    assert list(doubts(tmp_path, manifest={"name": "{stem}.json"}).values()) == expected


def test_the_reason_names_the_manifest_and_what_is_wrong_with_it(tmp_path: Path) -> None:
    put(tmp_path, "tx_20260302.csv", "x")
    put(tmp_path, "tx_20260302.json", "rows: 1")
    said = told(tmp_path, manifest={"name": "{stem}.json"})
    (reason,) = said.refused_dates(listed(spec_of(tmp_path))).values()
    assert reason.startswith("tx_20260302.csv: the manifest tx_20260302.json: it is no JSON")
    assert said.stated == {}


def test_a_file_that_its_manifest_does_not_name_holds_up_its_date(tmp_path: Path) -> None:
    put(tmp_path, "tx_20260302_a.csv", "x")
    put(tmp_path, "tx_20260302_b.csv", "x")
    put(tmp_path, "20260302.txt", "tx_20260302_a.csv 1\n")
    settings = {"manifest": {"name": "{business_date}.txt", "pattern": r"(?P<file>\S+) (?P<rows>\d+)"}}
    assert doubts(tmp_path, **settings) == {"tx_20260302_b.csv": "unannounced"}


def test_a_file_settles_by_its_age(tmp_path: Path) -> None:
    put(tmp_path, "tx_20260302.csv", "x")
    for age, expected in ((59, {"tx_20260302.csv": "unstable"}), (60, {})):
        found = told(tmp_path, now=NOON + timedelta(seconds=age), settle_s=60)
        assert {path: doubt.kind for path, doubt in found.doubts.items()} == expected


def test_only_the_days_asked_for_are_judged_but_every_file_counts_as_there(tmp_path: Path) -> None:
    put(tmp_path, "tx_20260302.csv", "x")
    put(tmp_path, "tx_20260303.csv", "x")
    put(tmp_path, "all.txt", "tx_20260302.csv 1\ntx_20260303.csv 1\n")
    pattern = r"(?P<file>\S+) (?P<rows>\d+)"
    spec = spec_of(tmp_path, manifest={"name": "{region}all.txt", "pattern": pattern})
    found = announcements(spec, listed(spec), files_beside(spec), NOON, {MONDAY})
    assert (found.doubts, list(found.stated)) == ({}, ["tx_20260302.csv"])


def test_an_institution_that_announces_nothing_is_not_listed_twice(tmp_path: Path) -> None:
    put(tmp_path, "tx_20260302.csv", "x")
    assert files_beside(spec_of(tmp_path)) == {}
    assert doubts(tmp_path) == {}
