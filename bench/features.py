"""Compute all features of the handbook's transactions, and the moments of one entity with pandas beside them.

    python bench/features.py [--customers N] [--data DIR] [--json PATH]

The kernel runs over all rows. pandas rolls the twenty account windows of the first N customers, interleaved with
the kernel on the same rows and features; each figure is the median of five.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from etl_assets.feature_groups import FEATURES, STATISTICS, WINDOWS, Feature
from etl_assets.transforms.features import compute_features

SHARED_DATA = Path(os.environ.get("ETL_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
ROUNDS = 5
RANGE = (date(2018, 1, 1), date(2018, 12, 31), "UTC")
MOMENTS = tuple(f for f in FEATURES if f.name in {f"account_{s}_{w.name}" for s in STATISTICS for w in WINDOWS})


def cleaned(source: Path) -> pa.Table:
    """The handbook's transactions as a bank's cleaned rows: times are UTC, what customers spend is negative."""
    rows = pl.read_parquet(source).select(
        business_date=pl.col("TX_DATETIME").dt.date(),
        event_at=pl.col("TX_DATETIME").dt.cast_time_unit("us").dt.replace_time_zone("UTC"),
        account_id=pl.col("CUSTOMER_ID").cast(pl.String),
        counterparty_id=pl.col("TERMINAL_ID").cast(pl.String),
        transaction_id=pl.col("TRANSACTION_ID").cast(pl.String),
        amount=(-pl.col("TX_AMOUNT")).cast(pl.Decimal(24, 4)),
        currency=pl.lit("USD"),
    )
    arrow = rows.to_arrow()
    return arrow.set_column(5, "amount", arrow["amount"].cast(pa.decimal128(24, 4)))


def taken(work: Callable[[], object]) -> tuple[float, float]:
    """CPU and wall seconds of `work`."""
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu_s, time.perf_counter() - wall_s


def through_parquet(source: Path, folder: Path) -> None:
    pq.write_table(compute_features(pq.read_table(source), FEATURES, *RANGE), folder / "featured.parquet")


def kernel(rows: pa.Table, features: tuple[Feature, ...] = FEATURES) -> pa.Table:
    return compute_features(rows, features, *RANGE)


def rolled(rows: pd.DataFrame) -> pd.DataFrame:
    """The account's moments by `groupby().rolling()`; one row per transaction, by account and time."""
    grouped = rows.groupby("account_id", sort=True)
    parts = {}
    for window in WINDOWS:
        spend = grouped.rolling(f"{window.seconds}s", on="event_at", closed="left")["spend"]
        for statistic in STATISTICS:
            values = spend.std(ddof=0) if statistic == "std" else getattr(spend, statistic)()
            parts[f"account_{statistic}_{window.name}"] = values.to_numpy()
    return pd.DataFrame(parts)


def compared(rows: pa.Table, customers: int) -> dict[str, float]:
    """Median CPU seconds of both on the same rows, after their counts, means and maxima were found equal."""
    few = rows.filter(pa.array([int(a) < customers for a in rows["account_id"].to_pylist()]))
    few = few.sort_by([("account_id", "ascending"), ("event_at", "ascending")])
    frame = few.select(["account_id", "event_at"]).to_pandas()
    frame["spend"] = -few["amount"].cast(pa.float64()).to_numpy()
    ours = kernel(few, MOMENTS).sort_by([("account_id", "ascending"), ("event_at", "ascending")])
    theirs = rolled(frame)
    for feature in MOMENTS:
        statistic = feature.name.split("_")[1]
        if statistic in {"count", "mean", "max"}:
            expected = theirs[feature.name].fillna(0 if statistic == "count" else np.nan)
            np.testing.assert_allclose(ours[feature.name].to_numpy(), expected, rtol=1e-6, err_msg=feature.name)
    rounds = [(taken(lambda: kernel(few, MOMENTS))[0], taken(lambda: rolled(frame))[0]) for _ in range(ROUNDS)]
    kernel_s, pandas_s = (median(column) for column in zip(*rounds, strict=True))
    return {
        "compared_rows": few.num_rows,
        "kernel_cpu_s": kernel_s,
        "pandas_cpu_s": pandas_s,
        "pandas_to_kernel_cpu": pandas_s / kernel_s,
    }


def figures(rows: pa.Table, customers: int) -> dict[str, float]:
    """What the whole table costs, then the comparison; the peak is read before pandas can raise it."""
    first_cpu_s, _ = taken(lambda: kernel(rows.slice(0, 1_000)))
    times = [taken(lambda: kernel(rows)) for _ in range(ROUNDS)]
    cpu_s, wall_s = (median(column) for column in zip(*times, strict=True))
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(rows, Path(folder, "cleaned.parquet"))
        parquet_cpu_s, _ = taken(lambda: through_parquet(Path(folder, "cleaned.parquet"), Path(folder)))
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "rows": rows.num_rows,
        "features": len(FEATURES),
        "first_call_cpu_s": first_cpu_s,
        "cpu_s": cpu_s,
        "wall_s": wall_s,
        "rows_per_s": rows.num_rows / wall_s,
        "parquet_in_and_out_cpu_s": parquet_cpu_s,
        "peak_rss_bytes": peak_bytes,
        **compared(rows, customers),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=500, help="how many customers pandas rolls over")
    parser.add_argument("--data", type=Path, default=SHARED_DATA, help="folder with handbook/transactions.parquet")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    result = figures(cleaned(arguments.data / "handbook" / "transactions.parquet"), arguments.customers)
    for name, value in result.items():
        print(f"{name:28}{value:>20,.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
