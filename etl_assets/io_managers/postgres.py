"""Slices of PostgreSQL tables, written and read whole: one transaction, one lock per slice, binary COPY.

Generic: what the tables mean and which partitions a run has are the callers' business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import dagster as dg
import psycopg
import pyarrow as pa
from adbc_driver_postgresql import dbapi as adbc
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field

from etl_assets.contracts import quoted
from etl_assets.io_managers import postgres_statements as say
from etl_assets.io_managers.errors import NeverWritten, translated
from etl_assets.io_managers.postgres_statements import Connection, Target, qualified
from etl_assets.io_managers.slices import Slice

CONNECT_TIMEOUT_S = 10


class PostgresWarehouse(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Typed tables in one PostgreSQL database."""

    url: str = Field(description="postgresql://user:password@host:port/database, usually from the environment")

    def __repr__(self) -> str:
        """Without the URL: a resource's repr ends up in logs."""
        return "PostgresWarehouse(...)"

    @property
    def server(self) -> str:
        """Host, port and database for messages; never user or password."""
        parts = conninfo_to_dict(self.url)
        return f"PostgreSQL at {parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction that commits when the block ends and leaves no trace when it raises."""
        with (
            translated(self.server),
            psycopg.connect(self.url, connect_timeout=CONNECT_TIMEOUT_S, application_name="etl_assets") as connection,
        ):
            yield connection

    def replace_slice(
        self, target: Target, slice_: Slice, rows: pa.Table, run_id: str, refused: Mapping[str, str] | None = None
    ) -> dict[str, int]:
        """The slice holds exactly `rows`, or what it held before. Returns the rows per partition key.

        Delete and copy share one transaction and each slice has a lock: two runs of the same day that both
        delete before either inserts would otherwise leave the day twice. The note about the slice commits with
        the rows, so an empty day and a day that never ran stay different things; the `refused` partitions,
        outside the slice, are noted with their reason.

        Raises: ContractBroken, RowsOutsideSlice, SchemaDrifted (before anything is deleted); Unavailable, Refused.
        """
        conformed = target.table.conform(rows)
        counts = slice_.counts(conformed)
        with self.transaction() as connection:
            say.create(connection, target)
            say.lock(connection, [f"{target.name}/{key}" for key in sorted(slice_.keys)])
            say.delete_slice(connection, target, slice_)
            say.copy(connection, target, conformed)
            say.note_written(connection, target, counts, run_id)
            say.note_refused(connection, target, refused or {}, run_id)
        return counts

    def append(self, target: Target, rows: pa.Table, *, replace_same_key: bool = False) -> None:
        """The rows are in the table beside what it held; with `replace_same_key` they take the place of their key.

        Without it a second call with the same rows is refused by the key: appending is not idempotent.
        """
        conformed = target.table.conform(rows)
        with self.transaction() as connection:
            say.create(connection, target)
            say.lock(connection, [f"{target.name}/"])
            if replace_same_key:
                say.delete_keys(connection, target, conformed)
            say.copy(connection, target, conformed)

    def read_slice(
        self, target: Target, slice_: Slice, columns: Sequence[str] | None = None, *, must_exist: bool = True
    ) -> pa.Table:
        """The slice's rows with the contract's types, in key order; only `columns` leave the database.

        Raises: NeverWritten where the table is missing and `must_exist`; otherwise that is a typed empty table.
        """
        names = list(columns or target.table.schema.names)
        schema = pa.schema([target.table.schema.field(name) for name in names])
        if not self.exists(target.schema, target.table.name):
            if must_exist:
                raise NeverWritten(f"{target.name} has never been written; materialise it first")
            return schema.empty_table()
        where, values = say.predicate(slice_, first_marker=1)
        order = ", ".join(quoted(name) for name in target.table.key) or "1"
        selected = ", ".join(quoted(name) for name in names)
        found = self.fetch(f"SELECT {selected} FROM {target.sql} WHERE {where} ORDER BY {order}", values)
        return pa.table([_typed(found[field.name], field.type) for field in schema], schema=schema)

    def fetch(self, sql: str, values: Sequence[Any] = ()) -> pa.Table:
        """The query's result as Arrow; `$1`, `$2` ... in `sql` are bound to `values`."""
        with translated(self.server), adbc.connect(self.url) as connection, connection.cursor() as cursor:
            cursor.execute(sql, tuple(values) or None)
            return cursor.fetch_arrow_table()

    def exists(self, schema: str, name: str) -> bool:
        """Whether the table is there; asked, not guessed from an error that could mean anything else."""
        with self.transaction() as connection:
            row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [qualified(schema, name)]).fetchone()
        return bool(row and row[0])

    def written(self, schema: str, name: str) -> frozenset[str]:
        """Partition keys that have been written, empty ones included."""
        return frozenset(key for key, is_written, _ in self._notes(schema, name) if is_written)

    def refused(self, schema: str, name: str) -> dict[str, str]:
        """Partition keys whose last try was refused, with the reason; written before or not."""
        return {key: refusal for key, _, refusal in self._notes(schema, name) if refusal is not None}

    def _notes(self, schema: str, name: str) -> list[tuple[str, bool, str | None]]:
        if not self.exists(schema, say.NOTES):
            return []
        notes = qualified(schema, say.NOTES)
        columns = "partition_key, written_at IS NOT NULL, refusal"
        with self.transaction() as connection:
            found = connection.execute(f"SELECT {columns} FROM {notes} WHERE table_name = %s", [name])
            return [(str(key), bool(is_written), refusal) for key, is_written, refusal in found]


def _typed(found: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    storage = found.type.storage_type if isinstance(found.type, pa.BaseExtensionType) else found.type
    return found.cast(storage).cast(kind)
