"""The whole chain on one small bank: a range equals its days, models know the past only, every row has a score."""

import json
from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import pytest

from etl_assets.deliveries.ledger import Ledger
from etl_assets_tests.bank import HEADER, Platform, line
from etl_assets_tests.conftest import fresh_platform

MONDAY = date(2026, 3, 16)
DAYS = [MONDAY + timedelta(days=n) for n in range(17)]
TABLES = {
    "cleaned_transactions": "transaction_id, business_date",
    "quarantined_transactions": "file, _row_number",
    "row_account": "file",
    "featured_transactions": "transaction_id",
    "scored_transactions": "transaction_id",
}
LINEAGE = {"model_version", "model_run_id"}


def deliver_a_fortnight(platform: Platform) -> None:
    """Forty payments a day of five cards, one of them monstrous on the last day; defects, repeats, late rows."""
    rng = np.random.default_rng(7)
    yesterdays = ""
    for n, day in enumerate(DAYS):
        amounts = np.exp(rng.normal(3, 0.4, 40))
        rows = [
            line(
                n * 100 + i,
                day,
                card=f"c{i % 5}",
                shop=f"s{(i * 7) % 11}",
                hour=str(8 + i % 12),
                amount=f"-{a:.2f}".replace(".", ","),
            )
            for i, a in enumerate(amounts)
        ]
        late = line(n * 100 + 60, day - timedelta(days=2), card="c1", shop="s1", hour="9")
        repeated, yesterdays = (yesterdays if n % 3 == 2 else ""), rows[0]
        monstrous = line(9999, day, card="c2", shop="s99", hour="3", amount="-4000,00") if day == DAYS[-1] else ""
        platform.deliver(day, HEADER + "".join(rows) + late + repeated + rows[0] + monstrous + f"{n};c1;s1;nonsense\n")


@pytest.fixture(scope="module")
def in_one_range(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with fresh_platform(request, tmp_path_factory.mktemp("range"), start_date="2026-03-16") as platform:
        deliver_a_fortnight(platform)
        platform.run(DAYS[0], DAYS[-1])
        assert platform.errors() == ""
        yield platform


def test_every_published_row_has_features_and_a_score(in_one_range: Platform) -> None:
    counts = {name: len(in_one_range.table(name, ("1",))) for name in TABLES}
    assert counts["cleaned_transactions"] == 17 * 41 + 1
    assert counts["featured_transactions"] == counts["scored_transactions"] == counts["cleaned_transactions"]
    assert counts["quarantined_transactions"] == 17 * 2 + 5


def test_all_checks_hold_but_those_about_alerts(in_one_range: Platform) -> None:
    failed = {name for asset in (*TABLES, "raw_transactions") for name, _ in in_one_range.failed_checks(asset)}
    assert failed <= {"alert_budget_is_kept"}


def test_every_check_has_a_verdict_for_every_day(in_one_range: Platform) -> None:
    evaluated = in_one_range.evaluated_checks()
    assert len(evaluated) == 17
    assert {len(days) for days in evaluated.values()} == {len(DAYS)}


def test_a_week_is_scored_by_a_version_that_was_trained_before_it(in_one_range: Platform) -> None:
    promotions = in_one_range.table("promotions", ("in_force_from", "outcome", "model_version"), "1")
    assert [(p["in_force_from"], p["outcome"]) for p in promotions] == [
        (DAYS[0], "refused"),
        (DAYS[7], "refused"),
        (DAYS[14], "promoted"),
    ]
    versions = in_one_range.table("scored_transactions", ("DISTINCT business_date", "model_version"), "1")
    third = promotions[2]["model_version"]
    assert [v["model_version"] for v in versions] == ["cold_start"] * 14 + [third] * 3


def test_the_strangest_row_is_flagged_and_says_why(in_one_range: Platform) -> None:
    columns = ("transaction_id", "is_flagged", "reasons", "score", "threshold")
    strangest = in_one_range.table("scored_transactions", columns, "score DESC")[0]
    assert (strangest["transaction_id"], strangest["is_flagged"]) == ("9999", True)
    reasons = json.loads(str(strangest["reasons"]))
    assert reasons[0]["feature"].startswith("spend")
    assert reasons[0]["value"] > reasons[0]["expected"]


def test_a_range_equals_its_days_one_by_one(
    request: pytest.FixtureRequest, in_one_range: Platform, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with fresh_platform(request, tmp_path_factory.mktemp("days"), start_date="2026-03-16") as by_day:
        deliver_a_fortnight(by_day)
        for day in DAYS:
            by_day.run(day, layers=("daily", "weekly", "scores") if day.weekday() == 0 else ("daily", "scores"))
            assert by_day.errors() == ""
        for name, order in TABLES.items():
            expected = in_one_range.arrow(name, order)
            found = by_day.arrow(name, order)
            kept = [column for column in found.column_names if column not in LINEAGE]
            assert found.select(kept).equals(expected.select(kept)), name


def test_running_the_range_again_changes_no_row(in_one_range: Platform) -> None:
    before = {name: in_one_range.arrow(name, order) for name, order in TABLES.items()}
    in_one_range.run(DAYS[3], DAYS[9], layers=("daily", "scores"))
    assert in_one_range.errors() == ""
    for name, order in TABLES.items():
        assert in_one_range.arrow(name, order).equals(before[name]), name


def test_the_ledger_counts_the_attempts(in_one_range: Platform) -> None:
    deliveries = Ledger(in_one_range.warehouse, in_one_range.spec.institution).deliveries([DAYS[0], DAYS[4]])
    assert deliveries["attempt"].to_pylist() == [1, 2]
