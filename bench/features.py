"""Features of the handbook's transactions: ours and others', CPU seconds with reading and writing Parquet.

    POLARS_MAX_THREADS=1 OMP_NUM_THREADS=1 python bench/features.py [--rounds N] [--data DIR] [--json PATH]

Moments are count, sum, mean, std and max of four windows of both entities. The contenders take turns, results are
checked to be equal, a figure is the median of the rounds. The join form runs every eighth day and pandas a share of
the customers and terminals; both are scaled up, which is said where they are printed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median

import feature_contenders as others
import feature_memory
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from etl_assets.feature_groups import FEATURES, Feature, supported
from etl_assets.transforms.features import feature_batches

SHARED_DATA = Path(os.environ.get("ETL_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
WHOLE = supported(["account", "counterparty", "time_of_day"])
MOMENTS = tuple(feature for feature in FEATURES if feature.name in others.NAMES)
RANGE = (date(2018, 1, 1), date(2018, 12, 31))
INPUTS = ["business_date", "event_at", "account_id", "counterparty_id", "amount", "currency"]
TEXTS = ["account_id", "counterparty_id", "currency"]
NEW_DAY, HISTORY_DAYS, COPIES = date(2018, 8, 8), 31, 16
JOINED_DAY_STEP, PANDAS_CUSTOMERS, PANDAS_TERMINALS = 8, 100, 200


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
    arrow = rows.sort("business_date", "event_at", *sorted(rows.columns)).to_arrow()
    return arrow.set_column(5, "amount", arrow["amount"].cast(pa.decimal128(24, 4)))


def taken(work: Callable[[], object]) -> float:
    """CPU seconds of `work`, of all its threads."""
    start = time.process_time()
    work()
    return time.process_time() - start


def ours(source: Path, target: Path, features: Sequence[Feature], days: tuple[date, date] = RANGE) -> None:
    """The features of the days as batches from file to file; like the others it reads what it needs."""
    writer = None
    rows = pq.read_table(source, columns=INPUTS, read_dictionary=TEXTS)
    for batch in feature_batches(rows, features, *days, "UTC"):
        kept = batch.select([feature.name for feature in features])
        writer = writer or pq.ParquetWriter(target, kept.schema, **others.PLAIN)
        writer.write_batch(kept)
    if writer is not None:
        writer.close()


def assert_equal(ours_at: Path, theirs: pl.DataFrame, rows: np.ndarray | None = None) -> None:
    """Same counts, and amounts to a hundredth of a cent; floats that were added and taken away again drift."""
    for name in theirs.columns:
        mine = pl.read_parquet(ours_at, columns=[name])[name].fill_null(np.nan).to_numpy()
        expected = theirs[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        if "_count_" in name or "_sum_" in name:
            expected = np.nan_to_num(expected)
        tolerance = {"rtol": 1e-6, "atol": 1e-2 if "_std_" in name else 1e-4}
        np.testing.assert_allclose(mine if rows is None else mine[rows], expected, **tolerance, err_msg=name)


def moments(source: Path, folder: Path, rounds: int) -> dict[str, float]:
    """CPU seconds of everyone's moments over all rows, after their results were found equal."""
    days = list(others.days_of(source))
    some = days[JOINED_DAY_STEP - 1 :: JOINED_DAY_STEP]
    runs: dict[str, Callable[[Path], None]] = {
        "ours": lambda to: ours(source, to, MOMENTS),
        "polars": lambda to: others.polars(source, to),
        "duckdb": lambda to: others.ranges(source, to),
        "join_form": lambda to: others.join_form(source, to, some),
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            times[name].append(taken(lambda run=run, name=name: run(folder / f"{name}.parquet")))
    for name in ("polars", "duckdb", "join_form"):
        theirs = pl.read_parquet(folder / f"{name}.parquet")
        assert_equal(folder / "ours.parquet", theirs.drop("n"), theirs["n"].to_numpy())
    result = {f"moments_{name}_cpu_s": median(cpu_s) for name, cpu_s in times.items()}
    result["moments_join_form_cpu_s"] *= len(days) / len(some)
    return result


def against_pandas(source: Path, folder: Path, rounds: int) -> dict[str, float]:
    """CPU seconds of all features, and of pandas for the moments and three quartiles, fewer than all, scaled."""
    rows, seconds = pq.read_table(source, columns=["account_id", "counterparty_id"]), 0.0
    for entity, count in (("account", PANDAS_CUSTOMERS), ("counterparty", PANDAS_TERMINALS)):
        names = [str(n) for n in range(count)]
        found = others.pandas(source, entity, names, quartiles=False)
        places = _places(source, entity, names)
        assert_equal(folder / "ours.parquet", pl.from_pandas(found), places)
        start = time.process_time()
        found = others.pandas(source, entity, names, quartiles=entity == "account")
        others.written(pa.Table.from_pandas(found), folder / "pandas.parquet")
        seconds += (time.process_time() - start) * rows.num_rows / len(places)
    whole = median(taken(lambda: ours(source, folder / "whole.parquet", WHOLE)) for _ in range(rounds))
    return {"whole_ours_cpu_s": whole, "whole_pandas_cpu_s": seconds}


def _places(source: Path, entity: str, names: Sequence[str]) -> np.ndarray:
    key = f"{entity}_id"
    rows = pl.read_parquet(source, columns=[key, "event_at"]).with_row_index("n")
    return rows.filter(pl.col(key).is_in(names)).sort(key, "event_at", maintain_order=True)["n"].to_numpy()


def new_day(source: Path, folder: Path, rounds: int) -> dict[str, float]:
    """CPU seconds of one day's moments from a file with its history, ours and the join form's."""
    window = pl.col("business_date").is_between(NEW_DAY - pl.duration(days=HISTORY_DAYS), NEW_DAY)
    recent, day = folder / "recent.parquet", (NEW_DAY, NEW_DAY)
    pq.write_table(pl.read_parquet(source).filter(window).to_arrow(), recent)
    mine, theirs = [], []
    for _ in range(rounds):
        mine.append(taken(lambda: ours(recent, folder / "day.parquet", MOMENTS, day)))
        theirs.append(taken(lambda: others.join_form(recent, folder / "day_join.parquet", [NEW_DAY])))
    assert_equal(folder / "day.parquet", pl.read_parquet(folder / "day_join.parquet").drop("n"))
    return {"day_ours_cpu_s": median(mine), "day_join_form_cpu_s": median(theirs)}


def one_merchant(rows: int) -> pa.Table:
    """A month of payments of 5,000 accounts to one counterparty."""
    draw = np.random.default_rng(rows)
    second = np.sort(draw.integers(0, 30 * 86_400, rows)) + int(datetime(2018, 8, 1, tzinfo=UTC).timestamp())
    at = pa.array(second * 1_000_000).cast(pa.timestamp("us", "UTC"))
    cents = pa.array(-draw.integers(1, 10**6, rows)).cast(pa.decimal128(19, 0))
    account = pa.array(draw.integers(0, 5_000, rows)).cast(pa.string())
    values = [
        at.cast(pa.date32()),
        at,
        account,
        pa.array(["m"] * rows),
        cents.cast(pa.decimal128(24, 4)),
        ["USD"] * rows,
    ]
    return pa.table(dict(zip(INPUTS, values, strict=True)))


def hot_entity() -> dict[str, float]:
    """CPU seconds of all features of one merchant's 10^6 rows; 1 is linear in comparison with a quarter of them."""
    seconds = []
    for rows in (250_000, 1_000_000):
        given = one_merchant(rows)
        runs = [taken(lambda given=given: list(feature_batches(given, WHOLE, *RANGE, "UTC"))) for _ in range(3)]
        seconds.append(min(runs))
    return {"hot_entity_s_per_million": seconds[1], "hot_entity_growth": seconds[1] / 4 / seconds[0]}


def many_rows(source: Path) -> dict[str, float]:
    """Peak memory of all features of COPIES such banks, in a process of its own."""
    command = [sys.executable, feature_memory.__file__, str(source), str(COPIES)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return {"rows_28m": found["rows"], "peak_rss_mb_28m": found["peak_rss_mb"], "cpu_s_28m": found["cpu_s"]}


def figures(arguments: argparse.Namespace) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "cleaned.parquet"
        pq.write_table(cleaned(arguments.data / "handbook" / "transactions.parquet"), source)
        result = {"first_call_cpu_s": taken(lambda: ours(source, folder / "ours.parquet", MOMENTS))}
        result |= moments(source, folder, arguments.rounds) | new_day(source, folder, arguments.rounds)
        result |= against_pandas(source, folder, arguments.rounds) | hot_entity()
        result |= {} if arguments.without_memory else many_rows(source)
    best = min(result[f"moments_{other}_cpu_s"] for other in ("polars", "duckdb", "join_form"))
    result["moments_vs_best_other_cpu"] = best / result["moments_ours_cpu_s"]
    result["full_vs_pandas_cpu"] = result["whole_pandas_cpu_s"] / result["whole_ours_cpu_s"]
    result["day_vs_join_form_cpu"] = result["day_join_form_cpu_s"] / result["day_ours_cpu_s"]
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--without-memory", action="store_true", help="leave out the 28 M rows, which take minutes")
    parser.add_argument("--data", type=Path, default=SHARED_DATA, help="folder with handbook/transactions.parquet")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    result = figures(arguments)
    for name, value in result.items():
        print(f"{name:28}{value:>16,.2f}")
    print(
        f"join form over all rows: every {JOINED_DAY_STEP}th day, scaled by days; pandas: {PANDAS_CUSTOMERS} customers"
    )
    print(f"and {PANDAS_TERMINALS} terminals, scaled by rows, moments and three quartiles only")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
