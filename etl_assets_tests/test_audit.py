"""Every promise can be broken: a check that stays green over a tampered table proves nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from etl_assets.audit import PROMISES, Promise, violations
from etl_assets.io_managers.postgres.schema import qualified
from etl_assets_tests.bank import HEADER, Platform, line
from etl_assets_tests.conftest import fresh_platform

ONE = "WHERE business_date = '{day}' AND transaction_id = '{id}'"
TAMPERED = {
    "a_delivery_arrived": ("deliveries", "DELETE FROM {table} WHERE business_date = '{day}'"),
    "an_empty_delivery_is_announced": (
        "deliveries",
        "UPDATE {table} SET state = 'empty', stated_rows = 1 WHERE business_date = '{day}'",
    ),
    "the_header_is_as_before": (
        "schema_events",
        "INSERT INTO {table} VALUES ('d', '{day}', 'added', 'note', NULL, 'text', now(), 'run')",
    ),
    "row_account_balances": ("cleaned_transactions", "DELETE FROM {table} " + ONE),
    "transaction_key_is_unique": ("cleaned_transactions", "UPDATE {table} SET transaction_id = '{other}' " + ONE),
    "mandatory_columns_are_not_null": (
        "cleaned_transactions",
        "ALTER TABLE {table} ALTER currency DROP NOT NULL; UPDATE {table} SET currency = NULL " + ONE,
    ),
    "event_time_is_within_lateness": (
        "cleaned_transactions",
        "UPDATE {table} SET event_at = event_at + interval '1 day' " + ONE,
    ),
    "amount_is_exact": ("cleaned_transactions", "UPDATE {table} SET amount = amount + 0.0001 " + ONE),
    "no_row_breaks_a_rule_that_warns": ("cleaned_transactions", "UPDATE {table} SET warnings = 'rare' " + ONE),
    "every_cleaned_row_has_features": ("featured_transactions", "DELETE FROM {table} " + ONE),
    "every_featured_row_has_a_score": ("scored_transactions", "DELETE FROM {table} " + ONE),
    "scores_are_finite": ("scored_transactions", "UPDATE {table} SET score = 'NaN' " + ONE),
    "every_flagged_row_has_an_alert": (
        "scored_transactions",
        "UPDATE {table} SET is_flagged = NOT is_flagged WHERE business_date = '{day}'",
    ),
    "alert_budget_is_kept": (
        "scored_transactions",
        "UPDATE {table} SET is_flagged = true WHERE business_date = '{day}'",
    ),
}
DAYS = [date(2026, 3, 2) + timedelta(days=n) for n in range(len(TAMPERED) + 1)]


@pytest.fixture(scope="module")
def platform(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A bank with a day for each promise, all of them kept, and one more day that nobody touches."""
    with fresh_platform(request, tmp_path_factory.mktemp("audited")) as platform:
        for n, day in enumerate(DAYS):
            platform.deliver(day, HEADER + "".join(line(100 * n + i, day, amount=f"-{i + 1},00") for i in range(30)))
        platform.run(DAYS[0], DAYS[-1], layers=("daily", "scores"))
        assert platform.errors() == ""
        yield platform


def test_there_is_a_way_to_break_every_promise() -> None:
    assert set(TAMPERED) == {promise.name for promise in PROMISES}


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.name)
def test_a_broken_promise_is_seen_on_its_day_and_on_no_untouched_one(platform: Platform, promise: Promise) -> None:
    table, tampering = TAMPERED[promise.name]
    place = list(TAMPERED).index(promise.name)
    day, at = DAYS[place], qualified(platform.spec.institution, table)
    before = violations(platform.warehouse, platform.spec, promise, [day, DAYS[-1]])
    assert before == {day: 0, DAYS[-1]: 0}
    with platform.warehouse.transaction() as connection:
        connection.execute(tampering.format(table=at, day=day, id=100 * place, other=100 * place - 99))
    after = violations(platform.warehouse, platform.spec, promise, [day, DAYS[-1]])
    assert after[day] > 0
    assert after[DAYS[-1]] == 0
