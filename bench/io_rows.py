"""The rows that the benchmark of the I/O managers moves: the handbook's transactions as twelve typed columns.

| column | Arrow | from the handbook |
|---|---|---|
| day | date32 | date of TX_DATETIME; the partition |
| event_at | timestamp[us, UTC] | TX_DATETIME |
| transaction_id | int64 | TRANSACTION_ID |
| account_id | string | CUSTOMER_ID with eight digits |
| counterparty_id | string | TERMINAL_ID with a prefix |
| terminal | int32 | TERMINAL_ID |
| amount | double, or decimal128(24, 4) | TX_AMOUNT, two digits |
| currency | string | always USD |
| hour | int16 | hour of TX_DATETIME |
| fraud_kind | int16 | TX_FRAUD_SCENARIO |
| is_fraud | bool | TX_FRAUD |
| description | string | a line as on a statement; null in every tenth row |

No database here.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.contracts import Column, Table
from etl_assets.io_managers.slices import Slice, daily_slice

MONEY = pa.decimal128(24, 4)
TYPES = {
    "day": pa.date32(),
    "event_at": pa.timestamp("us", "UTC"),
    "transaction_id": pa.int64(),
    "account_id": pa.string(),
    "counterparty_id": pa.string(),
    "terminal": pa.int32(),
    "amount": pa.float64(),
    "currency": pa.string(),
    "hour": pa.int16(),
    "fraud_kind": pa.int16(),
    "is_fraud": pa.bool_(),
    "description": pa.string(),
}
KEY = ("day", "transaction_id")


def handbook(data: Path, limit: int | None) -> pa.Table:
    """The first `limit` transactions in order of time, or all, with amounts as double."""
    at, terminal = pl.col("TX_DATETIME"), pl.col("TERMINAL_ID").cast(pl.String)
    said = pl.concat_str(pl.lit("card payment at terminal "), terminal, pl.lit(", "), at.dt.strftime("%d.%m. %H:%M"))
    rows = pl.scan_parquet(data / "handbook" / "transactions.parquet").sort("TX_DATETIME", "TRANSACTION_ID")
    chosen = (rows if limit is None else rows.head(limit)).select(
        day=at.dt.date(),
        event_at=at.dt.cast_time_unit("us").dt.replace_time_zone("UTC"),
        transaction_id=pl.col("TRANSACTION_ID"),
        account_id=pl.col("CUSTOMER_ID").cast(pl.String).str.zfill(8),
        counterparty_id=pl.concat_str(pl.lit("terminal-"), terminal),
        terminal=pl.col("TERMINAL_ID"),
        amount=pl.col("TX_AMOUNT"),
        currency=pl.lit("USD"),
        hour=at.dt.hour(),
        fraud_kind=pl.col("TX_FRAUD_SCENARIO"),
        is_fraud=pl.col("TX_FRAUD").cast(pl.Boolean),
        description=pl.when(pl.col("TRANSACTION_ID") % 10 != 0).then(said),
    )
    return chosen.collect().to_arrow().cast(pa.schema(TYPES)).combine_chunks()


def with_money(rows: pa.Table) -> pa.Table:
    """The same rows with amounts as decimal(24,4)."""
    return rows.set_column(rows.column_names.index("amount"), "amount", money(rows["amount"]))


def money(amounts: pa.ChunkedArray) -> pa.ChunkedArray:
    """The amounts as decimal(24,4): sums of them do not depend on the order."""
    return amounts if amounts.type == MONEY else pc.round(amounts, 2).cast(MONEY)


def total(rows: pa.Table) -> Decimal:
    """The exact sum of the amounts."""
    return pc.sum(money(rows["amount"])).as_py() or Decimal(0)


def contract(name: str, schema: pa.Schema, key: tuple[str, ...]) -> Table:
    """The table that holds such rows."""
    columns = tuple(Column(field.name, field.type, "See io_rows.py.", field.name in key) for field in schema)
    return Table(name, "The handbook's transactions.", columns, key, "day")


def days(rows: pa.Table) -> list[date]:
    return sorted(pc.unique(rows["day"]).to_pylist())


def slice_of(rows: pa.Table) -> Slice:
    """The daily partitions that the rows are in."""
    return daily_slice("day", days(rows))


def reader(rows: pa.Table, batch_rows: int = 65_536) -> pa.RecordBatchReader:
    return pa.RecordBatchReader.from_batches(rows.schema, rows.to_batches(max_chunksize=batch_rows))
