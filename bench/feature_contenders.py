"""The moments of both entities' windows, as others compute them: Parquet in, Parquet out.

Each gets the rows at their best: sorted where it wants them sorted, floats for money, a second's rows alike. Each
writes one row per transaction in the order of the file, with its row number and forty moments.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from etl_assets.feature_groups import ENTITIES, STATISTICS, WINDOWS

NAMES = [f"{e}_{s}_{w.name}" for e in ENTITIES for s in STATISTICS for w in WINDOWS]


PLAIN = {"compression": "none", "use_dictionary": False, "write_statistics": False}
"""How everyone but DuckDB, which writes with its own hands, writes: what more a file may have would only level them."""


def written(rows: pa.Table, target: Path) -> None:
    """The table as the contenders write it."""
    pq.write_table(rows, target, **PLAIN)


def _spends(source: Path) -> pl.DataFrame:
    columns = ("account_id", "counterparty_id", "business_date", "event_at")
    spend = (-pl.col("amount").cast(pl.Float64)).clip(0)
    return pl.read_parquet(source).select(*columns, spend=spend).with_row_index("n")


def polars(source: Path, target: Path) -> None:
    """`group_by` rolling per entity and window, put back into the order of the file."""
    rows = _spends(source)
    parts = []
    for entity in ENTITIES:
        key, found = f"{entity}_id", []
        ordered = rows.sort(key, "event_at")
        for window in WINDOWS:
            width, back = f"{window.seconds}s", f"-{window.seconds}s"
            rolling = ordered.rolling("event_at", period=width, offset=back, closed="left", group_by=key)
            moments = rolling.agg(_moments(entity, window.name, pl.col("spend")))
            found.append(moments.drop(key, "event_at") if found else moments)
        by_entity = pl.concat(found, how="horizontal").sort(key, "event_at").drop(key, "event_at")
        parts.append(by_entity.with_columns(ordered["n"]).sort("n").drop("n"))
    written(pl.concat([rows.select("n"), *parts], how="horizontal").select("n", *NAMES).to_arrow(), target)


def _moments(entity: str, window: str, spend: pl.Expr) -> list[pl.Expr]:
    values = {
        "count": pl.len().cast(pl.Float64),
        "sum": spend.sum(),
        "mean": spend.mean(),
        "std": spend.std(0),
        "max": spend.max(),
    }
    return [values[statistic].alias(f"{entity}_{statistic}_{window}") for statistic in STATISTICS]


def ranges(source: Path, target: Path) -> None:
    """DuckDB's RANGE windows, all eight named in one statement."""
    functions = {
        "count": "count(*)",
        "sum": "sum(spend)",
        "mean": "avg(spend)",
        "std": "stddev_pop(spend)",
        "max": "max(spend)",
    }
    values = ", ".join(
        f"{functions[s]} OVER {e}_{w.name} AS {e}_{s}_{w.name}" for e in ENTITIES for s in STATISTICS for w in WINDOWS
    )
    frames = ", ".join(
        f"{e}_{w.name} AS (PARTITION BY {e}_id ORDER BY second RANGE BETWEEN {w.seconds} PRECEDING AND 1 PRECEDING)"
        for e in ENTITIES
        for w in WINDOWS
    )
    rows = (
        "SELECT file_row_number AS n, account_id, counterparty_id, epoch(event_at)::BIGINT AS second, "  # noqa: S608  our own names and paths
        f"greatest(-amount::DOUBLE, 0) AS spend FROM read_parquet('{source}', file_row_number = true)"
    )
    with duckdb.connect() as connection:
        statement = f"SELECT n, {values} FROM ({rows}) WINDOW {frames} ORDER BY n"  # noqa: S608  our own names and paths
        connection.execute(f"COPY ({statement}) TO '{target}' (FORMAT parquet, COMPRESSION uncompressed)")


def join_form(source: Path, target: Path, days: Sequence[date]) -> None:
    """Each of the days joined with its history on the entity, filtered by age, aggregated with conditions."""
    rows = _spends(source)
    written(pl.concat(_joined_day(rows, day) for day in days).to_arrow(), target)


def _joined_day(rows: pl.DataFrame, day: date) -> pl.DataFrame:
    longest = timedelta(seconds=WINDOWS[-1].seconds)
    new = rows.lazy().filter(pl.col("business_date") == day)
    old = rows.lazy().filter(pl.col("business_date").is_between(day - longest - timedelta(days=1), day))
    result = new
    for entity in ENTITIES:
        key, age = f"{entity}_id", pl.col("event_at") - pl.col("event_at_right")
        pairs = new.select("n", key, "event_at").join(old.select(key, "event_at", "spend"), on=key)
        pairs = pairs.with_columns(age=age.dt.total_seconds()).filter(pl.col("age").is_between(1, WINDOWS[-1].seconds))
        moments = [
            m for w in WINDOWS for m in _conditional(entity, w.name, pl.col("spend").filter(pl.col("age") <= w.seconds))
        ]
        result = result.join(pairs.group_by("n").agg(moments), on="n", how="left")
    empty = [name for name in NAMES if "_count_" in name or "_sum_" in name]
    return result.with_columns(pl.col(empty).fill_null(0.0)).sort("n").select("n", *NAMES).collect()


def _conditional(entity: str, window: str, spend: pl.Expr) -> list[pl.Expr]:
    values = {
        "count": spend.len().cast(pl.Float64),
        "sum": spend.sum(),
        "mean": spend.mean(),
        "std": spend.std(0),
        "max": spend.max(),
    }
    return [values[statistic].alias(f"{entity}_{statistic}_{window}") for statistic in STATISTICS]


def pandas(source: Path, entity: str, names: Sequence[str], *, quartiles: bool) -> pd.DataFrame:
    """`groupby().rolling()` of the named entities as the Fraud Detection Handbook does it, by entity and time.

    With `quartiles` also the three of the account's 30 days.
    """
    key = f"{entity}_id"
    rows = pq.read_table(source, columns=[key, "event_at", "amount"], filters=[(key, "in", list(names))])
    frame = rows.drop_columns("amount").to_pandas()
    frame["spend"] = np.maximum(-rows["amount"].cast(pa.float64()).to_numpy(), 0)
    frame["n"] = np.arange(len(frame))
    grouped = frame.sort_values([key, "event_at"], kind="stable").groupby(key, sort=True)
    parts = {}
    for window in WINDOWS:
        spend = grouped.rolling(f"{window.seconds}s", on="event_at", closed="left")["spend"]
        for statistic in STATISTICS:
            values = spend.std(ddof=0) if statistic == "std" else getattr(spend, statistic)()
            parts[f"{entity}_{statistic}_{window.name}"] = values.to_numpy()
        if quartiles and window is WINDOWS[-1]:
            for q in (0.25, 0.5, 0.75):
                parts[f"{entity}_quantile_{q}"] = spend.quantile(q).to_numpy()
    return pd.DataFrame(parts)


def days_of(source: Path) -> Iterator[date]:
    """The business dates in the file, in order."""
    yield from sorted(pq.read_table(source, columns=["business_date"])["business_date"].unique().to_pylist())
