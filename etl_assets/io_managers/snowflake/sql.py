"""How a statement is said to Snowflake, and how values and slices stand in its text.

Literals and no bound parameters: the connector binds in the client, by writing literals too, and would take every % of
a name for a marker. Each literal says its type, since Snowflake would otherwise guess it from the other operand.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from etl_assets.io_managers.errors import TypeRefused
from etl_assets.io_managers.slices import Dimension, Slice
from etl_assets.io_managers.snowflake.connections import Session
from etl_assets.io_managers.snowflake.names import identifier

MOST_VALUES = 10_000


def say(session: Session, statement: str) -> int:
    """The statement is done; returns how many rows it changed."""
    with session.cursor() as cursor:
        cursor.execute(statement)
        return cursor.rowcount or 0


def asked(session: Session, question: str) -> list[dict[str, Any]]:
    """The rows of the answer, by column name in upper case."""
    with session.cursor() as cursor:
        cursor.execute(question)
        names = [column.name.upper() for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def literal(value: object) -> str:  # noqa: C901, PLR0911  one line for each type
    """The value as Snowflake reads it back, whatever characters it has. Raises: TypeRefused for any other type."""
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).upper()
        case int() | Decimal():
            return f"{value:f}" if isinstance(value, Decimal) else str(value)
        case float():
            return f"'{value}'::FLOAT"
        case str():
            return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
        case bytes():
            return f"TO_BINARY('{value.hex()}', 'HEX')"
        case UUID():
            return literal(value.bytes)
        case datetime():
            return f"'{value.astimezone(UTC)}'::TIMESTAMP_TZ" if value.tzinfo else f"'{value}'::TIMESTAMP_NTZ"
        case date():
            return f"'{value}'::DATE"
        case time():
            return f"'{value}'::TIME"
    raise TypeRefused(f"a {type(value).__name__} cannot be the value of a partition in Snowflake")


def predicate(slice_: Slice) -> str:
    """The slice as SQL."""
    return " AND ".join(map(_within, slice_.dimensions)) or "TRUE"


def _within(dimension: Dimension) -> str:
    """Snowflake takes no list of more than 16,384 values."""
    column = identifier(dimension.column)
    if dimension.parts and not dimension.is_window:
        values = [literal(part.start) for part in dimension.parts]
        lists = [values[at : at + MOST_VALUES] for at in range(0, len(values), MOST_VALUES)]
        clauses = [f"{column} IN ({', '.join(some)})" for some in lists]
    else:
        clauses = [f"({column} >= {literal(start)} AND {column} < {literal(end)})" for start, end in dimension.ranges()]
    return f"({' OR '.join(clauses)})" if clauses else "FALSE"
