"""Snowflake is away, or rows change while they are mirrored: PostgreSQL is complete, the mirror late, then equal."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from etl_assets.embedded import snowflake as embedded_snowflake
from etl_assets.mirroring import decision
from etl_assets.reconciliation.certificates import Certificate, certify
from etl_assets_tests.mirrored_bank import DAYS, Mirrors, configure, mirrored_bank

TABLES = ["cleaned_transactions", "row_account"]
CLEANED = "cleaned_transactions"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Of a Snowflake that a test may stop."""
    embedded_snowflake.start(tmp_path / "snowflake", ends_with=os.getpid())
    yield tmp_path / "snowflake"
    embedded_snowflake.destroy(tmp_path / "snowflake")


@pytest.fixture
def mirrors(
    request: pytest.FixtureRequest, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Mirrors]:
    configure(monkeypatch, embedded_snowflake.start(folder))
    with mirrored_bank(request, tmp_path / "deliveries", snowflake={"tables": TABLES}) as bank:
        yield bank


def test_an_outage_leaves_postgres_complete_and_the_mirror_catches_up_with_nobodys_click(
    mirrors: Mirrors, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirrors.publish(DAYS[0])
    assert mirrors.settle() == [(DAYS[0], DAYS[0], {*TABLES})]
    embedded_snowflake.stop(folder)
    mirrors.publish(*DAYS[1:3])
    assert len(mirrors.platform.table("scored_transactions", ("DISTINCT business_date",))) == 3
    (request,) = mirrors.tick()
    assert not mirrors.run(request)
    assert mirrors.tick() == []
    assert "2 days from 2026-03-03 on are late in Snowflake; tried again at" in mirrors.skipped
    monkeypatch.setattr(decision, "PAUSES", (timedelta(),))
    mirrors.publish(DAYS[3])
    (request,) = mirrors.tick()
    assert not mirrors.run(request)
    embedded_snowflake.start(folder, ends_with=os.getpid())
    assert mirrors.settle() == [(DAYS[1], DAYS[3], {*TABLES})]
    assert mirrors.times_written(CLEANED) == dict.fromkeys(DAYS, 1)
    assert not mirrors.failed(CLEANED)


def before_each_certificate(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None]) -> None:
    """Something happens between mirroring and certifying."""

    def meanwhile(*asked: Any) -> list[Certificate]:
        happens()
        return certify(*asked)

    monkeypatch.setattr("etl_assets.mirroring.checks.certify", meanwhile)


def test_a_day_that_is_rewritten_while_it_is_mirrored_is_mirrored_again(
    mirrors: Mirrors, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirrors.publish(*DAYS[:2])
    rewritten = iter([True])

    def rewrite() -> None:
        if next(rewritten, False):
            mirrors.publish(DAYS[1], amount="-99,00", hour=5)

    before_each_certificate(monkeypatch, rewrite)
    assert mirrors.settle() == [(DAYS[0], DAYS[1], {*TABLES}), (DAYS[1], DAYS[1], {*TABLES})]
    assert not mirrors.failed(CLEANED)
    amounts = [str(amount) for (amount,) in mirrors.rows(CLEANED, ["amount"], "1")]
    assert amounts == ["-99.0000"] * 30 + ["-12.5000"] * 30


def test_a_day_that_stays_different_is_tried_three_times_and_left_to_people(
    mirrors: Mirrors, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirrors.publish(*DAYS[:2])
    with monkeypatch.context() as somebody:
        before_each_certificate(
            somebody, lambda: mirrors.change(CLEANED, "DELETE FROM {} WHERE TRANSACTION_ID = '105'")
        )
        assert mirrors.settle() == [
            (DAYS[0], DAYS[1], {*TABLES}),
            (DAYS[1], DAYS[1], {CLEANED}),
            (DAYS[1], DAYS[1], {CLEANED}),
        ]
    assert f"left to people, still different after 3 runs: {CLEANED} {DAYS[1]};" in mirrors.skipped
    assert mirrors.failed(CLEANED).keys() == {str(DAYS[1])}
    assert mirrors.materialise(DAYS[1], DAYS[1], tables=[CLEANED])
    assert mirrors.tick() == []
    assert mirrors.skipped == "every mirror is up to date"


def test_one_run_of_the_mirrors_follows_the_other_and_all_other_runs_of_the_bank(mirrors: Mirrors) -> None:
    mirrors.publish(DAYS[0])
    instance, definitions = mirrors.platform.instance, mirrors.platform.definitions
    for layer in ("mirrors", "raw_to_scored"):
        job = definitions.resolve_job_def(f"{mirrors.name}__{layer}")
        waiting = instance.create_run_for_job(job, tags={"dagster/partition": str(DAYS[0])})
        assert mirrors.tick() == []
        assert "to end: 1" in mirrors.skipped
        instance.report_run_canceled(waiting)


def test_a_mirror_that_somebody_materialises_by_a_click_is_waited_for_too(mirrors: Mirrors) -> None:
    mirrors.publish(DAYS[0])
    clicked = {dg.AssetKey(["snowflake", mirrors.name, CLEANED])}
    job = mirrors.platform.definitions.resolve_implicit_global_asset_job_def().get_subset(asset_selection=clicked)
    waiting = mirrors.platform.instance.create_run_for_job(
        job, asset_selection=frozenset(clicked), tags={"dagster/partition": str(DAYS[0])}
    )
    assert mirrors.tick() == []
    assert "to end: 1" in mirrors.skipped
    mirrors.platform.instance.report_run_canceled(waiting)
    assert len(mirrors.tick()) == 1


def test_a_mirror_that_somebody_has_altered_keeps_no_other_table_waiting(
    mirrors: Mirrors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decision, "PAUSES", (timedelta(),))
    mirrors.publish(DAYS[0])
    mirrors.settle()
    mirrors.change(CLEANED, "ALTER TABLE {} ALTER COLUMN CURRENCY SET DATA TYPE NUMBER(9,2) USING 1")
    mirrors.publish(*DAYS[1:3])
    for _ in range(2):
        (request,) = mirrors.tick()
        assert not mirrors.run(request)
    mirrors.publish(DAYS[3])
    for _ in range(3):
        (request,) = mirrors.tick()
        mirrors.run(request)
    assert mirrors.times_written("row_account") == dict.fromkeys(DAYS, 1)
