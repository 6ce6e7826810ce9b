"""Names of the local Snowflake are as exact as those of an account, where DuckDB takes `PAID` and `paid` for one.

A statement that forgot its quotes would pass here and fail on an account; so it fails here too, with the same number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from snowflake.connector.errors import ProgrammingError
from sqlglot import exp

CHECKED = (exp.Query, exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Copy, exp.Drop, exp.Alter, exp.TruncateTable)
COLUMNS = """
SELECT schema_name, table_name, column_name FROM duckdb_columns()
WHERE NOT internal AND list_contains(?, lower(table_name)) AND lower(schema_name) <> '_fs_information_schema'
"""


def check(statement: Any, connection: Any) -> None:
    """Every table and column of the statement, already in capitals where it was unquoted, has exactly that name."""
    if not isinstance(statement, CHECKED):
        return
    tables = [table for table in statement.find_all(exp.Table) if isinstance(table.this, exp.Identifier)]
    names = sorted({table.name.lower() for table in tables})
    there = connection._duck_conn.execute(COLUMNS, [names]).fetchall() if names else []  # noqa: SLF001
    common = {cte.alias for cte in statement.find_all(exp.CTE)}
    for table in tables:
        if table.name not in common:
            _check_table(table, connection.schema, {(schema, name) for schema, name, _ in there})
    _check_columns(statement, {column for *_, column in there})


def _check_table(table: exp.Table, current_schema: str | None, there: set[tuple[str, str]]) -> None:
    wanted = (table.db or current_schema or "", table.name)
    alike = [known for known in there if tuple(map(str.lower, known)) == tuple(map(str.lower, wanted))]
    if alike and wanted not in alike:
        raise ProgrammingError(
            msg=f"Object '{'.'.join(wanted)}' does not exist or not authorized.", errno=2003, sqlstate="42S02"
        )


def _check_columns(statement: Any, there: set[str]) -> None:
    named_here = {alias.alias for alias in statement.find_all(exp.Alias)}
    named_here |= {column.name for alias in statement.find_all(exp.TableAlias) for column in alias.columns}
    folded = {name.lower() for name in there}
    for name in _columns_of(statement):
        if name.lower() in folded and name not in there | named_here:
            raise ProgrammingError(msg=f"invalid identifier '{name}'", errno=904, sqlstate="42000")


def _columns_of(statement: Any) -> Iterator[str]:
    if isinstance(statement, exp.Insert | exp.Copy) and isinstance(statement.this, exp.Schema):
        yield from (part.name for part in statement.this.expressions)
    if not isinstance(statement, exp.Copy | exp.Alter):
        yield from (column.name for column in statement.find_all(exp.Column) if isinstance(column.this, exp.Identifier))
