"""How PostgreSQL and Snowflake say the text and the hash of a value: the same for the same value.

Only SQL that both a Snowflake account and the local stand-in understand. Both databases are in UTF-8.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from psycopg import sql

from etl_assets.contracts import Column, quoted
from etl_assets.io_managers.postgres import statements as postgres_statements
from etl_assets.io_managers.postgres import types as postgres_types
from etl_assets.io_managers.slices import Slice
from etl_assets.io_managers.snowflake import sql as snowflake_sql
from etl_assets.io_managers.snowflake import types as snowflake_types
from etl_assets.io_managers.snowflake.names import identifier, stored
from etl_assets.reconciliation.canonical import NULL, Kind, joined, kind_of

TRUTH = "CASE {x} WHEN TRUE THEN 't,' WHEN FALSE THEN 'f,' END"
TWO_53, TWO_62 = 2**53, 2**62


@dataclass(frozen=True)
class Dialect:
    """A database's own words. In the templates `{x}` is an expression."""

    name: str
    identifier: Callable[[str], str]
    stored: Callable[[str], str]
    """How a contract's name stands in the catalogue."""
    predicate: Callable[[Slice], str]
    literal: Callable[[str], str]
    catalogue: str
    described: str
    """What the catalogue is asked of a column."""
    is_of: Callable[[Mapping[str, Any], pa.DataType], bool]
    """Whether a column that the catalogue describes so is of the type in which ours is stored."""
    text: str
    double: str
    whole: str
    """The type that holds every whole double below 2^62."""
    texts: Mapping[Kind, str]
    hashed: str
    """60 bits of the text's MD5, as a whole number."""
    fence: tuple[str, ...] = ()
    """A column that makes the database compute the others before it groups by them."""
    decimal: Callable[[pa.DataType, str], str] = lambda _, x: x
    """What is done to a decimal before its text."""

    def value(self, column: Column, x: str = "") -> str:
        """SQL of the canonical text of the column, or of `x`, an expression of its type; never NULL."""
        kind, x = kind_of(column.type), x or self.identifier(column.name)
        x = self.decimal(column.type, x) if kind is Kind.DECIMAL else x
        text = self._double(x) if kind is Kind.FLOAT else self.texts[kind].replace("{x}", x)
        return f"coalesce({text}, '{NULL}')"

    def hash(self, columns: Sequence[Column]) -> str:
        """SQL of the number that stands for these values together."""
        return self.hashed.replace("{x}", joined([self.value(column) for column in columns]))

    def md5(self, columns: Sequence[Column]) -> str:
        """SQL of the 32 digits that stand for these values together."""
        return f"md5({joined([self.value(column) for column in columns])})"

    def as_text(self, x: str) -> str:
        """SQL of a whole number or an exact sum in digits."""
        return self.text.replace("{x}", x)

    def as_double(self, x: str) -> str:
        """SQL of a float as one of 64 bits."""
        return f"CAST({x} AS {self.double})"

    def _double(self, x: str) -> str:
        """Its whole part and the 53 bits after it, which IEEE doubles give exactly; small and large ones shifted.

        Databases write doubles with differing digits, and none of them the bits.
        """
        shift, limit = self._constant(TWO_53), self._constant(TWO_62)
        return (
            f"CASE WHEN {x} IS NULL THEN NULL "
            f"WHEN abs({x}) < 1 THEN '<' || {self._parts(f'({x} * {shift})')} "
            f"WHEN abs({x}) < {limit} THEN {self._parts(x)} "
            f"WHEN abs({x} / {shift}) < {limit} THEN '>' || {self._parts(f'({x} / {shift})')} "
            f"WHEN {x} = {self._constant('NaN')} THEN 'nan,' "
            f"WHEN {x} = {self._constant('inf')} THEN 'inf,' "
            f"WHEN {x} = {self._constant('-inf')} THEN '-inf,' "
            f"WHEN {x} < 0 THEN '-huge,' ELSE 'huge,' END"
        )

    def _parts(self, x: str) -> str:
        rest = f"trunc(({x} - trunc({x})) * {self._constant(TWO_53)})"
        return f"{self._whole(f'trunc({x})')} || '.' || {self._whole(rest)} || ','"

    def _whole(self, x: str) -> str:
        return self.as_text(f"CAST({x} AS {self.whole})")

    def _constant(self, value: object) -> str:
        return f"CAST('{value}' AS {self.double})"


def _with_a_whole_digit(type_: pa.DataType, x: str) -> str:
    """A decimal that may begin with 0, which is not written where the type has no digit before the point."""
    return x if type_.precision > type_.scale else f"CAST({x} AS NUMBER({type_.scale + 1}, {type_.scale}))"


POSTGRES = Dialect(
    name="postgres",
    identifier=quoted,
    stored=str,
    predicate=lambda slice_: postgres_statements.predicate(slice_).as_string(),
    literal=lambda value: sql.Literal(value).as_string(),
    catalogue="information_schema.columns",
    described="column_name, data_type",
    is_of=lambda row, type_: row["DATA_TYPE"] == postgres_types.sql_type(type_).partition("(")[0],
    text="CAST({x} AS text)",
    double="float8",
    whole="bigint",
    texts={
        Kind.WHOLE: "CAST({x} AS text) || ','",
        Kind.DECIMAL: "CAST({x} AS text) || ','",
        Kind.BOOL: TRUTH,
        Kind.DAY: "CAST({x} - DATE '1970-01-01' AS text) || ','",
        Kind.CLOCK: "CAST(CAST(extract(epoch FROM {x}) * 1000000 AS bigint) AS text) || ','",
        Kind.INSTANT: "CAST(CAST(extract(epoch FROM {x}) * 1000000 AS bigint) AS text) || ','",
        Kind.TEXT: "CAST(bit_length({x}) AS text) || ':' || {x}",
        Kind.JSON: "CAST(bit_length(CAST({x} AS text)) AS text) || ':' || CAST({x} AS text)",
        Kind.BYTES: "encode({x}, 'hex') || ','",
        Kind.UUID: "replace(CAST({x} AS text), '-', '') || ','",
    },
    # PostgreSQL would merge the two queries, expect as many groups as rows and sort all rows on disk. What is volatile
    # it does not merge, and this runs in parallel workers.
    fence=('clock_timestamp() AS "fence"',),
    hashed="CAST(CAST('x' || right(md5({x}), 15) AS bit(60)) AS bigint)",
)

SNOWFLAKE = Dialect(
    name="snowflake",
    identifier=identifier,
    stored=stored,
    predicate=snowflake_sql.predicate,
    literal=snowflake_sql.literal,
    catalogue='"INFORMATION_SCHEMA"."COLUMNS"',
    described="*",
    is_of=lambda row, type_: snowflake_types.printed(row) == snowflake_types.sql_type(type_),
    text="TO_VARCHAR({x})",
    double="FLOAT",
    whole="NUMBER(19, 0)",
    texts={
        Kind.WHOLE: "TO_VARCHAR({x}) || ','",
        Kind.DECIMAL: "TO_VARCHAR({x}) || ','",
        Kind.BOOL: TRUTH,
        Kind.DAY: "TO_VARCHAR(DATEDIFF(day, CAST('1970-01-01' AS DATE), {x})) || ','",
        Kind.CLOCK: "TO_VARCHAR(DATEDIFF(microsecond, CAST('00:00:00' AS TIME), {x})) || ','",
        Kind.INSTANT: "TO_VARCHAR(DATE_PART(epoch_microsecond, {x})) || ','",
        Kind.TEXT: "TO_VARCHAR(BIT_LENGTH({x})) || ':' || {x}",
        Kind.JSON: "TO_VARCHAR(BIT_LENGTH({x})) || ':' || {x}",
        Kind.BYTES: "LOWER(HEX_ENCODE({x})) || ','",
        Kind.UUID: "LOWER(HEX_ENCODE({x})) || ','",
    },
    hashed=f"MOD(MD5_NUMBER_LOWER64({{x}}), {2**60})",
    decimal=_with_a_whole_digit,
)
