"""Mirrors on real parts: what PostgreSQL publishes is in Snowflake once, certified, and mended where it is not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from etl_assets.backfill import left_out
from etl_assets.embedded import snowflake as embedded_snowflake
from etl_assets.mirroring import decision
from etl_assets.resources import UNCONFIGURED
from etl_assets_tests.conftest import fresh_platform
from etl_assets_tests.mirrored_bank import DAYS, Mirrors, configure, mirrored_bank, said

ROWS = {"cleaned_transactions", "quarantined_transactions", "row_account"}
SCORES = {"featured_transactions", "scored_transactions"}
CLEANED = "cleaned_transactions"
EQUAL, ACCOUNTED = "mirror_equals_postgres", "records_read_are_accounted_for_in_snowflake"


pytestmark = pytest.mark.usefixtures("configured")


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, snowflake_server: embedded_snowflake.Server) -> None:
    configure(monkeypatch, snowflake_server)


@pytest.fixture
def mirrors(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mirrors]:
    """A bank of which the tables of its rows are mirrored: those of its features take the stand-in seconds."""
    with mirrored_bank(request, tmp_path / "deliveries", snowflake={"tables": sorted(ROWS)}) as bank:
        yield bank


def test_what_a_range_publishes_is_mirrored_in_one_run_and_certified_day_by_day(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with mirrored_bank(request, tmp_path / "deliveries") as bank:
        bank.publish(*DAYS)
        assert bank.settle() == [(DAYS[0], DAYS[-1], ROWS | SCORES)]
        for table in ROWS | SCORES:
            assert bank.times_written(table) == dict.fromkeys(DAYS, 1)
            certified = bank.verdicts(table, EQUAL, "SUCCEEDED")
            assert certified.keys() == {str(day) for day in DAYS}
            assert all(said["rows_in_postgres"] == said["rows_in_snowflake"] for said in certified.values())
        accounted = bank.verdicts("row_account", ACCOUNTED, "SUCCEEDED")
        assert accounted == {str(day): {"violations": 0} for day in DAYS}
        assert bank.tick() == []
        assert bank.skipped == "every mirror is up to date"


def test_a_corrected_day_is_mirrored_again_and_only_that(mirrors: Mirrors) -> None:
    mirrors.publish(*DAYS)
    assert len(mirrors.settle()) == 1
    mirrors.publish(DAYS[1], amount="-99,00", hour=5)
    assert mirrors.settle() == [(DAYS[1], DAYS[1], ROWS)]
    assert mirrors.times_written(CLEANED) == {day: 2 if day == DAYS[1] else 1 for day in DAYS}
    assert not mirrors.failed(CLEANED)


def test_a_check_that_is_run_for_no_day_is_made_for_all_that_are_published(mirrors: Mirrors) -> None:
    mirrors.check()
    mirrors.publish(*DAYS)
    mirrors.settle()
    mirrors.change(CLEANED, "UPDATE {} SET AMOUNT = AMOUNT - 0.01 WHERE TRANSACTION_ID = '105'")
    mirrors.check()
    assert mirrors.failed(CLEANED).keys() == {str(DAYS[1])}
    assert mirrors.verdicts("row_account", ACCOUNTED, "SUCCEEDED").keys() == {str(day) for day in DAYS}


def test_rows_that_somebody_changes_in_snowflake_fail_the_check_and_the_next_run_mends_them(mirrors: Mirrors) -> None:
    mirrors.publish(*DAYS)
    mirrors.settle()
    mirrors.change(CLEANED, "UPDATE {} SET AMOUNT = AMOUNT - 0.01 WHERE TRANSACTION_ID = '105'")
    mirrors.change(CLEANED, "UPDATE {} SET TRANSACTION_ID = 'x' WHERE TRANSACTION_ID IN ('205', '206')")
    mirrors.change(CLEANED, "DELETE FROM {} WHERE TRANSACTION_ID = '305'")
    mirrors.change("quarantined_transactions", f"DELETE FROM {{}} WHERE BUSINESS_DATE = '{DAYS[1]}'")
    mirrors.check(DAYS[0], DAYS[-1])
    failed = mirrors.failed(CLEANED)
    found = {
        day: tuple(said[f"rows_{what}"] for what in ("missing", "extra", "changed")) for day, said in failed.items()
    }
    assert found == {str(DAYS[1]): (0, 0, 1), str(DAYS[2]): (2, 2, 0), str(DAYS[3]): (1, 0, 0)}
    assert failed[str(DAYS[1])]["columns_differ"] == "amount"
    assert "105" not in str(failed[str(DAYS[1])].values())
    assert mirrors.verdicts("row_account", ACCOUNTED, "FAILED").keys() == {str(DAYS[1]), str(DAYS[3])}
    again = [(DAYS[1], DAYS[1], {CLEANED, "quarantined_transactions"}), (DAYS[2], DAYS[3], {CLEANED})]
    assert mirrors.settle() == again
    assert not mirrors.failed(CLEANED)
    assert not mirrors.verdicts("row_account", ACCOUNTED, "FAILED")


def test_days_that_are_gone_or_doubled_in_every_table_are_not_accounted_for(mirrors: Mirrors) -> None:
    mirrors.publish(*DAYS[:3])
    mirrors.settle()
    for table in ROWS:
        mirrors.change(table, f"DELETE FROM {{}} WHERE BUSINESS_DATE = '{DAYS[0]}'")
        mirrors.change(table, f"INSERT INTO {{}} SELECT * FROM {{}} WHERE BUSINESS_DATE = '{DAYS[1]}'")
    mirrors.check(DAYS[0], DAYS[2])
    broken = {str(day): {"violations": 1} for day in DAYS[:2]}
    assert mirrors.verdicts("row_account", ACCOUNTED, "FAILED") == broken


def test_another_account_gets_every_day_whatever_the_certificates_of_the_last_one_say(
    mirrors: Mirrors, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirrors.publish(*DAYS[:2])
    mirrors.settle()
    assert mirrors.tick() == []
    monkeypatch.setattr(decision, "PAUSES", (timedelta(),))
    for variable in ("SNOWFLAKE_ACCOUNT", "SNOWFLAKE_DATABASE"):
        with monkeypatch.context() as moved:
            moved.setenv(variable, "another")
            assert [said(request) for request in mirrors.tick()] == [(DAYS[0], DAYS[1], ROWS)]
    assert mirrors.tick() == []


def test_days_that_were_never_published_are_refused_with_the_reason(mirrors: Mirrors) -> None:
    mirrors.publish(DAYS[0])
    mirrors.platform.deliver(DAYS[1], "no;such;header\n")
    mirrors.platform.run(DAYS[1], layers=("daily",))
    assert mirrors.materialise(*DAYS[:2])
    assert mirrors.times_written(CLEANED) == {DAYS[0]: 1}
    assert mirrors.verdicts(CLEANED, EQUAL, "SUCCEEDED").keys() == {str(DAYS[0])}
    assert mirrors.verdicts("row_account", ACCOUNTED, "SUCCEEDED").keys() == {str(DAYS[0])}
    refusal = mirrors.snowflake.refused(mirrors.name, CLEANED)[str(DAYS[1])]
    assert "cleaned_transactions has never been published for it" in refusal
    assert not mirrors.materialise(DAYS[1], DAYS[1], tables=[CLEANED])


def test_an_institution_without_mirrors_has_none(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    with fresh_platform(request, tmp_path / "deliveries", snowflake={"tables": []}) as platform:
        graph = platform.definitions.resolve_asset_graph()
        assert not [key for key in graph.get_all_asset_keys() if key.path[0] == "snowflake"]
        assert not platform.definitions.get_repository_def().has_sensor_def(f"{platform.spec.institution}__mirrors")
        assert left_out(platform.definitions, platform.spec.institution) is None


def test_without_an_account_the_rest_runs_and_the_mirrors_say_why_not(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SNOWFLAKE_ACCOUNT", raising=False)
    with mirrored_bank(request, tmp_path / "deliveries") as bank:
        bank.publish(DAYS[0])
        assert bank.tick() == []
        assert bank.skipped == UNCONFIGURED
        assert left_out(bank.platform.definitions, bank.name) == UNCONFIGURED
        assert [run.layer for run in bank.platform.run(DAYS[0])] == ["daily", "weekly", "scores"]
        assert not bank.materialise(DAYS[0], DAYS[0], tables=[CLEANED])
