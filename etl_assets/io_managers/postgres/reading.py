"""One read: the rows of a slice as Arrow, in a stable order, whole or batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
from adbc_driver_postgresql import dbapi as adbc

from etl_assets.contracts import quoted
from etl_assets.io_managers.postgres.schema import sql_name
from etl_assets.io_managers.postgres.statements import predicate
from etl_assets.io_managers.postgres.types import as_read
from etl_assets.io_managers.slices import Slice
from etl_assets.io_managers.targets import Target

BATCH_BYTES = 4 * 2**20


@dataclass(frozen=True)
class Selection:
    """The columns of `schema` of a slice: by key, or, where there is none, as they are stored; or in any order.

    Stored order costs no sort. It holds because a scan of the heap follows it, as long as no parallel worker and
    no other session's scan interferes; both are turned off.
    """

    target: Target
    slice: Slice
    schema: pa.Schema
    in_any_order: bool = False

    def read(self, connection: adbc.Connection) -> pa.Table:
        """All rows at once."""
        with connection.cursor() as cursor:
            self._execute(cursor)
            return as_read(cursor.fetch_arrow_table(), self.schema)

    def stream(self, connection: adbc.Connection) -> Iterator[pa.RecordBatch]:
        """The rows as they arrive, about `BATCH_BYTES` at a time; all of one snapshot."""
        with connection.cursor() as cursor:
            cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(BATCH_BYTES)})
            self._execute(cursor)
            for batch in cursor.fetch_record_batch():
                yield from as_read(pa.Table.from_batches([batch]), self.schema).to_batches()

    def _execute(self, cursor: adbc.Cursor) -> None:
        names = ", ".join(quoted(name) for name in self.schema.names)
        order = "" if self.in_any_order else ", ".join(quoted(name) for name in self.target.table.key)
        if not order and not self.in_any_order:
            cursor.execute("SET LOCAL max_parallel_workers_per_gather = 0")
        statement = f"SELECT {names} FROM {sql_name(self.target)} WHERE {predicate(self.slice).as_string()}"
        cursor.execute(statement + (f" ORDER BY {order}" if order else ""))
