"""What an account is used to: against the join form, and cases that a person can check by hand."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_assets.feature_groups import FEATURES
from etl_assets.transforms.features import compute_features
from etl_assets_tests import join_form_habits
from etl_assets_tests.feature_rows import FIRST, Row, row, rows_of_a_bank, table

ZONES = st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/Sao_Paulo"])


def features(rows: pa.Table, zone: str = "UTC") -> pl.DataFrame:
    found = compute_features(rows, FEATURES, FIRST, FIRST + timedelta(days=60), zone)
    return pl.DataFrame(pl.from_arrow(found)).sort("n")


def last_of(rows: list[Row]) -> dict[str, float | None]:
    return features(table(rows)).row(-1, named=True)


@settings(deadline=None, max_examples=100)
@given(rows_of_a_bank, ZONES)
def test_every_habit_equals_the_join_form(rows: list[Row], zone: str) -> None:
    cleaned = table(rows)
    found, oracle = features(cleaned, zone), join_form_habits.habits(pl.DataFrame(pl.from_arrow(cleaned)), zone)
    for name in oracle.columns:
        assert found[name].is_null().to_list() == oracle[name].is_null().to_list(), name
        np.testing.assert_allclose(found[name].drop_nulls(), oracle[name].drop_nulls(), rtol=1e-8, atol=1e-8)


@settings(deadline=None, max_examples=30)
@given(rows_of_a_bank, ZONES)
def test_every_calendar_term_is_that_of_the_local_clock(rows: list[Row], zone: str) -> None:
    found = features(table(rows), zone)
    for row_found in found.rows(named=True):
        for name, value in join_form_habits.calendar(row_found["event_at"], zone).items():
            assert row_found[name] == pytest.approx(value, abs=1e-9), name


def spread(payments: int, own: float, typical: float) -> float:
    """What is known of an account's spread: its own, and five payments' worth of a spread as large as the centre."""
    return float(((payments * own**2 + 5 * typical**2) / (payments + 5)) ** 0.5)


def test_one_large_payment_moves_the_mean_but_not_the_median() -> None:
    usual = [row(n, f"-{amount}.00") for n, amount in enumerate((8, 9, 10, 11, 12, 5_000))]
    found = last_of([*usual, row(9, "-30.00")])
    assert found["spend_to_median_30d"] == pytest.approx(30 / 10.5)
    assert found["spend_robust_zscore_30d"] == pytest.approx((30 - 10.5) / spread(6, (11.75 - 9.25) / 1.349, 10.5))
    assert found["spend_zscore_30d"] < 0 < found["spend_robust_zscore_30d"]


def test_equal_amounts_have_no_spread_and_cents_do_not_look_monstrous_for_it() -> None:
    found = last_of([*(row(n, "-10.00") for n in range(5)), row(9, "-10.50")])
    assert found["spend_robust_zscore_30d"] == pytest.approx(0.5 / spread(5, 0, 10))
    assert found["spend_robust_zscore_30d"] < 0.1


def test_a_quartile_lies_on_the_line_between_two_amounts() -> None:
    found = last_of([row(0, "-10.00"), row(1, "-20.00"), row(2, "-100.00")])
    assert found["spend_robust_zscore_30d"] == pytest.approx((100 - 15) / spread(2, 5 / 1.349, 15))


def test_an_hour_next_door_is_the_same_habit_and_one_further_is_not() -> None:
    found = last_of([row(0.5), row(23.5), row(24 + 1.5), row(24 + 2.5), row(48 + 0.25)])
    assert found["account_hour_share_30d"] == 0.75


def test_the_weekday_is_compared_with_the_accounts_own() -> None:
    assert last_of([row(0), row(24), row(48), row(24 * 7)])["account_weekday_share_30d"] == pytest.approx(1 / 3)


def test_a_shop_paid_twice_in_a_day_is_one_counterparty_and_one_of_the_day_before_is_none() -> None:
    rows = [row(0, shop="old"), row(30, shop="s"), row(31, shop="s"), row(32, shop="t"), row(33, shop=None)]
    assert last_of([*rows, row(34)])["account_distinct_counterparties_1d"] == 2


def test_what_was_delivered_later_is_no_habit_yet() -> None:
    late = row(1, "-500.00", late_days=2, shop="t")
    found = last_of([row(0, "-10.00"), late, row(5, "-20.00")])
    assert (found["spend_to_median_30d"], found["account_distinct_counterparties_1d"]) == (2, 1)
    found = last_of([row(0, "-10.00"), late, row(5, "-20.00", late_days=2)])
    assert (found["spend_to_median_30d"], found["account_distinct_counterparties_1d"]) == (20 / 255, 2)


def test_a_window_that_steps_back_for_a_late_row_holds_what_it_held_then() -> None:
    rows = [row(n * 24, f"-{10 + n}.00", shop=f"s{n}") for n in range(20)]
    stepped_back = row(5 * 24 + 1, "-99.00", late_days=12)
    found = features(table([*rows, stepped_back, row(20 * 24, "-20.00")]))
    assert found["spend_to_median_30d"][20] == pytest.approx(99 / 12.5)
    assert found["account_distinct_counterparties_1d"][20] == 1
    assert found["spend_to_median_30d"][21] == pytest.approx(20 / 20)


def test_a_burst_stands_out_against_the_accounts_own_pace() -> None:
    pace = [row(24 * n) for n in range(30)]
    burst = [row(24 * 30 + n / 100) for n in range(5)]
    found = last_of([*pace, *burst])
    assert found["account_count_1h_to_habit"] == pytest.approx((4 + 1) / (33 / 720 + 1))
    assert last_of([row(0)])["account_count_1h_to_habit"] == 1


@pytest.mark.parametrize("rows", [0, 1])
def test_a_source_without_accounts_has_calendar_and_amount(rows: int) -> None:
    cleaned = table([{**row(0), "account_id": None}] * rows)
    found = features(cleaned)
    assert found["spend"].to_list() == [10.0] * rows
    assert found["account_hour_share_30d"].to_list() == [None] * rows
