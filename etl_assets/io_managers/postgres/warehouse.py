"""Tables of one PostgreSQL database, written and read by slices.

Generic: what the tables mean and which partitions a run has are the callers' business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import dagster as dg
import pyarrow as pa
from pydantic import BaseModel, Field

from etl_assets.contracts import Table
from etl_assets.io_managers.drift import Found
from etl_assets.io_managers.errors import NeverWritten
from etl_assets.io_managers.frames import rows_of
from etl_assets.io_managers.inference import inferred
from etl_assets.io_managers.postgres.connections import Connection, Connections
from etl_assets.io_managers.postgres.reading import Selection
from etl_assets.io_managers.postgres.schema import NOTES, create, find, qualified, table_of
from etl_assets.io_managers.postgres.types import arrow_of, sql_type
from etl_assets.io_managers.postgres.writing import Write
from etl_assets.io_managers.slices import WHOLE, Slice
from etl_assets.io_managers.targets import Drift, Mode, Target
from etl_assets.io_managers.warehouses import selected


class PostgresSettings(BaseModel):
    """Where the server is, and how long it may take."""

    url: str = Field(
        description="postgresql://user:password@host:port/database, usually from the environment. libpq's parameters "
        "go with it: sslmode, sslrootcert, sslcert, sslkey, several hosts with target_session_attrs=read-write. "
        "A host elsewhere is verified (sslmode=verify-full) unless the URL says otherwise."
    )
    connect_timeout_s: float = Field(default=10, description="seconds until a server that does not answer is given up")
    lock_timeout_s: float = Field(default=300, description="seconds to wait for other writers of the same slice")
    statement_timeout_s: float = Field(default=3600, description="seconds that one statement may take, 0 for no bound")
    retry_for_s: float = Field(
        default=15, description="seconds in which a lost connection, deadlock or restart is tried again, 0 for never"
    )

    def __repr__(self) -> str:
        """Without the URL: a resource's repr ends up in logs."""
        return f"{type(self).__name__}(...)"

    __str__ = __repr__

    @property
    def connections(self) -> Connections:
        return Connections(
            self.url, self.connect_timeout_s, self.lock_timeout_s, self.statement_timeout_s, self.retry_for_s
        )


class PostgresWarehouse(PostgresSettings, dg.ConfigurableResource):  # type: ignore[type-arg]
    """Typed tables in one PostgreSQL database."""

    def write(  # noqa: PLR0913  each says another thing about the write
        self,
        target: Target,
        slice_: Slice,
        rows: object,
        run_id: str,
        *,
        mode: Mode = Mode.REPLACE_PARTITION,
        refused: Mapping[str, str] | None = None,
    ) -> dict[str, int]:
        """The table is as `mode` says, or as it was before. Returns the rows per partition key.

        In `replace_partition`, the default: the slice holds exactly `rows`, or what it held before. Delete and copy
        share one transaction and each slice has a lock: two runs of the same day that both delete before either
        inserts would otherwise leave the day twice. Rows may be any frame that `frames.rows_of` takes; a
        RecordBatchReader is written as it comes, in constant memory, and is not tried again when the server is lost.

        Raises: ContractBroken, TypeRefused (before connecting, as far as the schema shows it), SchemaDrifted (before
        anything is deleted), RowsOutsideSlice, KeyRepeated, Refused, OutcomeUnknown: all permanent; Unavailable:
        transient. After each of them but OutcomeUnknown the table is as it was.
        """
        source = rows_of(rows)
        target.table.expect(source.schema.names)
        for column in target.table.columns:
            sql_type(column.type)
        write = Write(target, slice_, run_id, mode, refused or {})
        return self.connections.run(
            lambda connection: write.perform(connection, source.batches(), self.lock_timeout_s),
            is_repeatable=source.is_repeatable,
            is_idempotent=mode is not Mode.APPEND,
        )

    def read_slice(
        self, target: Target, slice_: Slice, columns: Sequence[str] | None = None, *, must_exist: bool = True
    ) -> pa.Table:
        """The slice's rows with the contract's types; only `columns` leave the database.

        In the order of the key; where there is none, as they are stored. Where drift may `add`, columns that the
        table lacks are added first, and null.

        Raises: NeverWritten where the table is missing and `must_exist`; otherwise that is a typed empty table.
        """
        schema = selected(target.table, columns)
        if not self._is_there(target, must_exist=must_exist):
            return schema.empty_table()
        selection = Selection(target, slice_, schema)
        return self.connections.fetch(selection.read)

    def read_batches(
        self,
        target: Target,
        slice_: Slice,
        columns: Sequence[str] | None = None,
        *,
        must_exist: bool = True,
        in_any_order: bool = False,
    ) -> pa.RecordBatchReader:
        """What `read_slice` gives, as batches that arrive while they are used: memory stays flat.

        All are of the moment of the first. The reader holds a connection until its last batch or its end. Rows
        `in_any_order` come sooner: the server need not sort them.
        """
        schema = selected(target.table, columns)
        if not self._is_there(target, must_exist=must_exist):
            return schema.empty_table().to_reader()
        selection = Selection(target, slice_, schema, in_any_order)

        def batches() -> Iterator[pa.RecordBatch]:
            with self.connections.reading() as connection:
                yield from selection.stream(connection)

        return pa.RecordBatchReader.from_batches(schema, batches())

    def fetch(self, sql: str, values: Sequence[Any] = ()) -> pa.Table:
        """The query's result as Arrow; `$1`, `$2` ... in `sql` are bound to `values`."""

        def read(connection: Any) -> pa.Table:
            with connection.cursor() as cursor:
                cursor.execute(sql, tuple(values) or None)
                return cursor.fetch_arrow_table()

        return self.connections.fetch(read)

    def transaction(self) -> AbstractContextManager[Connection]:
        """A transaction that commits when the block ends and leaves no trace when it raises; tried once."""
        return self.connections.transaction()

    def called(self, target: Target) -> str:
        """What people call the table."""
        return target.name

    def exists(self, schema: str, name: str) -> bool:
        """Whether the table is there; asked, not guessed from an error that could mean anything else."""
        return self._find(schema, name) is not None

    def described(self, schema: str, name: str, partition_column: str | None) -> Table:
        """The contract that the database itself holds, for tables that were made by inference.

        Raises: NeverWritten, TypeRefused.
        """
        if found := self._find(schema, name):
            return table_of(name, found, partition_column)
        raise NeverWritten(f"{schema}.{name} has never been written; materialise it first")

    def inferred(self, name: str, rows: pa.Schema, key: tuple[str, ...], partition_column: str | None) -> Table:
        """The contract that rows of this schema need. Raises: TypeRefused with the column."""
        return inferred(name, rows, key, partition_column, lambda kind: arrow_of(sql_type(kind)))

    def written(self, schema: str, name: str) -> frozenset[str]:
        """Partition keys that have been written, empty ones included."""
        return frozenset(key for key, is_written, _ in self._notes(schema, name) if is_written)

    def refused(self, schema: str, name: str) -> dict[str, str]:
        """Partition keys whose last try was refused, with the reason; written before or not."""
        return {key: refusal for key, _, refusal in self._notes(schema, name) if refusal is not None}

    def _is_there(self, target: Target, *, must_exist: bool) -> bool:
        is_there = self.exists(target.schema, target.table.name)
        if must_exist and not is_there:
            raise NeverWritten(f"{target.name} has never been written; materialise it first")
        if is_there and target.drift is Drift.ADD:
            self.connections.run(lambda connection: create(connection, target, WHOLE))
        return is_there

    def _find(self, schema: str, name: str) -> Found | None:
        return self.connections.run(lambda connection: find(connection, schema, name))

    def _notes(self, schema: str, name: str) -> list[tuple[str, bool, str | None]]:
        def read(connection: Connection) -> list[tuple[str, bool, str | None]]:
            if find(connection, schema, NOTES) is None:
                return []
            columns = "partition_key, written_at IS NOT NULL, refusal"
            notes = f"SELECT {columns} FROM {qualified(schema, NOTES).replace('%', '%%')} WHERE table_name = %s"
            return [(str(key), bool(done), refusal) for key, done, refusal in connection.execute(notes, [name])]

        return self.connections.run(read)
