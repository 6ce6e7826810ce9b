"""One CSV delivery -> validated cleaned table in PostgreSQL, beside COPY into text, dlt and pandas.

    python bench/deliveries.py [--rounds 5] [--data FOLDER] [--json FILE] [--no-memory]

The delivery holds all 1,754,155 transactions of the handbook. Ours keeps the raw records, judges each and writes the
cleaned table, quarantine and row account; the others load the file and judge nothing. Starts its own PostgreSQL.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path

import polars as pl
from delivery_memory import peak_rss_mb
from delivery_ways import DAY, Bank, copied_as_text, dlt_way, ours, pandas_way, straight
from handbook_deliveries import DELIVERED
from io_contenders import execute
from io_rounds import Timed, Way, in_turns

from etl_assets.embedded import postgres as embedded_postgres

DATA = Path(os.environ.get("ETL_SHARED_DATA") or Path(__file__).parents[2] / "shared" / "data") / "handbook"
PUBLISHED_CLAIM = 132_494
LARGE = {"1m": 1_000_000, "10m": 10_000_000}


def transactions(source: Path) -> pl.DataFrame:
    """The handbook's transactions in the order in which they happened."""
    return pl.read_parquet(source / "transactions.parquet").sort("TX_DATETIME", "TRANSACTION_ID").select(*DELIVERED)


def write_rows(rows: pl.DataFrame, count: int, file: Path) -> None:
    """A delivery of `count` rows: the transactions again and again, each time with ids of their own."""
    with file.open("wb") as out:
        for start in range(0, count, rows.height):
            part = rows.head(count - start).with_columns(pl.col("TRANSACTION_ID") + start)
            part.write_csv(out, include_header=start == 0)


@contextmanager
def server() -> Iterator[tuple[str, Path]]:
    """The URL of a PostgreSQL of its own, and a working folder; both are gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        running = embedded_postgres.start(Path(folder) / "postgres")
        try:
            yield running.url("postgres"), Path(folder)
        finally:
            embedded_postgres.destroy(Path(folder) / "postgres")


def timed(bank: Bank, count: int, rounds: int) -> Timed:
    """Every way of getting the delivery into the database, in turns."""
    before = partial(execute, bank.url, *bank.dropped(), "CHECKPOINT")
    ways = [
        Way("ours", count, partial(ours, bank), before, bank.verified),
        Way("ours, without keeping raw", count, partial(straight, bank), before, bank.verified),
        Way("COPY csv into text", count, partial(copied_as_text, bank, key=None), before),
        Way("COPY csv into text with a key", count, partial(copied_as_text, bank, key="TRANSACTION_ID"), before),
        pandas_way(bank, before),
    ]
    ways += dlt_way(bank, count, before)
    return in_turns(f"{count:,} CSV records", ways, rounds)


def figures(found: Timed) -> dict[str, float]:
    """The figures under the names that others read them by."""
    rate = {name: found.rate(name) for name in found.seconds}
    named = {
        "cleaned_vs_copy_text": rate["ours"] / rate["COPY csv into text"],
        "cleaned_vs_copy_text_with_key": rate["ours"] / rate["COPY csv into text with a key"],
        "straight_vs_copy_text": rate["ours, without keeping raw"] / rate["COPY csv into text"],
        "rows_per_s": rate["ours"],
        "rows_per_s_vs_published_claim": rate["ours"] / PUBLISHED_CLAIM,
    }
    for name, prefix in (("cleaned_vs_dlt", "dlt"), ("cleaned_vs_to_sql", "pandas")):
        if (way := found.fastest(prefix)) is not None:
            named[name] = rate["ours"] / rate[way]
    return named


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data", type=Path, default=DATA, help="folder that holds transactions.parquet")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    parser.add_argument("--no-memory", action="store_true", help="leave out the files of 1 and 10 million rows")
    arguments = parser.parse_args()
    rows = transactions(arguments.data)
    with server() as (url, folder):
        bank = Bank(url, folder / "deliveries")
        write_rows(rows, rows.height, bank.file(DAY))
        found = timed(bank, rows.height, arguments.rounds)
        found.show("ours")
        named = figures(found)
        for size, count in {} if arguments.no_memory else LARGE.items():
            execute(url, *bank.dropped())
            large = Bank(url, folder / size)
            write_rows(rows, count, large.file(date(2018, 9, 30)))
            named[f"peak_rss_mb_{size}"] = peak_rss_mb(large, count)
            large.file(DAY).unlink()
    for name, value in named.items():
        print(f"{name}: {value:,.3f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(named, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
