"""Tables of PostgreSQL as the catalogue knows them: made from a contract, compared with it, widened to it.

Each function takes an open transaction. No rows here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from etl_assets.contracts import Column, Table, quoted
from etl_assets.io_managers.drift import Found, lacking
from etl_assets.io_managers.errors import Permanent
from etl_assets.io_managers.postgres.connections import Connection
from etl_assets.io_managers.postgres.types import arrow_of, sql_type
from etl_assets.io_managers.slices import Slice
from etl_assets.io_managers.targets import Layout, Target

NOTES = "_slices"
NO_TABLES = {"v": "view", "m": "materialized view", "S": "sequence", "i": "index", "I": "index", "c": "composite type"}
INDEX_MEMORY = "256MB"


def qualified(schema: str, name: str) -> str:
    """The quoted name of a table with its schema."""
    return f"{quoted(schema)}.{quoted(name)}"


def sql_name(target: Target) -> str:
    """The quoted name of the target's table."""
    return qualified(target.schema, target.table.name)


def notes_of(target: Target) -> str:
    """The table beside it that says which slices were written or refused."""
    return qualified(target.schema, NOTES)


def find(connection: Connection, schema: str, name: str) -> Found | None:
    """The table as it is; None where there is none. Takes no lock that lasts."""
    columns = connection.execute(
        "SELECT attname, format_type(atttypid, atttypmod), attnotnull, relkind::text, "
        "array_position(indkey::int2[], attnum) FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid "
        "LEFT JOIN pg_index ON indrelid = attrelid AND indisprimary "
        "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        [qualified(schema, name)],
    ).fetchall()
    if not columns:
        return None
    key = sorted((place, column) for column, _, _, _, place in columns if place is not None)
    return Found(
        types={column: kind for column, kind, *_ in columns},
        not_null=frozenset(column for column, _, is_required, *_ in columns if is_required),
        key=tuple(column for _, column in key),
        is_partitioned=columns[0][3] == "p",
        instead=NO_TABLES.get(columns[0][3], ""),
    )


def table_of(name: str, found: Found, partition_column: str | None) -> Table:
    """The contract that the catalogue holds, for reading a table that was made by inference."""
    columns = tuple(
        Column(column, arrow_of(kind), "", required=column in found.not_null) for column, kind in found.types.items()
    )
    return Table(name, f"{name}, as the database describes it.", columns, found.key, partition_column)


def create(connection: Connection, target: Target, slice_: Slice) -> bool:
    """The table exists as its contract says, with its layout; where drift may `add`, it has the missing columns.

    Returns whether it was made just now: until this transaction ends nobody else can see it.

    Only who has to make or widen it waits for a lock: with one lock for all, neighbouring days could not be
    written at once.

    Raises: SchemaDrifted, TypeRefused; nothing was deleted or changed.
    """
    found = find(connection, target.schema, target.table.name)
    if found and not lacking(target, found, sql_type) and find(connection, target.schema, NOTES):
        return False
    _lock_ddl(connection, target.name)
    found = find(connection, target.schema, target.table.name)
    _make_notes(connection, target)
    if found is None:
        _make(connection, target, slice_)
    for column in lacking(target, found, sql_type) if found else ():
        kind = sql_type(column.type)
        connection.execute(f"ALTER TABLE {sql_name(target)} ADD COLUMN {quoted(column.name)} {kind}")
    return found is None


@contextmanager
def key_made_last(connection: Connection, target: Target) -> Iterator[None]:
    """In the block a table that nobody else can see has no key; afterwards it has.

    One sort at the end costs half of an index that grows row by row. Raises: psycopg's UniqueViolation.
    """
    if not target.table.key:
        yield
        return
    table, key = sql_name(target), ", ".join(quoted(name) for name in target.table.key)
    (name,) = connection.execute(
        "SELECT conname FROM pg_constraint WHERE conrelid = to_regclass(%s) AND contype = 'p'", [table]
    ).fetchone() or ("",)
    connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {quoted(name)}")
    yield
    connection.execute(f"SET LOCAL maintenance_work_mem = '{INDEX_MEMORY}'")
    connection.execute(f"ALTER TABLE {table} ADD PRIMARY KEY ({key})")


def _lock_ddl(connection: Connection, name: str) -> None:
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{name} DDL"])


def _make_notes(connection: Connection, target: Target) -> None:
    """Schema and notes are there. Asked first: IF NOT EXISTS wants privileges even where there is nothing to make."""
    if find(connection, target.schema, NOTES):
        return
    _lock_ddl(connection, target.schema)
    if connection.execute("SELECT to_regnamespace(%s)", [quoted(target.schema)]).fetchone() == (None,):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(target.schema)}")
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS {notes_of(target)} (table_name text, partition_key text, "
        "row_count bigint, written_at timestamptz, refusal text, refused_at timestamptz, run_id text NOT NULL, "
        "PRIMARY KEY (table_name, partition_key))"
    )


def _make(connection: Connection, target: Target, slice_: Slice) -> None:
    connection.execute(target.table.ddl(sql_name(target), sql_type) + _partitioning(target, slice_))
    if slice_.columns and target.layout is Layout.PLAIN and target.table.key[:1] != slice_.columns[:1]:
        connection.execute(
            f"CREATE INDEX {quoted(index_name(target.table.name))} ON {sql_name(target)} "
            f"USING brin ({', '.join(quoted(name) for name in slice_.columns)}) WITH (autosummarize = on)"
        )


def index_name(table: str) -> str:
    """A name for the index of the partition columns; cut by us, since PostgreSQL cuts names without saying so."""
    return f"{table.encode()[:36].decode(errors='ignore')}_{hashlib.sha256(table.encode()).hexdigest()[:12]}_slices"


def _partitioning(target: Target, slice_: Slice) -> str:
    if target.layout is Layout.PLAIN:
        return ""
    if len(slice_.dimensions) != 1:
        raise Permanent(f"{target.name}: layout `partitioned` needs exactly one partition dimension")
    column = slice_.dimensions[0].column
    if target.table.key and column not in target.table.key:
        raise Permanent(f"{target.name}: layout `partitioned` needs the partition column {column} in the key")
    return f" PARTITION BY {'RANGE' if slice_.dimensions[0].is_window else 'LIST'} ({quoted(column)})"
