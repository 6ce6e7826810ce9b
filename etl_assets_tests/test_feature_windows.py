"""What the compiled windows promise beyond their values: exactness at any size, linear time, compiling anywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import FunctionType

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from etl_assets.feature_groups import FEATURES
from etl_assets.transforms import habits, parts
from etl_assets.transforms.features import AmountsTooLarge, compute_features
from etl_assets.transforms.window_groups import compiled
from etl_assets_tests import feature_steps, join_form
from etl_assets_tests.feature_steps import DAY_S, MARCH_1, WHOLE, busy, payments


def found(cleaned: pa.Table, first: date = WHOLE[0], last: date = WHOLE[1], zone: str = "UTC") -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(compute_features(cleaned, FEATURES, first, last, zone))).sort("n")


@pytest.mark.parametrize("lags", [0, 1, 5])
def test_a_source_that_books_days_after_the_fact_equals_the_join_form(lags: int) -> None:
    cleaned = payments(*busy(600, lags, seed=lags))
    given = pl.DataFrame(pl.from_arrow(cleaned))
    for entity in ("account", "counterparty"):
        oracle = join_form.windowed(given, entity).drop("n")
        values = found(cleaned)
        for name in oracle.columns:
            np.testing.assert_allclose(values[name], oracle[name], rtol=1e-8, atol=1e-4 if "_std_" in name else 0)


def test_spread_survives_amounts_that_are_large_and_nearly_equal() -> None:
    billion = 10**9 * 100
    values = found(payments(np.array([0, 50, 100]) * 60, np.array([-billion - 2, -billion + 2, -1]), np.zeros(3, int)))
    assert values["counterparty_std_1d"][-1] == 0.02


def test_one_huge_payment_is_no_reason_to_refuse_a_busy_merchant() -> None:
    second, cents, lag = busy(2_000, 0)
    cents[0] = -(10**14)
    assert found(payments(second, cents, lag))["counterparty_max_30d"].max() == 10**12


def test_a_payment_beyond_64_bits_is_refused_by_name() -> None:
    cleaned = payments(np.zeros(1, int), np.array([-1]), np.zeros(1, int))
    too_large = pa.array([Decimal(-(10**16))], pa.decimal128(24, 4))
    cleaned = cleaned.set_column(cleaned.column_names.index("amount"), "amount", too_large)
    with pytest.raises(AmountsTooLarge, match="64 bits"):
        found(cleaned)


@pytest.mark.parametrize(("rows", "cents"), [(2, 9 * 10**16), (50, 10**16)])
def test_a_refusal_names_the_kind_of_entity_and_the_currency(rows: int, cents: int) -> None:
    with pytest.raises(AmountsTooLarge, match=r"one counterparty_id in IDR"):
        found(payments(np.arange(rows) * 60, np.full(rows, -cents), np.zeros(rows, int)))


@pytest.mark.parametrize("shift_days", [0, -MARCH_1 - 60], ids=["today", "before 1970"])
def test_a_late_row_alone_in_its_window_brings_no_trace_of_what_the_window_left_behind(shift_days: int) -> None:
    second = np.array([0, 800, 801, 803]) * 3_600 + shift_days * DAY_S
    cleaned = payments(second, np.array([-500, 500, -1, -1]), np.array([0, 3, 3, 0]))
    values = found(cleaned, first=date(1969, 1, 1))
    assert values["counterparty_max_1h"].to_list() == [None, None, 0, None]
    assert values["counterparty_since_last"].to_list() == [None, None, 3_600, None]
    first_row_later = found(cleaned.slice(1), first=date(1969, 1, 1))
    assert first_row_later["counterparty_since_last"].to_list() == [None, 3_600, None]


@pytest.mark.parametrize("case", ["prompt", "late", "one midnight", "one amount"])
def test_four_times_the_rows_of_one_merchant_take_four_times_the_steps(case: str) -> None:
    """Steps are executed lines of the kernels, run as plain Python: a clock would measure the machine's other tenants.

    A little more than four, since a search among more rows is a step or two longer.
    """
    few, many = (lines_run(case, rows) for rows in (400, 1_600))
    assert 3 * few < many < 5 * few


def lines_run(case: str, rows: int) -> int:
    script = Path(feature_steps.__file__)
    command = [sys.executable, "-W", "ignore", "-m", f"etl_assets_tests.{script.stem}", case, str(rows)]
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    return int(subprocess.run(command, env=environment, check=True, capture_output=True, timeout=300).stdout)


def test_the_kernel_for_easy_groups_and_the_one_for_any_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    cleaned = payments(*busy(2_000, 0))
    easy = compute_features(cleaned, FEATURES, *WHOLE, "UTC")
    monkeypatch.setattr(parts, "prompt", lambda _, starts, *__: np.ones(len(starts) - 1, np.bool_))
    assert compute_features(cleaned, FEATURES, *WHOLE, "UTC").equals(easy)


def test_an_account_too_busy_for_a_sorted_list_has_the_median_of_its_thirty_days() -> None:
    names = {"spend_to_median_30d", "spend_robust_zscore_30d"}
    robust = [feature for feature in FEATURES if feature.name in names]
    second, cents, lag = busy(habits.SMALL * 50 + 1_000, 0)
    large = compute_features(payments(second, cents, lag), robust, *WHOLE, "UTC")
    spend = pl.DataFrame(pl.from_arrow(large)).filter(pl.col("account_id") == "7").sort("event_at")
    assert spend.height > habits.SMALL
    at, amount = spend["event_at"].dt.epoch("s").to_numpy(), -spend["amount"].cast(pl.Float64).to_numpy()
    for row in range(0, spend.height, 25):
        seen = amount[(at < at[row]) & (at >= at[row] - 30 * DAY_S)]
        expected = amount[row] / max(np.median(seen), 1) if len(seen) else None
        assert spend["spend_to_median_30d"][row] == pytest.approx(expected)


def test_rows_of_one_instant_have_one_order_even_without_lineage() -> None:
    cleaned = payments(np.zeros(30, int), -np.arange(1, 31), np.zeros(30, int))
    shuffled = cleaned.take(pa.array(np.random.default_rng(0).permutation(30)))
    assert compute_features(shuffled, FEATURES, *WHOLE, "UTC").equals(
        compute_features(cleaned, FEATURES, *WHOLE, "UTC")
    )


def test_history_alone_gives_no_rows_and_rows_after_the_range_are_not_seen() -> None:
    cleaned = payments(np.array([0, 60, 120]), np.array([-1, -1, -1]), np.array([0, 2, 9]))
    assert found(cleaned, last=date(2026, 2, 28)).is_empty()
    assert found(cleaned, date(2026, 3, 3), date(2026, 3, 3))["counterparty_count_1d"].to_list() == [1]


def test_thirty_days_reach_into_the_thirty_first_day_before_when_clocks_go_forward() -> None:
    after_midnight, hours_30_days = 29 * DAY_S + 22 * 3_600 + 600, 30 * DAY_S
    second = np.array([after_midnight - hours_30_days, after_midnight])
    values = found(payments(second, np.array([-1, -1]), np.zeros(2, int), "Europe/Berlin"), zone="Europe/Berlin")
    assert (values["business_date"][1] - values["business_date"][0]).days == 31
    assert values["counterparty_count_30d"][1] == 1


def test_a_kernel_compiles_where_no_cache_can_be_written() -> None:
    def twice(value: int) -> int:
        return 2 * value

    homeless = FunctionType(twice.__code__.replace(co_filename="nowhere.py"), {}, "twice")
    assert compiled(homeless)(4) == 8
