"""Turn the handbook's transactions into the daily CSV files that a bank would deliver.

    python bench/handbook_deliveries.py OUT [--days N] [--data DIR]

OUT is the folder of the files; their spec is `handbook_bank.yaml` beside this script. The kind of a fraud
(TX_FRAUD_SCENARIO) stays behind: no bank delivers it, and it would tell a model the answer.
"""

from __future__ import annotations

import argparse
import os
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import polars as pl

from etl_assets.simulator.files import deliver

SHARED_DATA = Path(os.environ.get("ETL_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
DELIVERED = (
    "TRANSACTION_ID",
    pl.col("TX_DATETIME").dt.strftime("%Y-%m-%dT%H:%M:%S"),
    "CUSTOMER_ID",
    "TERMINAL_ID",
    pl.col("TX_AMOUNT").cast(pl.Decimal(18, 2)),
    pl.col("TX_FRAUD").cast(pl.Int8),
)


def write_deliveries(source: Path, folder: Path, days: int | None) -> int:
    """`folder` holds one file per day of `source`, the first `days` of them or all; returns the rows in them.

    Each file is dated two o'clock UTC of the next day, so that the order of arrival is that of the days.
    """
    day = pl.col("TX_DATETIME").dt.date()
    transactions = pl.read_parquet(source).with_columns(day=day).sort("TX_DATETIME", "TRANSACTION_ID")
    if days is not None:
        transactions = transactions.filter(day < day.min() + timedelta(days=days))
    for (on,), rows in transactions.group_by("day", maintain_order=True):
        assert isinstance(on, date)
        content = rows.select(*DELIVERED).write_csv().encode()
        arrival = datetime.combine(on + timedelta(days=1), time(2), tzinfo=UTC)
        deliver(folder / f"transactions_{on:%Y%m%d}.csv", content, arrival)
    return len(transactions)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT", help="folder of the daily files")
    parser.add_argument("--days", type=int, help="only the first days")
    parser.add_argument(
        "--data", type=Path, default=SHARED_DATA, help="folder that holds handbook/transactions.parquet"
    )
    arguments = parser.parse_args()
    rows = write_deliveries(arguments.data / "handbook" / "transactions.parquet", arguments.out, arguments.days)
    print(f"{rows} transactions in {arguments.out}")


if __name__ == "__main__":
    main()
