"""What is said to Snowflake about rows inside a transaction: lock, delete, insert, upsert, note. DML only.

The rows come from the staging table, whose columns are C0, C1, ... in the order of the contract.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from etl_assets.io_managers.errors import KeyRepeated, Refused
from etl_assets.io_managers.slices import Slice
from etl_assets.io_managers.snowflake.connections import Session
from etl_assets.io_managers.snowflake.names import identifier, sql_name
from etl_assets.io_managers.snowflake.schema import notes_of
from etl_assets.io_managers.snowflake.sql import asked, literal, predicate, say
from etl_assets.io_managers.targets import Target

LAST_COMMITS, MOST_CHARACTERS = 4_000, 500_000


def lock(session: Session, target: Target, run_id: str, token: str) -> None:
    """Until this transaction ends it is alone on the table, and has left its token where a commit can be proved.

    Raises: Refused where the row that all writers lock is missing: without it two could write at once.
    """
    locked = say(
        session,
        f"UPDATE {notes_of(target)} SET WRITTEN_AT = CURRENT_TIMESTAMP(), RUN_ID = {literal(run_id)}, "
        f"LAST_COMMITS = SUBSTR({literal(token + ' ')} || LAST_COMMITS, 1, {LAST_COMMITS}) WHERE PARTITION_KEY IS NULL",
    )
    if not locked:
        raise Refused(f"the notes {notes_of(target)} have lost the row without partition, which writers lock")


def is_committed(session: Session, target: Target, token: str) -> bool:
    """Whether the transaction of the token was committed; waits until it has ended."""
    say(session, "BEGIN")
    try:
        lock(session, target, "", "")
    finally:
        say(session, "ROLLBACK")
    found = asked(session, f"SELECT LAST_COMMITS FROM {notes_of(target)} WHERE PARTITION_KEY IS NULL")
    return any(token in row["LAST_COMMITS"].split() for row in found)


def delete(session: Session, target: Target, slice_: Slice) -> None:
    """The slice is empty until this transaction ends. Of the whole table too: TRUNCATE would commit."""
    say(session, f"DELETE FROM {sql_name(target)} WHERE {predicate(slice_)}")


def insert(session: Session, target: Target, staging: str) -> int:
    """The staged rows are in the table; returns how many Snowflake says there were."""
    return say(session, _insert(target, staging))


def upsert(session: Session, target: Target, staging: str) -> int:
    """Each staged row stands in the table, in the place of the one that had its key; returns how many there were.

    Two statements where MERGE would be one: columns that only the table has keep their values in both, and this one
    says the same in every database that speaks SQL.
    """
    columns = _columns(target)
    same = _same_key(target)
    changed = ", ".join(f"{identifier(name)} = staged.{column}" for name, column in columns.items())
    updated = say(session, f"UPDATE {sql_name(target)} kept SET {changed} FROM {staging} AS staged WHERE {same}")
    return updated + keep(session, target, staging)


def keep(session: Session, target: Target, staging: str) -> int:
    """Each staged row stands in the table, unless its key did before; returns how many were added."""
    there = f"SELECT 1 FROM {sql_name(target)} AS kept WHERE {_same_key(target)}"
    return say(session, f"{_insert(target, staging)} WHERE NOT EXISTS ({there})")


def refuse_keys_that_stay(session: Session, target: Target, staging: str) -> None:
    """No staged row has the key of a row that is in the table. Raises: KeyRepeated with their number."""
    there = f"SELECT 1 FROM {staging} AS staged WHERE {_same_key(target)}"
    found = asked(session, f"SELECT COUNT(*) AS N FROM {sql_name(target)} AS kept WHERE EXISTS ({there})")[0]["N"]
    if found:
        raise KeyRepeated(
            f"{target.name}: {found} rows have a key that is in a part of the table that this write leaves alone; "
            "nothing was written"
        )


def _insert(target: Target, staging: str) -> str:
    columns = _columns(target)
    names = ", ".join(identifier(name) for name in columns)
    return f"INSERT INTO {sql_name(target)} ({names}) SELECT {', '.join(columns.values())} FROM {staging} AS staged"


def _columns(target: Target) -> dict[str, str]:
    """By name of the contract the staging table's column."""
    return {name: f"C{number}" for number, name in enumerate(target.table.schema.names)}


def _same_key(target: Target) -> str:
    columns = _columns(target)
    return " AND ".join(f"kept.{identifier(name)} = staged.{columns[name]}" for name in target.table.key)


def note_written(session: Session, target: Target, counts: Mapping[str, int], run_id: str, *, is_added: bool) -> None:
    """Each partition's row count and run stand beside the rows, in the same transaction."""
    before = "COALESCE(notes.ROW_COUNT, 0) + " if is_added else ""
    change = (
        f"ROW_COUNT = {before}said.VALUE, WRITTEN_AT = CURRENT_TIMESTAMP(), REFUSAL = NULL, "
        f"REFUSED_AT = NULL, RUN_ID = {literal(run_id)}"
    )
    new = f"said.VALUE, CURRENT_TIMESTAMP(), NULL, NULL, {literal(run_id)}"
    _note(session, target, counts.items(), "NUMBER(19,0)", change=change, new=new)


def note_refused(session: Session, target: Target, refused: Mapping[str, str], run_id: str) -> None:
    """Each refused partition has its reason; the rows that it holds from before are untouched."""
    change = f"REFUSAL = said.VALUE, REFUSED_AT = CURRENT_TIMESTAMP(), RUN_ID = {literal(run_id)}"
    new = f"NULL, NULL, said.VALUE, CURRENT_TIMESTAMP(), {literal(run_id)}"
    _note(session, target, refused.items(), "VARCHAR", change=change, new=new)


def _note(  # noqa: PLR0913  what is said, and what becomes of it
    session: Session, target: Target, said: Iterable[tuple[str, object]], kind: str, *, change: str, new: str
) -> None:
    """As JSON texts: a list of literals is parsed one by one, and Snowflake takes few thousands of them."""
    notes = notes_of(target)
    for values in _lists(said):
        source = (
            f"(SELECT pair.VALUE[0]::VARCHAR AS KEY, pair.VALUE[1]::{kind} AS VALUE "
            f"FROM TABLE(FLATTEN(INPUT => PARSE_JSON({values}))) AS pair) AS said"
        )
        say(session, f"UPDATE {notes} notes SET {change} FROM {source} WHERE notes.PARTITION_KEY = said.KEY")
        say(
            session,
            f"INSERT INTO {notes} (PARTITION_KEY, ROW_COUNT, WRITTEN_AT, REFUSAL, REFUSED_AT, RUN_ID) "
            f"SELECT said.KEY, {new} FROM {source} "
            f"WHERE NOT EXISTS (SELECT 1 FROM {notes} AS notes WHERE notes.PARTITION_KEY = said.KEY)",
        )


def _lists(values: Iterable[object]) -> Iterator[str]:
    """The values in JSON lists, as literals that a statement of Snowflake has room for: all of it has a megabyte."""
    texts, size = list[str](), 0
    for text in map(json.dumps, values):
        size += len(literal(text))
        if texts and size > MOST_CHARACTERS:
            yield literal(f"[{','.join(texts)}]")
            texts, size = [], len(literal(text))
        texts.append(text)
    if texts:
        yield literal(f"[{','.join(texts)}]")


def forget(session: Session, target: Target) -> None:
    """No partition of the table counts as written."""
    say(session, f"DELETE FROM {notes_of(target)} WHERE PARTITION_KEY IS NOT NULL")
