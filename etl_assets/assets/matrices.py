"""Featured rows as the arrays that models take.

The order of the columns is the order of the features; nothing else knows it.
"""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.feature_groups import Feature
from models.calibration import Floats

DAY_S = 86_400


def matrix(rows: pa.Table, features: Sequence[Feature], started_on: date) -> Floats:
    """float64 of shape (rows, features); a value that the row does not have is NaN.

    While the institution's history is shorter than a window, counts and sums over it are scaled up to the
    whole window: a model of the second week would otherwise take the third for an outbreak.
    """
    age_s = _seconds_since(rows["event_at"], started_on)
    columns = [_scaled(pc.fill_null(rows[f.name], float("nan")).to_numpy(), f, age_s) for f in features]
    return np.column_stack(columns) if columns else np.empty((rows.num_rows, 0))


def _scaled(values: Floats, feature: Feature, age_s: Floats) -> Floats:
    if feature.grows_over_s is None:
        return values
    return values * feature.grows_over_s / np.clip(age_s, min(DAY_S, feature.grows_over_s), feature.grows_over_s)


def _seconds_since(event_at: pa.ChunkedArray, started_on: date) -> Floats:
    start = np.datetime64(started_on, "us").astype(np.int64)
    return np.asarray((event_at.cast(pa.int64()).to_numpy() - start) / 1_000_000, dtype=np.float64)


def known_labels(rows: pa.Table, before: date) -> Floats | None:
    """1 for a fraud, 0 for a genuine row, NaN where nothing was confirmed before; None where nothing was at all.

    Of shape (rows,); only labels of business dates before `before` were known. A label that comes later must not
    count as genuine: the head would learn that fraud ends where knowledge does.
    """
    is_known = pc.and_(pc.is_valid(rows["is_fraud"]), pc.less(rows["business_date"], before))
    values = pc.if_else(is_known, rows["is_fraud"].cast(pa.float64()), float("nan"))
    return np.asarray(values.to_numpy(), np.float64) if pc.any(is_known).as_py() else None


def labels(rows: pa.Table) -> np.ndarray | None:
    """Confirmed frauds as booleans of shape (rows,), or None where no row has a label."""
    if rows["is_fraud"].null_count == rows.num_rows:
        return None
    return np.asarray(pc.fill_null(rows["is_fraud"], fill_value=False).to_numpy(zero_copy_only=False), dtype=bool)
