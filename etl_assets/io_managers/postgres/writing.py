"""One write inside one transaction: make or check the table, lock, put the rows in by mode and layout, note it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field

import pyarrow as pa

from etl_assets.io_managers.errors import Permanent
from etl_assets.io_managers.postgres import statements as say
from etl_assets.io_managers.postgres.connections import Connection
from etl_assets.io_managers.postgres.schema import create, key_made_last, sql_name
from etl_assets.io_managers.postgres.swap import swap_in
from etl_assets.io_managers.slices import WHOLE, Counts, Slice
from etl_assets.io_managers.targets import BY_KEY, Layout, Mode, Target


@dataclass(frozen=True)
class Write:
    """What shall be true of a table after one transaction."""

    target: Target
    slice: Slice
    run_id: str
    mode: Mode = Mode.REPLACE_PARTITION
    refused: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises: Permanent for a combination that has no meaning, before anything is asked of the database."""
        names = (self.target.schema, self.target.table.name, *self.target.table.schema.names)
        if long := [name for name in names if len(name.encode()) > 63]:
            raise Permanent(f"{self.target.name}: PostgreSQL cuts names after 63 bytes; shorten {long}")
        if self.mode in BY_KEY and not self.target.table.key:
            raise Permanent(f"{self.target.name}: mode `{self.mode}` needs a key")
        if self.target.layout is Layout.PARTITIONED and self.mode is not Mode.REPLACE_PARTITION:
            raise Permanent(f"{self.target.name}: layout `partitioned` is written by `replace_partition` only")
        if self.target.layout is Layout.PARTITIONED and len(self.slice.dimensions) != 1:
            raise Permanent(f"{self.target.name}: layout `partitioned` needs exactly one partition dimension")

    def perform(self, connection: Connection, batches: Iterable[pa.Table], lock_for_s: float) -> dict[str, int]:
        """The rows are in the table and noted, once the transaction commits. Returns the rows per partition key.

        The note about the slice commits with the rows, so an empty day and a day that never ran stay different
        things; the `refused` partitions, outside the slice, are noted with their reason.

        Raises: RowsOutsideSlice, ContractBroken, SchemaDrifted, TypeRefused; the caller rolls back.
        """
        is_new = create(connection, self.target, self.slice)
        is_whole = self.mode is Mode.REPLACE_TABLE
        say.lock(connection, self.target, WHOLE if is_whole else self.slice)
        if (
            is_new
        ):  # notes of a table that somebody has dropped would call its days written, and they would read as empty
            say.forget(connection, self.target)
        counts = self._put(connection, batches, lock_for_s, is_new=is_new).by_key()
        if is_whole:
            say.forget(connection, self.target)
        say.note_written(connection, self.target, counts, self.run_id, is_added=self.mode is Mode.APPEND)
        if self.refused:
            say.note_refused(connection, self.target, self.refused, self.run_id)
        return counts

    def _put(self, connection: Connection, batches: Iterable[pa.Table], lock_for_s: float, *, is_new: bool) -> Counts:
        counts, table = Counts(self.slice), self.target.table
        shaped = (table.shape(batch) for batch in batches)
        if self.target.layout is Layout.PARTITIONED:
            swap_in(connection, self.target, counts, shaped, lock_for_s)
        elif self.mode is Mode.UPSERT:
            say.upsert(connection, self.target, _counted(shaped, counts))
        elif self.mode is Mode.KEEP:
            say.keep(connection, self.target, _counted(shaped, counts))
        else:
            if self.mode is not Mode.APPEND:
                say.delete(connection, self.target, WHOLE if self.mode is Mode.REPLACE_TABLE else self.slice)
            with key_made_last(connection, self.target) if is_new else nullcontext():
                say.copy(connection, sql_name(self.target), _counted(shaped, counts), table)
        return counts


def _counted(batches: Iterable[pa.Table], counts: Counts) -> Iterator[pa.Table]:
    for batch in batches:
        counts.add(batch)
        yield batch
