"""Slices of PostgreSQL tables, written and read whole: one transaction, one lock per slice, binary COPY.

Generic: what the tables mean and which partitions a run has are the callers' business.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

import dagster as dg
import psycopg
import pyarrow as pa
from adbc_driver_postgresql import dbapi as adbc
from pgpq import ArrowToPostgresBinaryEncoder
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field

from etl_assets.contracts import Table, quoted
from etl_assets.io_managers.errors import NeverWritten, SchemaDrifted, translated
from etl_assets.io_managers.postgres_types import sql_type
from etl_assets.io_managers.slices import Slice

Connection = psycopg.Connection[tuple[Any, ...]]
WRITTEN = "_written_slices"
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

    def replace_slice(self, schema: str, table: Table, slice_: Slice, rows: pa.Table, run_id: str) -> dict[str, int]:
        """The slice holds exactly `rows`, or what it held before. Returns the rows per partition key.

        Delete and copy share one transaction and each slice has a lock: two runs of the same day that both
        delete before either inserts would otherwise leave the day twice. The note in the table of written
        slices commits with the rows, so an empty day and a day that never ran stay different things.

        Raises: ContractBroken, RowsOutsideSlice, SchemaDrifted (before anything is deleted); Unavailable, Refused.
        """
        conformed = table.conform(rows)
        counts = slice_.counts(conformed)
        with self.transaction() as connection:
            create(connection, schema, table)
            lock(connection, [f"{schema}.{table.name}/{key}" for key in sorted(slice_.keys)])
            where, values = predicate(slice_)
            connection.execute(f"DELETE FROM {qualified(schema, table.name)} WHERE {where}", values)
            copy(connection, schema, table, conformed)
            note_written(connection, schema, table.name, counts, run_id)
        return counts

    def append(self, schema: str, table: Table, rows: pa.Table, *, replace_same_key: bool = False) -> None:
        """The rows are in the table beside what it held; with `replace_same_key` they take the place of their key."""
        conformed = table.conform(rows)
        with self.transaction() as connection:
            create(connection, schema, table)
            lock(connection, [f"{schema}.{table.name}/"])
            if replace_same_key and rows.num_rows:
                keys = ", ".join(quoted(name) for name in table.key)
                same = f"DELETE FROM {qualified(schema, table.name)} WHERE ({keys}) IN (SELECT * FROM unnest({{}}))"
                markers = ", ".join(f"%s::{sql_type(table.schema.field(name).type)}[]" for name in table.key)
                connection.execute(same.format(markers), [conformed[name].to_pylist() for name in table.key])
            copy(connection, schema, table, conformed)

    def read_slice(
        self, schema: str, table: Table, slice_: Slice, columns: Sequence[str] | None = None, *, must_exist: bool = True
    ) -> pa.Table:
        """The slice's rows with the contract's types, in key order; only `columns` leave the database.

        Raises: NeverWritten where the table is missing and `must_exist`; otherwise that is a typed empty table.
        """
        names = list(columns or table.schema.names)
        schema_ = pa.schema([table.schema.field(name) for name in names])
        if not self.exists(schema, table.name):
            if must_exist:
                raise NeverWritten(f"{schema}.{table.name} has never been written; materialise it first")
            return schema_.empty_table()
        where, values = predicate(slice_, marker="$")
        order = ", ".join(quoted(name) for name in table.key) or "1"
        selected = ", ".join(quoted(name) for name in names)
        found = self.fetch(
            f"SELECT {selected} FROM {qualified(schema, table.name)} WHERE {where} ORDER BY {order}", values
        )
        return pa.table([_typed(found[f.name], f.type) for f in schema_], schema=schema_)

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

    def written(self, schema: str, name: str) -> set[str]:
        """Partition keys of the table that have been written at least once, empty ones included."""
        if not self.exists(schema, WRITTEN):
            return set()
        where = f"SELECT partition_key FROM {qualified(schema, WRITTEN)} WHERE table_name = %s"
        with self.transaction() as connection:
            return {str(row[0]) for row in connection.execute(where, [name])}


def create(connection: Connection, schema: str, table: Table) -> None:
    """The table exists as its contract says, with its comments.

    Raises: SchemaDrifted where a table of this name has other columns or types.
    """
    lock(connection, [f"{schema}.{table.name} DDL"])
    if found := _catalogue(connection, schema, table.name):
        wanted = {name: sql_type(table.schema.field(name).type) for name in table.schema.names}
        if found != wanted:
            different = sorted({*found.items()} ^ {*wanted.items()})
            raise SchemaDrifted(f"{schema}.{table.name} in the database differs from its contract in {different}")
        return
    lock(connection, [f"{schema} DDL"])
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS {qualified(schema, WRITTEN)} (table_name text, partition_key text, "
        "row_count bigint NOT NULL, run_id text NOT NULL, written_at timestamptz NOT NULL DEFAULT now(), "
        "PRIMARY KEY (table_name, partition_key))"
    )
    connection.execute(table.ddl(qualified(schema, table.name), sql_type))


def _catalogue(connection: Connection, schema: str, name: str) -> dict[str, str]:
    found = connection.execute(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
        [qualified(schema, name)],
    )
    return {str(column): str(kind) for column, kind in found}


def copy(connection: Connection, schema: str, table: Table, rows: pa.Table) -> None:
    """The rows are copied by column name in PostgreSQL's binary format, straight from Arrow."""
    encoder = ArrowToPostgresBinaryEncoder(rows.schema)
    names = ", ".join(quoted(name) for name in rows.column_names)
    into = f"COPY {qualified(schema, table.name)} ({names}) FROM STDIN WITH (FORMAT BINARY)"
    with connection.cursor() as cursor, cursor.copy(into) as stream:
        stream.write(encoder.write_header())
        for batch in rows.to_batches(max_chunksize=16_384):
            stream.write(encoder.write_batch(batch))
        stream.write(encoder.finish())


def note_written(connection: Connection, schema: str, name: str, counts: dict[str, int], run_id: str) -> None:
    """Each partition's row count and run stand beside the rows, in the same transaction."""
    connection.execute(
        f"INSERT INTO {qualified(schema, WRITTEN)} (table_name, partition_key, row_count, run_id) "
        "SELECT %s, key, rows, %s FROM unnest(%s::text[], %s::bigint[]) AS t(key, rows) "
        "ON CONFLICT (table_name, partition_key) "
        "DO UPDATE SET row_count = excluded.row_count, run_id = excluded.run_id, written_at = now()",
        [name, run_id, list(counts), list(counts.values())],
    )


def lock(connection: Connection, names: Sequence[str]) -> None:
    """This transaction is alone on `names` until it ends; always taken in the given order, so no two deadlock."""
    connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM unnest(%s::text[]) AS t(name)", [list(names)]
    )


def predicate(slice_: Slice, marker: str = "%s") -> tuple[str, list[date | datetime | str]]:
    """The slice as SQL with bound values; time bounds carry their zone."""
    if slice_.column is None:
        return "TRUE", []
    column, clauses = quoted(slice_.column), []
    values: list[date | datetime | str] = []
    is_value = bool(slice_.parts) and slice_.parts[0].end is None
    for start, end in slice_.ranges():
        bounds = [start] if is_value else [start, end]
        places = [marker if marker == "%s" else f"${len(values) + n}" for n in range(1, len(bounds) + 1)]
        clauses.append(
            f"{column} = {places[0]}" if is_value else f"({column} >= {places[0]} AND {column} < {places[1]})"
        )
        values.extend(bounds)
    return " OR ".join(clauses) or "FALSE", values


def qualified(schema: str, name: str) -> str:
    """The quoted name of a table with its schema."""
    return f"{quoted(schema)}.{quoted(name)}"


def _typed(found: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    storage = found.type.storage_type if isinstance(found.type, pa.BaseExtensionType) else found.type
    return found.cast(storage).cast(kind)
