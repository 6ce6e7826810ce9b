"""SQL expressions over the columns of one row: whether a person may write one, and for which rows it is false.

DuckDB parses, types and computes; what is here narrows its language to what one row can answer exactly: no other rows,
no files, no clock, no floating point. Which rules there are is said in `spec/rules.py`.
"""

from __future__ import annotations

import atexit
import itertools
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    import duckdb

Types = Mapping[str, pa.DataType]
SHAPES = "COLUMN_REF CONSTANT COMPARISON CONJUNCTION BETWEEN CASE CAST TYPE FUNCTION OPERATOR"
OPERATORS = "OPERATOR_NOT OPERATOR_IS_NULL OPERATOR_IS_NOT_NULL OPERATOR_COALESCE OPERATOR_TRY COMPARE_IN"
FUNCTIONS = (
    "+ - * % abs ceil ceiling floor round sign mod greatest least nullif "
    "|| concat contains ends_with left length lower ltrim position regexp_full_match regexp_matches replace right "
    "rtrim starts_with strpos substr substring trim upper ~~ !~~ ~~* !~~* like_escape not_like_escape "
    "date_diff datediff date_part date_trunc day dayofweek hour isodow last_day minute month year"
)
CAST_TYPES = "BOOLEAN INTEGER INT BIGINT HUGEINT DECIMAL NUMERIC DATE TIME TIMESTAMP TIMESTAMPTZ INTERVAL VARCHAR TEXT"
ODD_VALUES: Mapping[pa.DataType, list[Any]] = {
    pa.string(): ["no number", "", "1", "2024-02-29", None],
    pa.decimal128(24, 4): [*map(Decimal, ("99999999999999999999.9999", "-99999999999999999999.9999", "0")), None],
    pa.date32(): [date(1, 1, 1), date(9999, 12, 31), None],
    pa.timestamp("us", "UTC"): [datetime(1, 1, 3, tzinfo=UTC), datetime(9999, 12, 29, tzinfo=UTC), None],
    pa.bool_(): [True, False, None],
}
ODD_ROWS = 60
SIDES = ("left", "right", "input", "lower", "upper")


class ExpressionFailed(ValueError):  # noqa: N818  the fact, not a fault
    """An expression cannot be computed for some row; the message names it and no value of the row."""


def doubt(expression: str, types: Types, time_zone: str) -> str | None:
    """Why the expression cannot judge rows with columns of these types; None where it can.

    It is tried on odd values (text that is no number, the largest amount, nulls): what fails on them would stop a
    run on the day on which a bank delivers one.
    """
    for text in (f"SELECT {expression}", statement := f"SELECT ({expression}\n)"):
        parsed = json.loads(_asked("SELECT json_serialize_sql(?)", text))
        if parsed["error"]:
            return f"expected a SQL expression; {parsed['error_message']}"
    if not columns_of(expression):
        return f"expected at least one of the columns {', '.join(types)}; every row gives the same"
    (node,) = parsed["statements"][0]["node"]["select_list"]
    return next(_outside(node, types), None) or _fails(statement, types, time_zone)


def columns_of(expression: str) -> frozenset[str]:
    """The columns that a readable expression asks for."""
    query = "SELECT json_extract_string(json_serialize_sql(?), '$..column_names[0]')"
    return frozenset(name.lower() for name in _asked(query, f"SELECT ({expression}\n)"))


def false_rows(expressions: Mapping[str, str], rows: pa.Table, time_zone: str) -> pa.Table:
    """A column per name: true where its expression is false. Where it is NULL nothing is broken, as in a SQL CHECK.

    Raises: ExpressionFailed where one cannot be computed. What the engine says is kept out: it quotes the row.
    """
    if len(expressions) > 1 or not expressions:
        found = {name: false_rows({name: text}, rows, time_zone)[name] for name, text in expressions.items()}
        return pa.table(found)
    ((name, text),) = expressions.items()
    try:
        with _session(time_zone, rows) as session:
            query = f'SELECT ({text}\n) IS FALSE AS "{name}" FROM rows'  # noqa: S608  its language is narrow
            return session.sql(query).to_arrow_table()
    except _library().Error as error:
        raise ExpressionFailed(
            f"rule {name} cannot be computed for a row ({type(error).__name__}); "
            "use TRY_CAST for text that may be no number, and smaller factors for amounts"
        ) from None


def _fails(statement: str, types: Types, time_zone: str) -> str | None:
    odd = {
        name: pa.array(itertools.islice(itertools.cycle(ODD_VALUES[kind]), ODD_ROWS), kind)
        for name, kind in types.items()
    }
    try:
        with _session(time_zone, pa.table(odd)) as session:
            found = session.sql(f"{statement} FROM rows")
            kind = str(found.types[0])
            found.fetchall()
    except _library().Error as error:
        first_line = str(error).partition("\n")[0]
        return f"expected an expression that every row can answer (TRY_CAST for text that may be none): {first_line}"
    return None if kind == "BOOLEAN" else f"expected a condition, true or false; this gives {kind}"


def _outside(node: Any, types: Types) -> Iterator[str]:
    """What in the parsed expression is more than comparing columns of one row, outermost first."""
    if isinstance(node, Mapping):
        yield from _not_for_rows(node, types)
        node = list(node.values())
    for part in node if isinstance(node, list) else []:
        yield from _outside(part, types)


def _not_for_rows(node: Mapping[str, Any], types: Types) -> Iterator[str]:
    match node:
        case {"class": "COLUMN_REF", "column_names": names} if ".".join(names).lower() not in types:
            yield f"no column {'.'.join(names)}; expected some of {', '.join(types)}, and text in single quotes"
        case {"class": "FUNCTION", "function_name": name} if name not in FUNCTIONS.split():
            yield f"{name} is not for a rule of one row; expected of functions {FUNCTIONS}"
        case {"class": "TYPE", "type_name": name} if name.upper() not in CAST_TYPES.split():
            yield f"no cast to {name}; expected one of {CAST_TYPES}, and an interval as INTERVAL '3 days'"
        case {"class": "CONSTANT", "literal": {"kind": "NUMERIC", "text": text}} if "e" in text.lower():
            yield f"{text} is a floating-point number; expected one written out, as 1000.50"
        case {"class": "OPERATOR", "type": kind} if kind not in OPERATORS.split():
            yield f"{kind.lower()} is not for a rule of one row; expected comparisons of its columns"
        case {"class": kind} if kind not in SHAPES.split():
            yield f"{kind.lower()} is not for a rule of one row; expected comparisons of its columns"
        case {"class": "COMPARISON" | "BETWEEN" | "OPERATOR"} if _is_money_beside_text(node, types):
            yield "a number in quotes would be rounded to the amount's digits; expected it without quotes"


def _is_money_beside_text(node: Mapping[str, Any], types: Types) -> bool:
    sides = [*node.get("children", []), *(node[name] for name in SIDES if name in node)]
    is_text = any(side.get("literal", {}).get("kind") == "STRING" for side in sides)
    return is_text and any(_is_money(side, types) for side in sides)


def _is_money(node: Any, types: Types) -> bool:
    match node:
        case {"class": "COLUMN_REF", "column_names": [name]}:
            return bool(pa.types.is_decimal(types.get(name.lower(), pa.string())))
        case {"class": "FUNCTION", "arguments": arguments}:
            return any(_is_money(argument["expression"], types) for argument in arguments)
    return False


def _asked(query: str, text: str) -> Any:
    ((answer,),) = _engine().cursor().execute(query, [text]).fetchall()
    return answer


@contextmanager
def _session(time_zone: str, rows: pa.Table) -> Iterator[duckdb.DuckDBPyConnection]:
    """The engine with `rows` and this time zone: hours and days in an expression are the institution's own."""
    with _engine().cursor() as session:
        session.execute(f"SET TimeZone = '{time_zone}'")
        session.register("rows", rows)
        yield session


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    """One engine a process, in memory, that cannot open files or load extensions."""
    settings = {"enable_external_access": False, "autoload_known_extensions": False, "threads": 1}
    engine: duckdb.DuckDBPyConnection = _library().connect(config=settings | {"autoinstall_known_extensions": False})
    atexit.register(_engine.cache_clear)  # left to the interpreter, DuckDB prints a page about leaks
    return engine


def _library() -> ModuleType:
    """DuckDB, loaded by the first expression: 0.15 s that no other process needs to pay."""
    import duckdb  # noqa: PLC0415

    return duckdb
