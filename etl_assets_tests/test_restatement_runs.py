"""Late and corrected deliveries restate what depends on them, and only that, once: counted in runs and in tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path

import pytest

from etl_assets.automation import RESTATED, RESTATES
from etl_assets.institution import CARRIED
from etl_assets_tests.bank import HEADER, Platform, line
from etl_assets_tests.conftest import fresh_platform
from etl_assets_tests.nightly import Nightly
from etl_assets_tests.test_chain import TABLES

MONDAY = date(2026, 3, 2)
DAYS = [MONDAY + timedelta(days=n) for n in range(8)]
SHORT = {"duplicate_horizon_days": 2, "max_lateness_days": 1}
LINEAGE = {"model_version", "model_run_id"}


def good(day: date, amount: str = "-12,50", count: int = 20, first: int = 0) -> str:
    """Payments of a day by five cards, with ids of their own."""
    start = (day - MONDAY).days * 1000 + first
    return HEADER + "".join(
        line(start + n, day, card=f"c{n % 5}", shop=f"s{n % 3}", amount=amount) for n in range(count)
    )


def delivered(platform: Platform, days: Sequence[date] = DAYS) -> None:
    for day in days:
        platform.deliver(day, good(day, amount=f"-{10 + day.day},50"))


@pytest.fixture
def nightly(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Nightly]:
    """A bank with eight days that were there before the sensor was switched on."""
    with fresh_platform(request, tmp_path / "deliveries", **SHORT) as platform:
        delivered(platform)
        bank = Nightly(platform)
        platform.run(DAYS[0], DAYS[-1], layers=("daily", "scores"))
        assert bank.settle() == []
        yield bank


def test_days_that_arrive_in_order_restate_nothing(nightly: Nightly) -> None:
    for newest in (DAYS[-1] + timedelta(days=1), DAYS[-1] + timedelta(days=2)):
        nightly.platform.deliver(newest, good(newest))
        nightly.carry(newest)
        assert nightly.settle() == []
    assert set(nightly.materialised("featured_transactions").values()) == {1}
    assert nightly.tick() == []
    assert nightly.skipped == "nothing was written since the last look"


def test_the_newest_day_restates_nothing_even_where_it_repeats_the_day_before(nightly: Nightly) -> None:
    newest = DAYS[-1] + timedelta(days=1)
    repeated = good(DAYS[-1], amount=f"-{10 + DAYS[-1].day},50").removeprefix(HEADER)
    nightly.platform.deliver(newest, good(newest) + repeated)
    nightly.carry(newest)
    assert nightly.settle() == []


def test_a_corrected_file_restates_the_days_that_have_seen_it_once_and_in_one_run(nightly: Nightly) -> None:
    nightly.platform.deliver(DAYS[3], good(DAYS[3], amount="-99,00"), hour=5)
    nightly.carry(DAYS[3])
    assert nightly.settle() == [("restated_scores", DAYS[4], DAYS[7])]
    for name in ("featured_transactions", "scored_transactions"):
        assert nightly.materialised(name) == {day: 1 if day < DAYS[3] else 2 for day in DAYS}
    assert nightly.materialised("cleaned_transactions") == {day: 2 if day == DAYS[3] else 1 for day in DAYS}
    assert nightly.tick() == []


def test_a_late_day_restates_the_days_that_were_there_before_it(nightly: Nightly) -> None:
    late, newest = DAYS[-1] + timedelta(days=1), DAYS[-1] + timedelta(days=2)
    nightly.platform.deliver(newest, good(newest))
    nightly.carry(newest)
    assert nightly.settle() == []
    nightly.platform.deliver(late, good(late))
    nightly.carry(late)
    assert nightly.settle() == [("restated_scores", newest, newest)]


def test_of_two_corrected_days_the_second_has_seen_the_first_and_is_left_alone(nightly: Nightly) -> None:
    for day in (DAYS[2], DAYS[4]):
        nightly.platform.deliver(day, good(day, amount="-99,00"), hour=5)
        nightly.carry(day)
    assert nightly.settle() == [("restated_scores", DAYS[3], DAYS[3]), ("restated_scores", DAYS[5], DAYS[7])]
    assert nightly.materialised("scored_transactions") == {day: 1 if day < DAYS[2] else 2 for day in DAYS}


def test_the_same_content_again_restates_nothing(nightly: Nightly) -> None:
    again = good(DAYS[3], amount=f"-{10 + DAYS[3].day},50")
    nightly.platform.deliver(DAYS[3], again, hour=5)
    nightly.platform.deliver(DAYS[3], again + "\n", suffix="_again", hour=6)
    nightly.carry(DAYS[3])
    nightly.carry(DAYS[3])
    assert nightly.settle() == []
    assert nightly.materialised("cleaned_transactions")[DAYS[3]] == 3


def test_a_correction_on_a_later_day_moves_the_row_with_nobodys_click(nightly: Nightly) -> None:
    newest = DAYS[-1] + timedelta(days=1)
    moved = line(6000, DAYS[7], card="c0", shop="s0", amount="-77,00")
    nightly.platform.deliver(newest, good(newest) + moved)
    nightly.carry(newest)
    failed = {name for name, _ in nightly.platform.failed_checks("cleaned_transactions")}
    assert "transaction_key_is_unique" in failed
    assert nightly.settle() == [("restated_rows", DAYS[6], DAYS[6]), ("restated_scores", DAYS[6], newest)]
    where = "business_date, disposition"
    rows = nightly.platform.table("quarantined_transactions", ("business_date", "disposition"), where)
    assert [tuple(row.values()) for row in rows] == [(DAYS[6], "superseded")]
    assert not {name for name, _ in nightly.platform.failed_checks("cleaned_transactions")}


def test_a_restatement_waits_for_the_runs_of_its_institution(nightly: Nightly) -> None:
    nightly.platform.deliver(DAYS[3], good(DAYS[3], amount="-99,00"), hour=5)
    nightly.carry(DAYS[3])
    job = nightly.job("raw_to_scored")
    waiting = nightly.platform.instance.create_run_for_job(job, tags={"dagster/partition": str(DAYS[4])})
    assert nightly.tick() == []
    assert "to end: 1" in str(nightly.skipped)
    nightly.platform.instance.report_run_canceled(waiting)
    assert nightly.settle() == [("restated_scores", DAYS[4], DAYS[7])]


def test_a_failed_restatement_is_not_asked_for_at_once_and_then_again(
    nightly: Nightly, monkeypatch: pytest.MonkeyPatch
) -> None:
    nightly.platform.deliver(DAYS[3], good(DAYS[3], amount="-99,00"), hour=5)
    nightly.carry(DAYS[3])
    (request,) = nightly.tick()
    with monkeypatch.context() as broken:
        broken.setattr("etl_assets.assets.scored._scored_day", None)
        assert not nightly.run(request)
    assert nightly.tick() == []
    assert "after a pause" in str(nightly.skipped)
    monkeypatch.setattr("etl_assets.restatement.decision.FIRST_PAUSE", timedelta())
    (again,) = nightly.tick()
    assert (again.tags[RESTATES], again.run_key) == (request.tags[RESTATES], f"{request.tags[RESTATES]}:1")
    assert nightly.run(again)
    assert nightly.tick() == []
    assert {nightly.materialised("scored_transactions")[day] for day in DAYS[4:]} == {2}


def test_restated_tables_are_those_of_a_bank_that_got_the_final_files_at_once(
    request: pytest.FixtureRequest, nightly: Nightly, tmp_path: Path
) -> None:
    newest = DAYS[-1] + timedelta(days=1)
    steps = [
        (DAYS[3], good(DAYS[3], amount="-99,00"), "_corrected"),
        (newest, good(newest) + line(6000, DAYS[7], card="c0", amount="-77,00"), ""),
        (DAYS[1], good(DAYS[1], first=700) + line(3001, DAYS[1], card="c9", amount="-1,00"), "_late"),
    ]
    with ExitStack() as stack:
        at_once = stack.enter_context(fresh_platform(request, tmp_path / "once", **SHORT))
        delivered(at_once)
        for day, content, suffix in steps:
            nightly.platform.deliver(day, content, suffix=suffix, hour=5)
            nightly.carry(day)
            assert nightly.settle() != []
            at_once.deliver(day, content, suffix=suffix, hour=5)
        at_once.run(DAYS[0], newest, layers=("daily", "scores"))
        for name, order in TABLES.items():
            restated, expected = (p.arrow(name, order) for p in (nightly.platform, at_once))
            shown = [column for column in expected.column_names if column not in LINEAGE]
            assert restated.select(shown).equals(expected.select(shown)), name


def test_a_history_made_before_the_sensor_was_switched_on_is_left_alone(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etl_assets.automation.ROWS_PER_TICK", 45)
    with fresh_platform(request, tmp_path / "deliveries", **SHORT) as platform:
        delivered(platform)
        platform.run(DAYS[0], DAYS[-1])
        bank, ticks = Nightly(platform), []
        while not ticks or "days to" in ticks[-1]:
            assert bank.tick() == []
            ticks.append(str(bank.skipped))
        assert ticks == [
            "6 days to look at",
            "4 days to look at",
            "2 days to look at",
            "6 days to compare with the days around them",
            "4 days to compare with the days around them",
            "2 days to compare with the days around them",
            "nothing is stale",
        ]


def test_before_the_first_delivery_nothing_is_asked_for(platform: Platform) -> None:
    assert Nightly(platform).settle() == []


def test_the_jobs_restate_tables_that_the_arrivals_carry() -> None:
    restated = [name for names in RESTATED.values() for name in names]
    assert [name for name in CARRIED if name in restated] == restated
