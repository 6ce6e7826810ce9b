"""What a feature may know, as properties; and what it is, against an oracle written from the definition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from math import cos, pi, sin

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_assets.feature_groups import FEATURES, supported
from etl_assets.transforms.features import AmountsTooLarge, compute_features, features_in_pieces, stretches_of
from etl_assets_tests import join_form
from etl_assets_tests.feature_rows import FIRST, MIDNIGHT, Row, row, rows_of_a_bank, table

NAMES = [feature.name for feature in FEATURES]


def features(rows: pa.Table, first: date = FIRST, last: date = FIRST + timedelta(days=60)) -> pl.DataFrame:
    """All features of the rows in the range, by `n`."""
    return pl.DataFrame(pl.from_arrow(compute_features(rows, FEATURES, first, last, "UTC"))).sort("n")


def last_of(rows: Sequence[Row]) -> dict[str, float | None]:
    """The features of the last row given."""
    return features(table(rows)).row(-1, named=True)


@settings(deadline=None, max_examples=60)
@given(rows_of_a_bank)
def test_every_window_equals_the_join_form(rows: list[Row]) -> None:
    cleaned = table(rows)
    found, given_rows = features(cleaned), pl.DataFrame(pl.from_arrow(cleaned))
    for entity in ("account", "counterparty"):
        oracle = join_form.windowed(given_rows, entity).drop("n")
        for name in oracle.columns:
            assert found[name].is_null().to_list() == oracle[name].is_null().to_list(), name
            np.testing.assert_allclose(
                found[name].drop_nulls(), oracle[name].drop_nulls(), rtol=1e-8, atol=1e-5 if "_std_" in name else 1e-8
            )
    assert found["counterparty_is_new"].to_list() == join_form.is_new(given_rows).to_list()


@settings(deadline=None, max_examples=60)
@given(rows_of_a_bank, st.integers(0, 24 * 34), st.integers(0, 3))
def test_what_happens_or_arrives_later_changes_no_feature(rows: list[Row], hour: int, day: int) -> None:
    cleaned = table(rows)
    now, known = MIDNIGHT + timedelta(hours=hour), FIRST + timedelta(days=hour // 24 + day)
    kept = [r["event_at"] <= now and r["business_date"] <= known for r in cleaned.to_pylist()]  # type: ignore[operator]
    past = cleaned.filter(pa.array(kept, pa.bool_()))
    assert features(past)[NAMES].equals(features(cleaned).filter(pl.Series(kept, dtype=pl.Boolean))[NAMES])


@settings(deadline=None, max_examples=30)
@given(rows_of_a_bank.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(range(len(rows))))))
def test_the_order_of_rows_changes_nothing(case: tuple[list[Row], list[int]]) -> None:
    rows, order = case
    cleaned = table(rows)
    assert features(cleaned.take(pa.array(order, pa.int64()))).equals(features(cleaned))


@settings(deadline=None, max_examples=15)
@given(rows_of_a_bank)
def test_a_range_equals_its_days_bit_for_bit(rows: list[Row]) -> None:
    cleaned = table(rows)
    days = [FIRST + timedelta(days=n) for n in range(40)]
    apart = []
    for day in days:
        seen = [day - timedelta(days=33) <= d <= day for d in cleaned["business_date"].to_pylist()]
        apart.append(compute_features(cleaned.filter(pa.array(seen, pa.bool_())), FEATURES, day, day, "UTC"))
    together = compute_features(cleaned, FEATURES, days[0], days[-1], "UTC")
    assert pa.concat_tables(apart).equals(together)


def test_a_range_in_stretches_equals_the_range_bit_for_bit_whatever_order_they_come_in() -> None:
    rows = table([row(hour, late_days=hour % 3) for hour in range(0, 24 * 40, 7)])
    days = rows["business_date"].to_pylist()

    def read(first: date, last: date) -> pa.Table:
        return rows.filter(pa.array([first <= day <= last for day in days]))

    stretches = list(stretches_of(Counter(days), 25))
    assert len(stretches) > 5
    given = {"history_days": 31 + 2, "time_zone": "UTC"}
    batches = list(features_in_pieces(read, FEATURES, stretches, **given))  # type: ignore[arg-type]
    assert pa.Table.from_batches(batches).equals(compute_features(rows, FEATURES, min(days), max(days), "UTC"))


def test_a_stretch_is_one_busy_day_or_neighbours_that_fit_together() -> None:
    rows = dict(zip([FIRST + timedelta(days=n) for n in (0, 1, 2, 3, 5, 6)], [4, 5, 30, 1, 1, 1], strict=True))
    found = [((a - FIRST).days, (z - FIRST).days) for a, z in stretches_of(rows, 10)]
    assert found == [(0, 1), (2, 2), (3, 3), (5, 6)]
    assert list(stretches_of({})) == []


def test_money_that_comes_in_is_counted_but_is_no_spend() -> None:
    found = last_of([row(0, "3000.00"), row(1, "-10.00"), row(2, "-20.00")])
    assert (found["account_count_1d"], found["account_sum_1d"], found["account_max_1d"]) == (2, 10, 10)


def test_events_of_one_second_do_not_see_each_other() -> None:
    first, second = features(table([row(1), row(1)])).rows(named=True)
    assert (first["account_count_1d"], second["account_count_1d"]) == (0, 0)


def test_a_row_that_was_delivered_later_was_not_known() -> None:
    late, early = row(1, "-500.00", late_days=2), row(5)
    assert last_of([late, early])["account_count_1d"] == 0
    assert last_of([late, early])["account_max_30d"] is None
    assert last_of([late, row(5, late_days=2)])["account_max_30d"] == 500


def test_a_hidden_maximum_gives_way_to_the_largest_that_was_known() -> None:
    found = last_of([row(1, "-20.00"), row(2, "-500.00", late_days=3), row(3, "-30.00"), row(5)])
    assert (found["account_max_1d"], found["account_count_1d"], found["account_sum_1d"]) == (30, 2, 50)


def test_an_event_exactly_one_window_ago_still_counts() -> None:
    assert last_of([row(0), row(1)])["account_count_1h"] == 1
    assert last_of([row(0), row(1), row(1.01)])["account_count_1h"] == 1


def test_spend_is_compared_with_the_accounts_own_thirty_days() -> None:
    found = last_of([row(0, "-10.00"), row(1, "-30.00"), row(2, "-100.00")])
    assert found["spend"] == 100
    assert found["spend_to_mean_30d"] == pytest.approx(5)
    assert found["spend_zscore_30d"] == pytest.approx((100 - 20) / (((2 * 10**2 + 5 * 20**2) / 7) ** 0.5))


def test_a_row_without_counterparty_has_no_counterparty_features() -> None:
    found = last_of([row(0), row(1, shop=None)])
    assert {found[f.name] for f in FEATURES if "counterparty" in f.needs} == {None}
    assert found["account_count_1d"] == 1


def test_the_hour_is_that_of_the_institutions_clock_on_both_sides_of_the_change() -> None:
    rows = table([row(8 * 24 + 12), row(9 * 24 + 12)])
    found = compute_features(rows, FEATURES, FIRST, FIRST + timedelta(days=20), "Europe/Berlin")
    hours = [(a, b) for a, b in zip(found["hour_sin"].to_pylist(), found["hour_cos"].to_pylist(), strict=True)]
    for found_at, hour in zip(hours, (13, 14), strict=True):
        assert found_at == pytest.approx((sin(2 * pi * hour / 24), cos(2 * pi * hour / 24)))


def test_amounts_whose_sums_would_wrap_around_are_refused() -> None:
    with pytest.raises(AmountsTooLarge):
        features(table([row(0, "-900000000000000.00"), row(1, "-900000000000000.00")]))


def test_sums_are_exact_where_floats_are_not() -> None:
    found = last_of([row(n / 60, "-0.10") for n in range(30)] + [row(1, "-1.00")])
    assert found["account_sum_1d"] == 3.0
    assert found["account_std_1d"] == 0.0


def test_no_rows_give_no_rows_with_all_columns() -> None:
    assert set(NAMES) < set(compute_features(table([]), FEATURES, FIRST, FIRST, "UTC").column_names)


def test_a_source_without_counterparties_and_times_has_the_features_that_it_can_support() -> None:
    names = {feature.name for feature in supported(["account"])}
    assert "account_count_1d" in names
    assert not {"account_count_1h", "hour_sin", "counterparty_count_1d", "counterparty_is_new"} & names
