"""Labels are known from the instant that they arrive, and never before."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_assets.feature_groups import FEATURES, supported
from etl_assets.transforms.features import compute_features
from etl_assets.transforms.labels import SCHEMA, explained_by_amount
from etl_assets_tests import join_form_habits
from etl_assets_tests.feature_rows import FIRST, MIDNIGHT, Row, row, rows_of_a_bank, table

LABELLED = tuple(feature for feature in FEATURES if "labels" in feature.needs)
some_labels = st.lists(
    st.fixed_dictionaries(
        {
            "account_id": st.sampled_from(["a", "b", "never seen", None]),
            "counterparty_id": st.sampled_from(["s", "t", None]),
            "known_at": st.builds(
                lambda hours, micros: MIDNIGHT + timedelta(hours=hours, microseconds=micros),
                st.one_of(st.integers(0, 6), st.integers(-24, 24 * 40)),
                st.sampled_from([0, 1, 999_999]),
            ),
            "is_fraud": st.sampled_from([True, True, False, None]),
            "is_explained": st.sampled_from([True, False, None]),
        }
    ),
    max_size=25,
)


def labels_of(labels: list[dict[str, object]]) -> pa.Table:
    return pa.Table.from_pylist(labels, SCHEMA)


def label(hours: float, *, is_fraud: bool = True, is_explained: bool = False) -> dict[str, object]:
    at = MIDNIGHT + timedelta(hours=hours)
    who = {"account_id": "a", "counterparty_id": "s"}
    return {**who, "known_at": at, "is_fraud": is_fraud, "is_explained": is_explained}


def found(rows: pa.Table, labels: pa.Table | None) -> pl.DataFrame:
    last = FIRST + timedelta(days=60)
    return pl.DataFrame(pl.from_arrow(compute_features(rows, LABELLED, FIRST, last, "UTC", labels=labels))).sort("n")


def at_hour(hours: float, *labels: dict[str, object]) -> dict[str, float | None]:
    """What a payment at that hour knows."""
    return found(table([row(hours)]), labels_of(list(labels))).row(0, named=True)


@settings(deadline=None, max_examples=100)
@given(rows_of_a_bank, some_labels)
def test_every_label_feature_equals_the_join_form(rows: list[Row], labels: list[dict[str, object]]) -> None:
    values = found(table(rows), labels_of(labels))
    for entity in ("account", "counterparty"):
        given_rows, given_labels = (pl.DataFrame(pl.from_arrow(t)) for t in (table(rows), labels_of(labels)))
        oracle = join_form_habits.known_frauds(given_rows, given_labels, entity)
        for name in oracle.columns:
            assert values[name].is_null().to_list() == oracle[name].is_null().to_list(), name
            np.testing.assert_allclose(values[name].drop_nulls(), oracle[name].drop_nulls(), rtol=1e-8)


@settings(deadline=None, max_examples=40)
@given(rows_of_a_bank, some_labels, st.integers(0, 24 * 34))
def test_a_label_that_arrives_later_changes_no_feature(
    rows: list[Row], labels: list[dict[str, object]], hour: int
) -> None:
    now = MIDNIGHT + timedelta(hours=hour)
    past = table([r for r in rows if MIDNIGHT + timedelta(hours=r["hours"], microseconds=r["micros"]) <= now])  # type: ignore[arg-type]
    arrived = [one for one in labels if one["known_at"] <= now]  # type: ignore[operator]
    assert found(past, labels_of(arrived)).equals(found(past, labels_of(labels)))


@settings(deadline=None, max_examples=20)
@given(rows_of_a_bank, some_labels.flatmap(lambda one: st.tuples(st.just(one), st.permutations(one))))
def test_the_order_of_labels_changes_nothing(
    rows: list[Row], labels: tuple[list[dict[str, object]], list[dict[str, object]]]
) -> None:
    assert found(table(rows), labels_of(labels[0])).equals(found(table(rows), labels_of(labels[1])))


def test_a_label_of_this_very_second_is_not_known_and_one_exactly_a_window_old_still_is() -> None:
    assert at_hour(24, label(24))["counterparty_frauds_1d"] == 0
    assert at_hour(24, label(0))["counterparty_frauds_1d"] == 1
    assert at_hour(24, label(-1 / 3_600))["counterparty_frauds_1d"] == 0


def test_a_fraud_that_its_amount_explains_says_less_about_the_place() -> None:
    values = at_hour(24, label(1, is_explained=True), label(2), label(3, is_fraud=False), label(4, is_fraud=False))
    assert (values["counterparty_frauds_7d"], values["counterparty_fraud_share_7d"]) == (2, 0.5)
    assert (values["counterparty_unexplained_frauds_7d"], values["account_unexplained_fraud_share_7d"]) == (1, 0.25)


def test_without_a_label_there_is_no_fraud_and_no_share_of_it() -> None:
    values = found(table([row(0)]), None).row(0, named=True)
    assert {values[f.name] for f in LABELLED if f.unit == "transactions"} == {0.0}
    assert {values[f.name] for f in LABELLED if f.unit == "share"} == {None}


def test_a_source_without_labels_has_no_feature_of_them() -> None:
    assert not set(LABELLED) & set(supported(["account", "counterparty", "time_of_day"]))
    assert set(LABELLED) < set(supported(["account", "counterparty", "time_of_day", "labels"]))


@pytest.mark.parametrize(("zscore", "is_explained"), [(None, False), (3.4, False), (3.5, True), (-9.0, False)])
def test_an_amount_explains_a_fraud_from_an_outlier_of_its_account_on(zscore: float | None, is_explained: bool) -> None:  # noqa: FBT001
    featured = pa.table({"spend_robust_zscore_30d": pa.array([zscore], pa.float64())})
    assert explained_by_amount(featured).to_pylist() == [is_explained]
