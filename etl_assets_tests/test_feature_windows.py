"""What the compiled windows promise beyond their values: exactness at any size, linear time, compiling anywhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from types import FunctionType

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from etl_assets.feature_groups import FEATURES
from etl_assets.transforms.features import AmountsTooLarge, compute_features
from etl_assets.transforms.window_groups import Integers, compiled
from etl_assets_tests import join_form

MARCH_1, DAY_S = 20_513, 86_400
WHOLE = (date(2026, 1, 1), date(2027, 1, 1))


def payments(second: Integers, cents: Integers, lag_days: Integers, zone: str = "UTC") -> pa.Table:
    """Payments of 50 accounts to one merchant, `second` counted from 1 March, delivered `lag_days` after the event."""
    at = pl.from_epoch(pl.Series(second + MARCH_1 * DAY_S), "s").dt.cast_time_unit("us").dt.replace_time_zone("UTC")
    local_date = at.dt.convert_time_zone(zone).dt.date()
    rows = (
        pl.DataFrame({"event_at": at, "lag": lag_days, "cents": cents})
        .with_row_index("n")
        .with_columns(
            business_date=local_date + pl.duration(days=pl.col("lag")),
            account_id=(pl.col("n") % 50).cast(pl.String),
            counterparty_id=pl.lit("merchant"),
            currency=pl.lit("IDR"),
        )
    )
    amounts = pa.array([Decimal(int(c)).scaleb(-2) for c in cents], pa.decimal128(24, 4))
    return rows.drop("lag", "cents").to_arrow().append_column("amount", amounts)


def found(cleaned: pa.Table, first: date = WHOLE[0], last: date = WHOLE[1], zone: str = "UTC") -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(compute_features(cleaned, FEATURES, first, last, zone))).sort("n")


def busy(rows: int, lags: int, seed: int = 0) -> tuple[Integers, Integers, Integers]:
    """Seconds of 40 days with many ties, cents, and lags of up to `lags` days."""
    draw = np.random.default_rng(seed)
    second = draw.integers(0, 40 * DAY_S // 900, rows) * 900
    return second, -draw.integers(1, 10**7, rows), draw.integers(0, lags + 1, rows)


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


def seconds_of(work: Callable[[], object]) -> float:
    """CPU seconds of the fastest of three runs: the others measure the machine's other tenants."""

    def once() -> float:
        start = time.process_time()
        work()
        return time.process_time() - start

    return min(once() for _ in range(3))


@pytest.mark.parametrize("case", ["late", "one midnight"])
def test_four_times_the_rows_of_one_merchant_take_less_than_nine_times_as_long(case: str) -> None:
    def taken(rows: int) -> float:
        second, cents, lag = busy(rows, 3 if case == "late" else 0)
        cleaned = payments(second if case == "late" else second * 0, cents, lag)
        return seconds_of(lambda: compute_features(cleaned, FEATURES, *WHOLE, "UTC"))

    taken(10)
    assert taken(80_000) < 9 * taken(20_000)


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
