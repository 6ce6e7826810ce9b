"""The handbook's transactions as `cleaned_transactions` has them, in memory and as a stream of any length.

No database here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count, repeat
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from io_rows import handbook, with_money

from etl_assets.contracts import Table
from etl_assets.institution_spec import load_spec
from etl_assets.tables import cleaned_table

RENAMED = {"business_date": "day", "_row_number": "transaction_id", "booked_on": "day"}
BATCH_ROWS = 65_536
SPEC = Path(__file__).with_name("handbook_bank.yaml")


def contract() -> Table:
    """The table of the bank that delivers the handbook."""
    os.environ.setdefault("ETL_DELIVERIES", "deliveries")
    return cleaned_table(load_spec(SPEC))


def cleaned(data: Path, limit: int | None) -> pa.Table:
    """The first transactions, or all, in the contract's columns; what the handbook does not tell is null."""
    rows, schema = with_money(handbook(data, limit)), contract().schema
    rows = rows.append_column("_delivery_id", pc.strftime(rows["day"], "delivery-of-%Y-%m-%d"))
    columns = [_column(rows, field) for field in schema]
    return pa.table(columns, schema=schema).combine_chunks()


def _column(rows: pa.Table, field: pa.Field) -> pa.Array | pa.ChunkedArray:
    source = RENAMED.get(field.name, field.name)
    if field.name == "event_at_is_ambiguous":
        return pa.array([False]).take(pa.array([0] * rows.num_rows))
    return rows[source].cast(field.type) if source in rows.column_names else pa.nulls(rows.num_rows, field.type)


def spooled(rows: pa.Table, folder: Path) -> Path:
    """The rows lie in a file of Arrow's own: decoding Parquet would take more memory than writing."""
    file = folder / "rows.arrows"
    with pa.ipc.new_stream(file, rows.schema) as stream:
        stream.write_table(rows, max_chunksize=BATCH_ROWS)
    return file


def streamed(file: Path, number: int) -> pa.RecordBatchReader:
    """So many rows from the file, over and over; each time with other ids, so that no key comes twice.

    By a file handle: Arrow would map a path into memory, and its pages would count as ours.
    """
    with file.open("rb") as source:
        schema = pa.ipc.open_stream(source).schema
    return pa.RecordBatchReader.from_batches(schema, _repeated(file, number))


def _repeated(file: Path, number: int) -> Iterator[pa.RecordBatch]:
    for turn in count():
        with file.open("rb") as source:
            for batch in pa.ipc.open_stream(source):
                if number <= 0:
                    return
                some = batch.slice(0, number)
                yield _with_ids_of(turn, some) if turn else some
                number -= some.num_rows


def _with_ids_of(turn: int, batch: pa.RecordBatch) -> pa.RecordBatch:
    at = batch.schema.names.index("transaction_id")
    ids = pc.binary_join_element_wise(batch["transaction_id"], pa.array([*repeat(f"-{turn}", len(batch))]), "")
    return batch.set_column(at, batch.schema.field(at), ids)
