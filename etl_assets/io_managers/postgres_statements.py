"""What is said to PostgreSQL inside a transaction: create, lock, copy, note. Each takes an open connection.

Identifiers are quoted and values bound here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import psycopg
import pyarrow as pa
from pgpq import ArrowToPostgresBinaryEncoder

from etl_assets.contracts import Table, quoted
from etl_assets.io_managers.errors import SchemaDrifted
from etl_assets.io_managers.postgres_types import sql_type
from etl_assets.io_managers.slices import Slice

Connection = psycopg.Connection[tuple[Any, ...]]
NOTES = "_slices"
COPY_ROWS = 16_384


@dataclass(frozen=True)
class Target:
    """A table in a schema."""

    schema: str
    table: Table

    @property
    def name(self) -> str:
        """Schema and table for people and locks."""
        return f"{self.schema}.{self.table.name}"

    @property
    def sql(self) -> str:
        return qualified(self.schema, self.table.name)

    @property
    def notes(self) -> str:
        """The table beside it that says which slices were written or refused."""
        return qualified(self.schema, NOTES)


def qualified(schema: str, name: str) -> str:
    """The quoted name of a table with its schema."""
    return f"{quoted(schema)}.{quoted(name)}"


def create(connection: Connection, target: Target) -> None:
    """The table exists as its contract says.

    Raises: SchemaDrifted where a table of this name has other columns or types.
    """
    lock(connection, [f"{target.name} DDL"])
    if found := _catalogue(connection, target):
        wanted = {field.name: sql_type(field.type) for field in target.table.schema}
        if found != wanted:
            different = sorted({*found.items()} ^ {*wanted.items()})
            raise SchemaDrifted(f"{target.name} in the database differs from its contract in {different}")
        return
    lock(connection, [f"{target.schema} DDL"])
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(target.schema)}")
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS {target.notes} (table_name text, partition_key text, "
        "row_count bigint, written_at timestamptz, refusal text, refused_at timestamptz, run_id text NOT NULL, "
        "PRIMARY KEY (table_name, partition_key))"
    )
    connection.execute(target.table.ddl(target.sql, sql_type))


def _catalogue(connection: Connection, target: Target) -> dict[str, str]:
    found = connection.execute(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
        [target.sql],
    )
    return {str(column): str(kind) for column, kind in found}


def lock(connection: Connection, names: Sequence[str]) -> None:
    """This transaction is alone on `names` until it ends; always taken in the given order, so no two deadlock."""
    connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM unnest(%s::text[]) AS t(name)", [list(names)]
    )


def delete_slice(connection: Connection, target: Target, slice_: Slice) -> None:
    """The slice is empty until this transaction ends."""
    where, values = predicate(slice_)
    connection.execute(f"DELETE FROM {target.sql} WHERE {where}", values)


def delete_keys(connection: Connection, target: Target, rows: pa.Table) -> None:
    """No row of the table has a key that `rows` have."""
    key = target.table.key
    names = ", ".join(quoted(name) for name in key)
    arrays = ", ".join(f"%s::{sql_type(target.table.schema.field(name).type)}[]" for name in key)
    connection.execute(
        f"DELETE FROM {target.sql} WHERE ({names}) IN (SELECT * FROM unnest({arrays}))",
        [rows[name].to_pylist() for name in key],
    )


def copy(connection: Connection, target: Target, rows: pa.Table) -> None:
    """The rows are copied by column name in PostgreSQL's binary format, straight from Arrow."""
    encoder = ArrowToPostgresBinaryEncoder(rows.schema)
    names = ", ".join(quoted(name) for name in rows.column_names)
    into = f"COPY {target.sql} ({names}) FROM STDIN WITH (FORMAT BINARY)"
    with connection.cursor() as cursor, cursor.copy(into) as stream:
        stream.write(encoder.write_header())
        for batch in rows.to_batches(max_chunksize=COPY_ROWS):
            stream.write(encoder.write_batch(batch))
        stream.write(encoder.finish())


def note_written(connection: Connection, target: Target, counts: Mapping[str, int], run_id: str) -> None:
    """Each partition's row count and run stand beside the rows, in the same transaction."""
    connection.execute(
        f"INSERT INTO {target.notes} (table_name, partition_key, row_count, run_id, written_at) "
        "SELECT %s, key, rows, %s, now() FROM unnest(%s::text[], %s::bigint[]) AS t(key, rows) "
        "ON CONFLICT (table_name, partition_key) DO UPDATE SET row_count = excluded.row_count, "
        "run_id = excluded.run_id, written_at = now(), refusal = NULL, refused_at = NULL",
        [target.table.name, run_id, list(counts), list(counts.values())],
    )


def note_refused(connection: Connection, target: Target, refused: Mapping[str, str], run_id: str) -> None:
    """Each refused partition has its reason; the rows that it holds from before are untouched."""
    connection.execute(
        f"INSERT INTO {target.notes} (table_name, partition_key, refusal, run_id, refused_at) "
        "SELECT %s, key, why, %s, now() FROM unnest(%s::text[], %s::text[]) AS t(key, why) "
        "ON CONFLICT (table_name, partition_key) DO UPDATE SET refusal = excluded.refusal, "
        "run_id = excluded.run_id, refused_at = now()",
        [target.table.name, run_id, list(refused), list(refused.values())],
    )


def predicate(slice_: Slice, first_marker: int | None = None) -> tuple[str, list[date | datetime | str]]:
    """The slice as SQL with bound values; markers are %s, or $n from `first_marker` on."""
    if slice_.column is None:
        return "TRUE", []
    column, clauses = quoted(slice_.column), []
    values: list[date | datetime | str] = []
    is_value = bool(slice_.parts) and slice_.parts[0].end is None
    for start, end in slice_.ranges():
        bounds = [start] if is_value else [start, end]
        at = [f"${len(values) + n + first_marker}" if first_marker else "%s" for n in range(len(bounds))]
        clauses.append(f"{column} = {at[0]}" if is_value else f"({column} >= {at[0]} AND {column} < {at[1]})")
        values.extend(bounds)
    return " OR ".join(clauses) or "FALSE", values
