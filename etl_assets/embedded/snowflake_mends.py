"""Where fakesnow differs from Snowflake in what we use: mended here, once, in the server process.

Each mend says why. Where Snowflake's behaviour cannot be had, the stand-in is stricter and never milder: what passes
here must not fail on an account. Locks and transactions are in `snowflake_sessions.py`.
"""

from __future__ import annotations

import importlib
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from string import Template
from types import MappingProxyType
from typing import Any

import duckdb
from fakesnow import arrow, info_schema, transforms
from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.dialect import parse_one
from fakesnow.transforms import stage
from snowflake.connector.errors import Error, ProgrammingError
from sqlglot import exp

from etl_assets.embedded import snowflake_names as names
from etl_assets.embedded import snowflake_values as values
from etl_assets.embedded.snowflake_sessions import session_of

__all__ = ["apply", "server"]

# Not `from fakesnow import server`: until it has been imported that is a function, and the other is one in its module.
server: Any = importlib.import_module("fakesnow.server")
loading: Any = importlib.import_module("fakesnow.copy_into")

MOST_BYTES = 1_000_000
SUCCESS = "SELECT 'Statement executed successfully.' AS status"
DROP_STAGE = """
DELETE FROM _fs_global._fs_information_schema._fs_stages WHERE database_name = ? AND schema_name = ? AND name = ?
"""
ERRORS: Mapping[str, tuple[int, str]] = MappingProxyType(
    {
        "NOT NULL constraint": (100072, "22000"),
        "already exists": (2002, "42710"),
        "Referenced column": (904, "42000"),
        "does not have a column": (904, "42000"),
        "Conflict on": (625, "57014"),
        "Transaction conflict": (625, "57014"),
    }
)
_execute, _transform = FakeSnowflakeCursor.execute, FakeSnowflakeCursor._transform  # noqa: SLF001
_parts, _fields = stage.parts_from_var, loading._strip_json_extract  # noqa: SLF001
_lengths = info_schema.insert_text_lengths_sql


def apply(stages: Path) -> None:
    """The fakesnow of this process is mended. Staged files lie in `stages`, not in a folder nobody empties."""
    Path(stage.LOCAL_BUCKET_PATH).rmdir()
    mends: tuple[tuple[Any, str, Any], ...] = (
        (stage, "LOCAL_BUCKET_PATH", str(stages)),
        (stage, "parts_from_var", parts_of_stage),
        (FakeSnowflakeCursor, "execute", execute),
        (FakeSnowflakeCursor, "_transform", transform),
        (arrow, "timestamp_to_sf_struct", values.with_null_timestamps),
        (info_schema, "insert_text_lengths_sql", text_lengths),
        (importlib.import_module("fakesnow.cursor"), "SQL_CREATED_TABLE", Template(SUCCESS)),
        (server, "from_binding", values.binding),
        (server, "to_sf", values.with_scaled_integers),
        (loading, "_strip_json_extract", columns_of_files),
        (loading, "_get_table_columns", columns_of_table),
        (loading, "_match_parquet_columns", matched),
        # Sums of NUMBER would be floats: a certificate over money needs every digit.
        (transforms, "numeric_agg_implicit_cast", lambda expression: expression),
        (transforms, "integer_precision", values.integer_precision),
    )
    for place, name, mend in mends:
        setattr(place, name, mend)
    server.logger.setLevel("WARNING")  # it would log every statement that fails, with its values


def text_lengths(catalog: str, schema: str, table: str, lengths: list[tuple[str, int]]) -> str:
    """Names with an apostrophe are names; fakesnow would put them into the statement as they are."""
    columns = [(name.replace("'", "''"), length) for name, length in lengths]
    return _lengths(catalog, schema.replace("'", "''"), table.replace("'", "''"), columns)


def parts_of_stage(name: str, current_database: str | None, current_schema: str | None) -> tuple[str, str, str]:
    """The full name of a stage; the session's own schema keeps its case."""
    database, schema = (part and f'"{part}"' for part in (current_database, current_schema))
    parts: tuple[str, str, str] = _parts(name, current_database=database, current_schema=schema)
    return parts


def columns_of_files(select: Any) -> Any:
    """Columns of a staged file may be called anything; fakesnow reads them without quotes, so not `at` or `order`."""
    done = _fields(select)
    for name in done.find_all(exp.Identifier):
        name.args["quoted"] = True
    return done


def columns_of_table(*table: Any) -> list[str]:
    """The columns as they are called; fakesnow writes them in capitals, and then loads nothing but NULLs."""
    return [name for name, _ in loading._describe_table(*table)]  # noqa: SLF001


def matched(in_file: list[str], in_table: list[str], mode: Any) -> dict[str, str]:
    """Which column of the file goes into which column of the table."""
    fold = str if mode.name == "CASE_SENSITIVE" else str.upper
    known = {fold(name): name for name in in_file}
    return {name: known[fold(name)] for name in in_table if fold(name) in known}


def execute(cursor: Any, command: str, *args: Any, **kwargs: Any) -> Any:
    """The statement ran as one of a Snowflake session, or failed with an error that the connector understands."""
    if len(command.encode()) > MOST_BYTES:
        raise ProgrammingError(msg="the statement's text is longer than a megabyte", errno=1003, sqlstate="42000")
    with explained(), session_of(cursor._conn).running(_parsed(command)) as instead:  # noqa: SLF001
        replacement = instead or _emulated(cursor, command)
        if replacement:
            return _execute(cursor, replacement)
        return _execute(cursor, command, *args, **kwargs)


@contextmanager
def explained() -> Iterator[None]:
    """Errors of DuckDB leave with the numbers that Snowflake has for them; any other would be repeated for minutes."""
    try:
        yield
    except Error as problem:
        said = re.sub(r"^\d{6} \(\w+\): ", "", str(problem.msg)).split("\n\n", 1)[0]
        errno, state = _known(said) or (problem.errno, problem.sqlstate)
        raise ProgrammingError(msg=said, errno=errno, sqlstate=state) from None
    except duckdb.Error as problem:
        said = str(problem).split("\n", 1)[0]
        # DuckDB quotes the value that broke a constraint.
        said = said.split(" key ", 1)[0] if isinstance(problem, duckdb.ConstraintException) else said
        errno, state = _known(said) or (603, "XX000")
        raise ProgrammingError(msg=said, errno=errno, sqlstate=state) from None
    except Exception as problem:
        said = f"the local Snowflake cannot do this: {type(problem).__name__}: {problem}"
        raise ProgrammingError(msg=said, errno=603, sqlstate="XX000") from problem


def transform(cursor: Any, expression: Any, params: Any) -> Any:
    """The statement for DuckDB, without what Snowflake would not do and with what fakesnow does not know."""
    done = _transform(cursor, expression, params)
    if isinstance(done, exp.Create):
        _unenforce_keys(done)
    names.check(done, cursor._conn)  # noqa: SLF001
    return done.transform(_number_of_md5, copy=False)


def _unenforce_keys(create: exp.Create) -> None:
    """Keys are declared and never enforced in Snowflake: a test that leans on one would pass here alone."""
    keys = {column.name for key in create.find_all(exp.PrimaryKey) for column in key.expressions}
    for column in create.find_all(exp.ColumnDef):
        kinds = [constraint.args.get("kind") for constraint in column.args.get("constraints") or []]
        declared = any(isinstance(kind, exp.PrimaryKeyColumnConstraint) for kind in kinds) or column.name in keys
        kept = [c for c, kind in zip(column.args.get("constraints") or [], kinds, strict=True) if not _is_key(kind)]
        if declared and not any(isinstance(c.args.get("kind"), exp.NotNullColumnConstraint) for c in kept):
            kept.append(exp.ColumnConstraint(kind=exp.NotNullColumnConstraint()))
        column.set("constraints", kept)
    schema = create.this
    if isinstance(schema, exp.Schema):
        schema.set("expressions", [e for e in schema.expressions if not _is_table_key(e)])


def _is_key(kind: Any) -> bool:
    return isinstance(kind, exp.PrimaryKeyColumnConstraint | exp.UniqueColumnConstraint | exp.Reference)


def _is_table_key(part: Any) -> bool:
    keys = (exp.PrimaryKey, exp.UniqueColumnConstraint, exp.ForeignKey)
    return isinstance(part, keys) or (isinstance(part, exp.Constraint) and any(map(_is_table_key, part.expressions)))


def _number_of_md5(node: Any) -> Any:
    """Halves of an MD5 as numbers, high byte first as Snowflake reads them; DuckDB's own read the bytes backwards."""
    halves = {"MD5NumberLower64": "right", "MD5NumberUpper64": "left"}
    if (side := halves.get(type(node).__name__)) is None:
        return node
    digits = exp.func(side, exp.func("md5", node.this), exp.Literal.number(16))
    hexadecimal = exp.DPipe(this=exp.Literal.string("0x"), expression=digits, safe=True)
    return exp.cast(exp.cast(exp.paren(hexadecimal), "UBIGINT", dialect="duckdb"), "DECIMAL(38, 0)", dialect="duckdb")


def _emulated(cursor: Any, command: str) -> str | None:
    """What runs instead of a statement that fakesnow does not know: session parameters and the end of stages."""
    connection = cursor._conn  # noqa: SLF001
    if found := re.match(r"\s*ALTER\s+SESSION\s+(SET|UNSET)\s+(?!AUTOCOMMIT)(.*)", command, re.IGNORECASE | re.DOTALL):
        settings = re.findall(r"(\w+)\s*=\s*('[^']*'|\S+?)(?=[\s,;]|$)", found[2]) if found[1].upper() == "SET" else []
        session_of(connection).remember({name.upper(): value for name, value in settings})
        return SUCCESS
    if found := re.match(r"\s*DROP\s+STAGE\s+(IF\s+EXISTS\s+)?(\S+?)\s*;?\s*$", command, re.IGNORECASE):
        return _drop_stage(connection, found[2], is_needed=not found[1])
    if found := re.match(r"\s*(?:REMOVE|RM)\s+@([^\s/]+)(/\S*)?\s*;?\s*$", command, re.IGNORECASE):
        _remove_files(_stage_folder(connection, found[1]), (found[2] or "").strip("/"))
        return SUCCESS
    return None


def _stage_folder(connection: Any, name: str) -> Path:
    parts = stage.parts_from_var(name, current_database=connection.database, current_schema=connection.schema)
    return Path(stage.internal_dir(".".join(parts)).removeprefix("file://"))


def _drop_stage(connection: Any, name: str, *, is_needed: bool) -> str:
    parts = stage.parts_from_var(name, current_database=connection.database, current_schema=connection.schema)
    with connection._duck_conn.cursor() as catalogue:  # noqa: SLF001
        if not catalogue.execute(DROP_STAGE, parts).fetchone()[0] and is_needed:
            raise stage.not_found_error(".".join(parts))
    _remove_files(_stage_folder(connection, name), "")
    return SUCCESS


def _remove_files(folder: Path, prefix: str) -> None:
    """As in Snowflake a path is a prefix: a folder or a file of that name, or the beginning of several."""
    for path in list(folder.glob(f"{prefix}*")) if folder.is_dir() else []:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _known(said: str) -> tuple[int, str] | None:
    return next((number for words, number in ERRORS.items() if words in said), None)


def _parsed(command: str) -> Any:
    """The statement's tree, or None for one that fakesnow itself refuses or does not know."""
    try:
        return parse_one(command)
    except Exception:  # noqa: BLE001  the same parser says it again, with the right error
        return None
