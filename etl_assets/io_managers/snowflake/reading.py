"""One read: the rows of a slice as Arrow, in a stable order, whole or batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from etl_assets.io_managers.frames import BATCH_ROWS
from etl_assets.io_managers.slices import Slice
from etl_assets.io_managers.snowflake.connections import Session
from etl_assets.io_managers.snowflake.names import identifier, sql_name
from etl_assets.io_managers.snowflake.sql import predicate
from etl_assets.io_managers.snowflake.values import as_read
from etl_assets.io_managers.targets import Target


@dataclass(frozen=True)
class Selection:
    """The columns of `schema` of a slice: by key, or, where there is none or in any order, as Snowflake gives them."""

    target: Target
    slice: Slice
    schema: pa.Schema
    in_any_order: bool = False

    @property
    def statement(self) -> str:
        names = ", ".join(identifier(name) for name in self.schema.names)
        key = () if self.in_any_order else self.target.table.key
        order = f" ORDER BY {', '.join(identifier(name) for name in key)}" if key else ""
        return f"SELECT {names} FROM {sql_name(self.target)} WHERE {predicate(self.slice)}{order}"

    def read(self, session: Session) -> pa.Table:
        """All rows at once."""
        return pa.Table.from_batches(self.stream(session), self.schema)

    def stream(self, session: Session) -> Iterator[pa.RecordBatch]:
        """The rows as they arrive, all of one moment: the result is kept by Snowflake and fetched in pieces."""
        with session.cursor() as cursor:
            cursor.execute(self.statement)
            for rows in cursor.fetch_arrow_batches():
                yield from as_read(rows, self.schema).to_batches(max_chunksize=BATCH_ROWS)
