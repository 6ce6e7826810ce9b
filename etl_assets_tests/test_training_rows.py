"""A week's model learns from the weeks before it, in time order, and from no label that was not known yet."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa

from etl_assets.assets.autoencoder import known_before, split
from etl_assets.assets.matrices import known_labels
from etl_assets_tests.specs import minimal_spec

MONDAY = date(2024, 3, 4)
SPEC = minimal_spec(labels={"source": "fraud", "known_after_days": 10}, training={"weeks": 2})


def rows(*cases: tuple[int, bool | None]) -> pa.Table:
    """A row per case: so many days before the Monday, with this label; the last case came first by the clock."""
    days = [MONDAY - timedelta(days=before) for before, _ in cases]
    at = [datetime(d.year, d.month, d.day, 20 - n, tzinfo=UTC) for n, d in enumerate(days)]
    return pa.table(
        {
            "business_date": pa.array(days, pa.date32()),
            "transaction_id": [str(n) for n in range(len(cases))],
            "event_at": pa.array(at, pa.timestamp("us", "UTC")),
            "is_fraud": pa.array([label for _, label in cases], pa.bool_()),
        }
    )


def test_the_last_week_is_measured_on_and_the_weeks_before_it_are_learnt_in_time_order() -> None:
    learnt, later = split(rows((0, None), (1, None), (7, None), (8, None), (8, None), (15, None)), SPEC, MONDAY)
    assert learnt["transaction_id"].to_pylist() == ["4", "3"]
    assert later["transaction_id"].to_pylist() == ["1", "2"]


def test_a_label_that_was_not_known_when_the_week_began_is_unknown_and_not_genuine() -> None:
    labels = known_labels(rows((11, True), (11, False), (10, True), (9, False), (12, None)), known_before(SPEC, MONDAY))
    assert labels is not None
    np.testing.assert_array_equal(labels, [1, 0, np.nan, np.nan, np.nan])


def test_where_nothing_was_known_there_are_no_labels() -> None:
    assert known_labels(rows((3, True), (12, None)), known_before(SPEC, MONDAY)) is None
