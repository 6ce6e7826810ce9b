"""How rows stand in memory shows in no feature: dictionaries, where batches end, and cells of the kernels."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from etl_assets.feature_groups import FEATURES
from etl_assets.transforms import features, history
from etl_assets.transforms.features import compute_features
from etl_assets.transforms.window_groups import cells_of, turned
from etl_assets_tests.feature_rows import FIRST, row, table
from etl_assets_tests.feature_steps import WHOLE, busy, payments

NAMES = [feature.name for feature in FEATURES]


def test_dictionaries_with_values_that_no_row_has_change_no_feature() -> None:
    rows = table([row(n % 3, shop=shop) for n, shop in enumerate(["x", "s", None, "t", "s", "y"])])
    encoded = rows
    for name in ("account_id", "counterparty_id", "currency"):
        at = encoded.column_names.index(name)
        encoded = encoded.set_column(at, name, encoded[name].dictionary_encode())
    span = (FIRST, FIRST + timedelta(days=9))
    found = compute_features(encoded.slice(1, 4), FEATURES, *span, "UTC")
    assert found.select(NAMES).equals(compute_features(rows.slice(1, 4), FEATURES, *span, "UTC").select(NAMES))


def test_where_batches_and_stretches_of_cells_end_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = payments(*busy(300, 3))
    whole = compute_features(rows, FEATURES, *WHOLE, "UTC")
    monkeypatch.setattr(features, "ROWS_A_BATCH", 7)
    monkeypatch.setattr(history, "STRETCH", 16)
    assert compute_features(rows, FEATURES, *WHOLE, "UTC").combine_chunks().equals(whole.combine_chunks())


def test_every_asked_row_has_a_cell_of_its_own_within_its_stretch() -> None:
    place = np.array([5, -1, 0, 3, 9, 1, -1, 8])
    cell, at = cells_of(place, 10, 4)
    assert cell.tolist() == [4, -1, 0, 1, 8, 2, -1, 9]
    assert at.tolist() == [0, 2, -1, 1, -1, 4, -1, -1, 9, 8]


def test_a_row_without_a_cell_has_no_values() -> None:
    cells = np.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(turned(cells, np.array([2, -1, 0])), [[4, np.nan, 0], [5, np.nan, 1]])
