"""Peak memory of the whole feature set over many rows, in a process of its own.

    python bench/feature_memory.py CLEANED COPIES

COPIES banks like the one in CLEANED become one: COPIES x 1.75 M rows of handbook data. They are written to a file
first, by another process, and read back a stretch of days at a time; batches of features are counted, not kept.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from etl_assets.feature_groups import supported
from etl_assets.transforms.features import features_in_pieces, stretches_of

FEATURES = supported(["account", "counterparty", "time_of_day"])
HISTORY_DAYS = 31


def multiplied(cleaned: Path, copies: int, target: Path) -> None:
    """`target` holds `copies` banks with customers and terminals of their own, a row group per day."""
    rows = pl.read_parquet(cleaned)
    writer = None
    for day in rows.partition_by("business_date", maintain_order=True):
        ids = ("account_id", "counterparty_id", "transaction_id")
        banks = [day.with_columns((pl.lit(f"{n}-") + pl.col(name)).alias(name) for name in ids) for n in range(copies)]
        table = pl.concat(banks).sort("event_at").to_arrow()
        amount = table.column_names.index("amount")
        table = table.set_column(amount, "amount", table["amount"].cast(pa.decimal128(24, 4)))
        writer = writer or pq.ParquetWriter(target, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def rows_of(path: Path) -> dict[date, int]:
    """How many rows each day has."""
    days = pc.value_counts(pq.read_table(path, columns=["business_date"])["business_date"])
    return {entry["values"]: entry["counts"] for entry in days.to_pylist()}


def computed(path: Path) -> int:
    """How many rows got their features."""

    def read(first: date, last: date) -> pa.Table:
        return pq.read_table(path, filters=[("business_date", ">=", first), ("business_date", "<=", last)])

    stretches = list(stretches_of(rows_of(path)))
    batches = features_in_pieces(read, FEATURES, stretches, history_days=HISTORY_DAYS, time_zone="UTC")
    return sum(batch.num_rows for batch in batches)


def main() -> None:
    cleaned, copies = Path(sys.argv[1]), int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        many = Path(folder, "many.parquet")
        writer = multiprocessing.get_context("spawn").Process(target=multiplied, args=(cleaned, copies, many))
        writer.start()
        writer.join()
        start = time.process_time()
        rows = computed(many)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"rows": rows, "peak_rss_mb": peak_mb, "cpu_s": time.process_time() - start}))


if __name__ == "__main__":
    main()
