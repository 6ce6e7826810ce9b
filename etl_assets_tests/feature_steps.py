"""Payments to one busy merchant, and how many lines of the kernels run for them.

NUMBA_DISABLE_JIT=1 python -m etl_assets_tests.feature_steps CASE ROWS
"""

from __future__ import annotations

import sys
from datetime import date
from decimal import Decimal
from types import FrameType
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from etl_assets.feature_groups import FEATURES
from etl_assets.transforms import habits, labels, prompt_windows, window_groups, windows
from etl_assets.transforms.features import compute_features
from etl_assets.transforms.window_groups import Integers

MARCH_1, DAY_S = 20_513, 86_400
WHOLE = (date(2026, 1, 1), date(2027, 1, 1))
KERNELS = {module.__file__ for module in (habits, labels, prompt_windows, window_groups, windows)}


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


def busy(rows: int, lags: int, seed: int = 0) -> tuple[Integers, Integers, Integers]:
    """Seconds of 40 days with many ties, cents, and lags of up to `lags` days."""
    draw = np.random.default_rng(seed)
    second = draw.integers(0, 40 * DAY_S // 900, rows) * 900
    return second, -draw.integers(1, 10**7, rows), draw.integers(0, lags + 1, rows)


def cleaned(case: str, rows: int) -> pa.Table:
    """One merchant and one account, so that each is as hot as can be."""
    second, cents, lag = busy(rows, 3 if case == "late" else 0)
    table = payments(second * (case != "one midnight"), np.full(rows, -100) if case == "one amount" else cents, lag)
    return table.set_column(table.column_names.index("account_id"), "account_id", pa.array(["a"] * rows))


def main() -> None:
    case, rows = sys.argv[1], int(sys.argv[2])
    given, lines = cleaned(case, rows), 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace if frame.f_code.co_filename in KERNELS else None

    sys.settrace(trace)
    compute_features(given, FEATURES, *WHOLE, "UTC", labels=confirmed(given))
    sys.settrace(None)
    print(lines)  # noqa: T201


def confirmed(rows: pa.Table) -> pa.Table:
    """A label for every row, a day after it."""
    at = pl.from_arrow(rows).with_columns(known_at=pl.col("event_at") + pl.duration(days=1))
    return at.with_columns(is_fraud=pl.lit(value=True), is_explained=pl.lit(value=False)).to_arrow()


if __name__ == "__main__":
    main()
