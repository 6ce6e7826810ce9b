"""A Parquet delivery: declared columns as canonical text, so that both formats look alike from raw on.

Types to text only; which column is which belongs to `layout.py`, parsing the text again to `transforms/`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.sources.layout import DeliveryRejected, Layout, Reading, joined, laid_out

BATCH_ROWS = 1 << 17


def read_parquet(original: bytes, spec: InstitutionSpec) -> Reading:
    """Every row of the file; a row with a value that a text column cannot hold is damaged, with its JSON as record."""
    return joined(list(parquet_parts(io.BytesIO(original), spec)))


def parquet_parts(file: BinaryIO, spec: InstitutionSpec) -> Iterator[Reading]:
    """The same, some rows at a time; one part where there are none.

    Raises: DeliveryRejected, at any part: a damaged page shows only when it is read.
    """
    with _complete():
        parquet = pq.ParquetFile(file)
        schema, batches = parquet.schema_arrow, parquet.iter_batches(BATCH_ROWS, use_threads=False)
    layout = laid_out(schema.names, spec, [_kind(column) for column in schema.types])
    first = 0
    for rows in _each(batches, schema):
        yield _part(rows, first, layout, spec.deliveries.csv.max_field_bytes)
        first += rows.num_rows


def _each(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Each batch as a table; a table without rows where there is no batch."""
    with _complete():
        batch = next(batches, None)
    if batch is None:
        yield schema.empty_table()
    while batch is not None:
        yield pa.Table.from_batches([batch])
        with _complete():
            batch = next(batches, None)


@contextmanager
def _complete() -> Iterator[None]:
    """What the library says of a broken file is said as a rejection."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise DeliveryRejected("it is not a complete Parquet file (", error, "); ask for the file again") from error


def _part(table: pa.Table, first: int, layout: Layout, max_field_bytes: int) -> Reading:
    values = [as_text(column) for column in table.columns]
    problems = _problems(values, layout, max_field_bytes)
    rows = layout.rows(values, first + np.arange(1, table.num_rows + 1), None)
    is_good = np.isin(np.arange(table.num_rows), list(problems), invert=True)
    good = rows.filter(pa.array(is_good)) if problems else rows
    damaged = [
        _damaged(table.column_names, values, row, problems[row]) | {"_row_number": first + row + 1}
        for row in sorted(problems)
    ]
    return Reading(pa.concat_tables([good, layout.damaged_rows(damaged)]), control_lines=0, titles=layout.titles)


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The values as text from which they can be had back exactly; null stays null.

    Arrow's own casts write small decimals as 1E-10 and instants with a space, which money parsers refuse.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return as_text(column.cast(kind.value_type))
    if pa.types.is_timestamp(kind):
        return _iso(column)
    if pa.types.is_decimal(kind) and (kind.scale > 6 or kind.scale < 0):
        plain = [None if v is None else format(v, "f") for v in column.to_pylist()]
        return pa.chunked_array([pa.array(plain, pa.string())])
    try:
        return column.cast(pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        texts = [None if v is None else json.dumps(v, default=_json_value) for v in column.to_pylist()]
        return pa.chunked_array([pa.array(texts, pa.string())])


def _kind(kind: pa.DataType) -> str:
    """The type of the values; how the writer packed them (a dictionary, long offsets, a view) is no type of its own."""
    if pa.types.is_dictionary(kind):
        return _kind(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return str(pa.string())
    return str(kind)


def _iso(column: pa.ChunkedArray) -> pa.ChunkedArray:
    with suppress(pa.ArrowInvalid):  # nanoseconds that are not whole microseconds keep all nine digits
        column = column.cast(pa.timestamp("us", column.type.tz))
    text = pc.replace_substring(column.cast(pa.string()), " ", "T", max_replacements=1)
    with_offset = pc.replace_substring_regex(text, r"([+-]\d{2})(\d{2})$", r"\1:\2") if column.type.tz else text
    return pc.replace_substring_regex(with_offset, "Z$", "+00:00")


def _json_value(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _problems(values: list[pa.ChunkedArray], layout: Layout, max_field_bytes: int) -> dict[int, str]:
    names = {position: name for columns in (layout.declared, layout.undeclared) for name, position in columns.items()}
    problems: dict[int, list[str]] = {}
    for position, column in enumerate(values):
        has_nul = pc.match_substring(column, "\0")
        is_long = pc.greater(pc.binary_length(column), max_field_bytes)
        for found, text in ((has_nul, "holds a NUL byte"), (is_long, f"has more than {max_field_bytes} bytes")):
            for row in np.flatnonzero(pc.fill_null(found, fill_value=False).to_numpy()).tolist():
                problems.setdefault(row, []).append(f"{names[position]} {text}")
    return {row: "; ".join(found) for row, found in problems.items()}


def _damaged(names: list[str], values: list[pa.ChunkedArray], row: int, problem: str) -> dict[str, object]:
    record = json.dumps([[name, column[row].as_py()] for name, column in zip(names, values, strict=True)])
    return {"_row_number": row + 1, "_problem": problem, "_record": record.encode()}
