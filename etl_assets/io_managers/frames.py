"""Rows in the shapes that people write them in, as Arrow batches, and back.

No database and no Dagster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd
import polars as pl
import pyarrow as pa

from etl_assets.io_managers.errors import Permanent

BATCH_ROWS = 16_384


@dataclass(frozen=True)
class Rows:
    """A schema and batches of at most `BATCH_ROWS` rows; `is_repeatable` where they can be asked for again."""

    schema: pa.Schema
    batches: Callable[[], Iterator[pa.Table]]
    is_repeatable: bool = True


def rows_of(value: object) -> Rows:
    """The asset's value as Arrow rows, whichever of the supported frames it is.

    In a pandas frame NaN in a plain float column means that there is no value, as everywhere in pandas; Arrow and
    Polars keep NaN and null apart.

    Raises: Permanent for anything else.
    """
    match value:
        case pa.RecordBatchReader():
            return Rows(value.schema, lambda: _batches(value), is_repeatable=False)
        case pa.Table():
            return Rows(value.schema, lambda: _batches(value.to_reader(BATCH_ROWS)))
        case pl.DataFrame():
            return rows_of(value.to_arrow())
        case pd.DataFrame():
            return rows_of(pa.Table.from_pandas(value, preserve_index=False).replace_schema_metadata(None))
    raise Permanent(
        f"cannot store a {type(value).__name__}; return a pyarrow Table or RecordBatchReader, a polars or pandas "
        "DataFrame"
    )


def _batches(reader: pa.RecordBatchReader) -> Iterator[pa.Table]:
    for batch in reader:
        for start in range(0, batch.num_rows, BATCH_ROWS):
            yield pa.Table.from_batches([batch.slice(start, BATCH_ROWS)])


def as_annotated(rows: pa.Table, annotation: object) -> object:
    """The rows in the annotated type; an Arrow table where there is no annotation."""
    if annotation is pl.DataFrame:
        return pl.from_arrow(rows)
    return rows.to_pandas() if annotation is pd.DataFrame else rows
