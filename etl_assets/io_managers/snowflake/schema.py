"""Tables of Snowflake as the catalogue knows them: made from a contract, compared with it, widened to it.

Each statement here ends an open transaction, so none is said inside one; all can be said twice. Beside each table
stands one of notes. It is one per table and not one per schema, since a writer locks it: writers of different tables
would wait for each other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from snowflake.connector.errors import ProgrammingError

from etl_assets.contracts import Column, Table
from etl_assets.io_managers.drift import Found, lacking
from etl_assets.io_managers.errors import NeverWritten, Refused
from etl_assets.io_managers.snowflake.connections import Session
from etl_assets.io_managers.snowflake.names import identifier, sql_name, stored
from etl_assets.io_managers.snowflake.sql import asked, literal, say
from etl_assets.io_managers.snowflake.types import arrow_of, printed, sql_type
from etl_assets.io_managers.targets import Layout, Target

NOTES = "_slices_of_"
ALREADY_THERE = 2002


@dataclass(frozen=True)
class Known:
    """What catalogue and notes say of a table: `found` as it is, if it is; whether a write was ever committed.

    DDL commits by itself: a first write that fails leaves an empty table, which nobody has written.
    """

    found: Found | None
    has_notes: bool
    is_written: bool


def notes_of(target: Target) -> str:
    """The quoted name of the table that says which slices were written or refused."""
    return identifier(target.schema, NOTES + target.table.name)


def known(session: Session, schema: str, name: str) -> Known:
    """Asked of the catalogue, and not guessed from an error that could as well mean a missing privilege.

    The key is the one that the notes say: Snowflake checks none, so it counts what this module has checked.
    """
    table, notes = stored(name), stored(NOTES + name)
    rows = asked(
        session,
        "SELECT parts.*, wholes.TABLE_TYPE, wholes.IS_DYNAMIC FROM INFORMATION_SCHEMA.COLUMNS AS parts "
        "LEFT JOIN INFORMATION_SCHEMA.TABLES AS wholes "
        "ON wholes.TABLE_SCHEMA = parts.TABLE_SCHEMA AND wholes.TABLE_NAME = parts.TABLE_NAME "
        f"WHERE parts.TABLE_SCHEMA = {literal(stored(schema))} "
        f"AND parts.TABLE_NAME IN ({literal(table)}, {literal(notes)}) ORDER BY parts.ORDINAL_POSITION",
    )
    columns = [row for row in rows if row["TABLE_NAME"] == table]
    has_notes = any(row["TABLE_NAME"] == notes for row in rows)
    key, is_written = _noted(session, schema, name) if has_notes else (None, bool(columns))
    found = Found(
        types={stored(row["COLUMN_NAME"]): printed(row) for row in columns},
        not_null=frozenset(stored(row["COLUMN_NAME"]) for row in columns if row["IS_NULLABLE"] == "NO"),
        key=tuple(key or ()),
        is_partitioned=False,
        instead=in_place_of_a_table(columns[0]) if columns else "",
    )
    return Known(found if columns else None, has_notes, is_written and bool(columns))


def in_place_of_a_table(column: Mapping[str, Any]) -> str:
    """What kind of object the column belongs to, in words; nothing for a table that takes rows."""
    if column["IS_DYNAMIC"] == "YES":
        return "dynamic table"
    kind = str(column["TABLE_TYPE"] or "VIEW").lower()
    return kind if kind.endswith("view") or kind in ("external table", "event table") else ""


def _noted(session: Session, schema: str, name: str) -> tuple[list[str], bool]:
    notes = identifier(schema, NOTES + name)
    rows = asked(session, f"SELECT KEY_COLUMNS, WRITTEN_AT FROM {notes} WHERE PARTITION_KEY IS NULL")
    if not rows:
        raise Refused(f"the notes {notes} have lost the row without partition, which says the key and writers lock")
    return json.loads(rows[0]["KEY_COLUMNS"]), any(row["WRITTEN_AT"] for row in rows)


def table_of(name: str, known_: Known, partition_column: str | None) -> Table:
    """The contract that the catalogue holds, for reading a table that was made by inference. Raises: NeverWritten."""
    if known_.found is None or not known_.is_written:
        raise NeverWritten(f"{name} has never been written; materialise it first")
    found = known_.found
    columns = tuple(
        Column(column, arrow_of(kind), "", required=column in found.not_null) for column, kind in found.types.items()
    )
    return Table(name, f"{name}, as the database describes it.", columns, found.key, partition_column)


def missing(target: Target, known_: Known) -> list[Column]:
    """The columns that the table lacks and may get; all of the contract's, where there is no table.

    Raises: SchemaDrifted for every other difference, TypeRefused; nothing was changed.
    """
    if known_.found is None:
        return list(target.table.columns)
    found = known_.found if known_.has_notes else replace(known_.found, key=target.table.key)
    return lacking(replace(target, layout=Layout.PLAIN), found, sql_type)


def is_complete(session: Session, target: Target) -> bool:
    """Whether the table is there as its contract says, with its notes. Raises: SchemaDrifted; nothing was changed."""
    found = known(session, target.schema, target.table.name)
    return not missing(target, found) and found.has_notes


def create(session: Session, target: Target) -> None:
    """The table exists as its contract says, with its notes; where drift may `add`, it has the missing columns.

    What is there is asked first: IF NOT EXISTS wants privileges even where there is nothing to make. Of two that make
    the same table at once, one makes it, and both compare it with their contract afterwards.

    Raises: SchemaDrifted, TypeRefused.
    """
    before = known(session, target.schema, target.table.name)
    if not before.has_notes:
        make_schema(session, target.schema)
        _make_notes(session, target, is_written=before.is_written)
    if before.found is None:
        if before.has_notes:
            _forget_what_is_gone(session, target)
        _made(session, _contract_in_snowflake(target.table).ddl(sql_name(target), sql_type))
        before = known(session, target.schema, target.table.name)
    for column in missing(target, before):
        added = f"{identifier(column.name)} {sql_type(column.type)}"
        say(session, f"ALTER TABLE {sql_name(target)} ADD COLUMN IF NOT EXISTS {added}")


def _forget_what_is_gone(session: Session, target: Target) -> None:
    """No partition counts as written with rows, as long as there is no table: those were in one that somebody dropped.

    Read on, such a day would look like one on which nobody paid for anything. Before the table is made, since a write
    that fails after that leaves it; under the lock of the writers, since one of them may make it at the same time.
    """
    say(session, "BEGIN")
    say(
        session,
        f"UPDATE {notes_of(target)} SET ROW_COUNT = NULL, WRITTEN_AT = NULL "
        "WHERE PARTITION_KEY IS NULL OR ROW_COUNT > 0",
    )
    is_gone = known(session, target.schema, target.table.name).found is None
    say(session, "COMMIT" if is_gone else "ROLLBACK")


def make_schema(session: Session, name: str, kind: str = "") -> None:
    """The schema exists."""
    there = f"SELECT 1 AS IS_THERE FROM INFORMATION_SCHEMA.SCHEMATA WHERE SCHEMA_NAME = {literal(stored(name))}"
    if not asked(session, there):
        _made(session, f"CREATE {kind} SCHEMA IF NOT EXISTS {identifier(name)}")


def _made(session: Session, statement: str) -> None:
    """It exists, made by this statement or by somebody else's at the same moment, which IF NOT EXISTS may not see."""
    try:
        say(session, statement)
    except ProgrammingError as problem:
        if problem.errno != ALREADY_THERE:
            raise


def _make_notes(session: Session, target: Target, *, is_written: bool) -> None:
    """The notes exist, and from their first moment on the row without partition, which every writer locks.

    Two writers of a slice that is empty would otherwise both delete nothing, wait for nobody and both insert.
    """
    key = literal(json.dumps(target.table.key))
    _made(
        session,
        f"CREATE TABLE IF NOT EXISTS {notes_of(target)} AS SELECT NULL::VARCHAR AS PARTITION_KEY, "
        f"NULL::NUMBER(19,0) AS ROW_COUNT, {'CURRENT_TIMESTAMP()' if is_written else 'NULL'}::TIMESTAMP_TZ(6) AS "
        "WRITTEN_AT, NULL::VARCHAR AS REFUSAL, NULL::TIMESTAMP_TZ(6) AS REFUSED_AT, NULL::VARCHAR AS RUN_ID, "
        f"{key}::VARCHAR AS KEY_COLUMNS, ''::VARCHAR AS LAST_COMMITS",
    )


def _contract_in_snowflake(table: Table) -> Table:
    """The contract under the names that the catalogue has."""
    columns = tuple(replace(column, name=stored(column.name)) for column in table.columns)
    return Table(stored(table.name), table.description, columns, tuple(stored(name) for name in table.key))
