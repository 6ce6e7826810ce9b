"""Featured rows as the arrays that models take.

The order of the columns is the order of the features; nothing else knows it.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.feature_groups import Feature


def matrix(rows: pa.Table, features: Sequence[Feature]) -> np.ndarray:
    """float64 of shape (rows, features); a value that the row does not have is NaN."""
    columns = [pc.fill_null(rows[f.name], float("nan")).to_numpy() for f in features]
    return np.column_stack(columns) if columns else np.empty((rows.num_rows, 0))


def labels(rows: pa.Table) -> np.ndarray | None:
    """Confirmed frauds as booleans of shape (rows,), or None where no row has a label."""
    if rows["is_fraud"].null_count == rows.num_rows:
        return None
    return np.asarray(pc.fill_null(rows["is_fraud"], fill_value=False).to_numpy(zero_copy_only=False), dtype=bool)
