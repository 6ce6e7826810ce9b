"""Ordinary days with both sensors on: one run for each, none more, whenever the sensors tick."""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path

import pytest

from etl_assets.deliveries.arrivals import Memory
from etl_assets_tests.bank import HEADER, line
from etl_assets_tests.conftest import fresh_platform
from etl_assets_tests.daemon import Daemon
from etl_assets_tests.nightly import Nightly

FIRST = date(2026, 3, 2)
DAYS = [FIRST + timedelta(days=n) for n in range(int(os.environ.get("ETL_ORDINARY_DAYS", "6")))]


def payments(day: date) -> str:
    """Some new ones, and one of the day before again: the newest day repeats it, which is no matter of that day."""
    start = (day - FIRST).days * 1000
    again = [line(start - 1000, day - timedelta(days=1), card="c0")] if day > FIRST else []
    return HEADER + "".join([*(line(start + n, day, card=f"c{n % 5}") for n in range(40)), *again])


def test_ordinary_days_are_one_run_each_and_restate_nothing(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """A month of them by ETL_ORDINARY_DAYS=30; the restatements tick before, between and after the arrivals."""
    with fresh_platform(request, tmp_path / "deliveries") as platform:
        arrivals, restatements, ran = Daemon(platform), Nightly(platform), list[str]()
        for day in DAYS:
            platform.deliver(day, payments(day))
            for _ in range(4):
                requests, _ = arrivals.tick()
                for one in requests:
                    assert arrivals.run(one).success
                    ran.append(str(one.partition_key))
                assert restatements.tick() == []
        assert ran == [str(day) for day in DAYS]
        assert arrivals.tick() == ([], f"{len(DAYS)} unchanged")
        assert Memory.read(arrivals.cursor) == Memory()
        assert len(platform.instance.get_runs()) == len(DAYS)
        assert not platform.failed_checks("cleaned_transactions")
