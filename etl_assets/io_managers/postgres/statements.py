"""What is said to PostgreSQL about rows inside a transaction: lock, delete, copy, upsert, note.

Identifiers are quoted and values bound here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa
from pgpq import ArrowToPostgresBinaryEncoder
from psycopg import sql

from etl_assets.contracts import Table, quoted
from etl_assets.io_managers.errors import TypeRefused
from etl_assets.io_managers.postgres.connections import Connection
from etl_assets.io_managers.postgres.schema import notes_of, sql_name
from etl_assets.io_managers.postgres.types import as_sent, sent_as
from etl_assets.io_managers.slices import WHOLE, Dimension, Slice
from etl_assets.io_managers.targets import Target

WHOLE_LOCK, SHARED_LOCK = "pg_advisory_xact_lock", "pg_advisory_xact_lock_shared"
MOST_LOCKS = 100
ARRIVING = '"_arriving"'


def lock(connection: Connection, target: Target, slice_: Slice) -> None:
    """Until this transaction ends it is alone on the slice; on the whole table, if the slice is that.

    Writers of slices share the table: a writer of the whole table that did not see theirs would leave both.
    Slices are locked in the order of their names, so that no two writers wait for each other; more than
    `MOST_LOCKS` of them as the whole table, since the server has room for a few thousand locks only.
    """
    is_whole = slice_ == WHOLE or len(slice_.keys) > MOST_LOCKS
    _lock(connection, WHOLE_LOCK if is_whole else SHARED_LOCK, [target.name])
    if not is_whole:
        _lock(connection, WHOLE_LOCK, [f"{target.name}/{key}" for key in sorted(slice_.keys)])


def _lock(connection: Connection, function: str, names: list[str]) -> None:
    connection.execute(f"SELECT {function}(hashtextextended(name, 0)) FROM unnest(%s::text[]) AS t(name)", [names])


def delete(connection: Connection, target: Target, slice_: Slice) -> None:
    """The slice is empty until this transaction ends."""
    connection.execute(f"DELETE FROM {sql_name(target)} WHERE {predicate(slice_).as_string(connection)}")


def copy(connection: Connection, into: str, batches: Iterable[pa.Table], table: Table, options: str = "") -> None:
    """The rows are in the table `into` by column name, in PostgreSQL's binary format, straight from Arrow."""
    schema = pa.schema([pa.field(field.name, sent_as(field.type)) for field in table.schema])
    encoder = ArrowToPostgresBinaryEncoder(schema)
    names = ", ".join(quoted(name) for name in schema.names)
    with connection.cursor() as cursor, cursor.copy(f"COPY {into} ({names}) FROM STDIN (FORMAT BINARY{options})") as to:
        to.write(encoder.write_header())
        for batch in batches:
            for rows in as_sent(batch).to_batches():
                to.write(_encoded(encoder, rows))
        to.write(encoder.finish())


def _encoded(encoder: ArrowToPostgresBinaryEncoder, rows: pa.RecordBatch) -> bytes:
    try:
        return encoder.write_batch(rows)
    except ValueError as error:
        raise TypeRefused(f"a value is outside what PostgreSQL can hold: {str(error).splitlines()[0]}") from None


def upsert(connection: Connection, target: Target, batches: Iterable[pa.Table]) -> None:
    """Each row stands in the table, in the place of the one that had its key.

    Raises: psycopg's CardinalityViolation where the rows themselves repeat a key: which one should win?
    """
    table = target.table
    changed = ", ".join(f"{quoted(c)} = excluded.{quoted(c)}" for c in table.schema.names if c not in table.key)
    _merge(connection, target, batches, f"UPDATE SET {changed}" if changed else "NOTHING")


def keep(connection: Connection, target: Target, batches: Iterable[pa.Table]) -> None:
    """Each row stands in the table, unless its key did before.

    Raises: psycopg's UniqueViolation where the rows themselves repeat a key.
    """
    _merge(connection, target, batches, "NOTHING", f", PRIMARY KEY ({_key(target.table)})")


def _merge(
    connection: Connection, target: Target, batches: Iterable[pa.Table], action: str, constraint: str = ""
) -> None:
    table, name, key = target.table, sql_name(target), _key(target.table)
    connection.execute(f"CREATE TEMP TABLE {ARRIVING} (LIKE {name}{constraint}) ON COMMIT DROP")
    copy(connection, ARRIVING, batches, table)
    listed = ", ".join(quoted(column) for column in table.schema.names)
    connection.execute(
        f"INSERT INTO {name} ({listed}) SELECT {listed} FROM {ARRIVING} ORDER BY {key} ON CONFLICT ({key}) DO {action}"
    )


def _key(table: Table) -> str:
    return ", ".join(quoted(name) for name in table.key)


def _notes(target: Target) -> str:
    """The notes' name in a statement with markers, where a % of its own would be one."""
    return notes_of(target).replace("%", "%%")


def note_written(
    connection: Connection, target: Target, counts: Mapping[str, int], run_id: str, *, is_added: bool
) -> None:
    """Each partition's row count and run stand beside the rows, in the same transaction."""
    rows = "_slices.row_count + excluded.row_count" if is_added else "excluded.row_count"
    connection.execute(
        f"INSERT INTO {_notes(target)} (table_name, partition_key, row_count, run_id, written_at) "
        "SELECT %s, key, rows, %s, now() FROM unnest(%s::text[], %s::bigint[]) AS t(key, rows) "
        "ON CONFLICT (table_name, partition_key) DO UPDATE SET refusal = NULL, refused_at = NULL, "
        f"row_count = {rows}, run_id = excluded.run_id, written_at = now()",
        [target.table.name, run_id, list(counts), list(counts.values())],
    )


def note_refused(connection: Connection, target: Target, refused: Mapping[str, str], run_id: str) -> None:
    """Each refused partition has its reason; the rows that it holds from before are untouched."""
    connection.execute(
        f"INSERT INTO {_notes(target)} (table_name, partition_key, refusal, run_id, refused_at) "
        "SELECT %s, key, why, %s, now() FROM unnest(%s::text[], %s::text[]) AS t(key, why) "
        "ON CONFLICT (table_name, partition_key) DO UPDATE SET refusal = excluded.refusal, "
        "run_id = excluded.run_id, refused_at = now()",
        [target.table.name, run_id, list(refused), list(refused.values())],
    )


def forget(connection: Connection, target: Target) -> None:
    """No partition of the table counts as written."""
    connection.execute(f"DELETE FROM {_notes(target)} WHERE table_name = %s", [target.table.name])


def predicate(slice_: Slice) -> sql.Composable:
    """The slice as SQL, its bounds as literals that the driver has quoted.

    Literals, since ADBC gives up streaming for a statement with parameters and holds the whole result in memory.
    """
    if not slice_.dimensions:
        return sql.SQL("TRUE")
    return sql.SQL(" AND ").join(_within(dimension) for dimension in slice_.dimensions)


def _within(dimension: Dimension) -> sql.Composable:
    column = sql.Identifier(dimension.column)
    if dimension.parts and not dimension.is_window:
        values = sql.SQL(", ").join(sql.Literal(part.start) for part in dimension.parts)
        return sql.SQL("{} IN ({})").format(column, values)
    clauses = [
        sql.SQL("({} >= {} AND {} < {})").format(column, start, column, end) for start, end in dimension.ranges()
    ]
    return sql.SQL("({})").format(sql.SQL(" OR ").join(clauses)) if clauses else sql.SQL("FALSE")
