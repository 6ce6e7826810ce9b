"""Rows on their way from one place to another: in memory while they are few, on disk when they are many.

What the rows are is the callers' business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from os import SEEK_END
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, BinaryIO, Self, cast

import pyarrow as pa

MOST_BYTES = 64 << 20
BATCH_ROWS = 65_536
OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")


class Spool:
    """Rows of one schema in the order in which they were added, read as often as asked, by one reader at a time.

    Beyond `most_bytes` (`MOST_BYTES`, if none are given) they lie in a nameless temporary file, which is gone when the
    spool is closed or the process ends: a file of ten million records would else need ten times the memory of one
    with a million.
    """

    def __init__(self, schema: pa.Schema, most_bytes: int | None = None) -> None:
        self.schema = schema
        self.num_rows = 0
        self._most_bytes, self._bytes = MOST_BYTES if most_bytes is None else most_bytes, 0
        self._files: list[BinaryIO] = []
        self._writer: Any = None
        self._tables: list[pa.Table] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def add(self, rows: pa.Table) -> None:
        """The rows are the last ones. Raises: ValueError, if their columns are others."""
        rows = rows.cast(self.schema)
        if not rows.num_rows:
            return
        self.num_rows += rows.num_rows
        self._bytes += rows.nbytes
        self._tables.append(rows)
        if self._bytes > self._most_bytes:
            self._spill()

    def absorb(self, other: Spool) -> None:
        """The rows of `other` are the last ones, and it has none; what lies on disk stays where it is."""
        if other._files:
            self._spill()
            self._files += other._files
            self._writer = None
        self.num_rows += other.num_rows - sum(table.num_rows for table in other._tables)
        for table in other._tables:
            self.add(table)
        other._files, other._tables, other.num_rows = [], [], 0

    def tables(self) -> Iterator[pa.Table]:
        """All rows, as they were added or in larger pieces."""
        for file in self._files:
            file.seek(0)
            with pa.ipc.open_stream(pa.PythonFile(file, "r")) as stream:
                for batch in stream:
                    yield pa.Table.from_batches([batch])
        yield from self._tables

    def whole(self) -> pa.Table:
        """All rows at once."""
        return pa.concat_tables([self.schema.empty_table(), *self.tables()])

    def reader(self, kept: Callable[[pa.Table], pa.Table] | None = None) -> pa.RecordBatchReader:
        """All rows that `kept` keeps, as a stream."""
        tables = self.tables() if kept is None else map(kept, self.tables())
        return pa.RecordBatchReader.from_batches(self.schema, (b for table in tables for b in table.to_batches()))

    def close(self) -> None:
        """Nothing of the rows is left, in memory or on disk."""
        self._tables.clear()
        for file in self._files:
            file.close()

    def _spill(self) -> None:
        if not self._tables:
            return
        if self._writer is None:
            self._files.append(cast("BinaryIO", TemporaryFile()))  # noqa: SIM115  closed with the spool
            self._writer = pa.ipc.new_stream(pa.PythonFile(self._files[-1], "w"), self.schema, options=OPTIONS)
        self._files[-1].seek(0, SEEK_END)
        self._writer.write_table(pa.concat_tables(self._tables).combine_chunks(), max_chunksize=BATCH_ROWS)
        self._tables.clear()
        self._bytes = 0
