"""One of two databases that are compared: its table, its dialect, and rows of questions to it.

Which questions belong to `summaries.py` and `drilldown.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol, TypeVar

import pyarrow as pa

from etl_assets.contracts import Column, Table
from etl_assets.io_managers.slices import Slice
from etl_assets.io_managers.targets import Target
from etl_assets.reconciliation.dialects import Dialect

Row = tuple[Any, ...]
Answer = TypeVar("Answer")


class Warehouse(Protocol):
    """What is asked of either database."""

    def fetch(self, sql: str, values: Sequence[Any] = ...) -> pa.Table: ...
    def exists(self, schema: str, name: str) -> bool: ...


@dataclass(frozen=True)
class Side:
    """A table in one database, under the contract that both should have."""

    warehouse: Warehouse
    target: Target
    dialect: Dialect

    @property
    def table(self) -> Table:
        return self.target.table

    @cached_property
    def name(self) -> str:
        """The quoted name of the table."""
        said = self.dialect.identifier
        return f"{said(self.target.schema)}.{said(self.target.table.name)}"

    @cached_property
    def row_hash(self) -> str:
        """SQL of the number that stands for a row."""
        return self.dialect.hash(self.table.columns)

    @cached_property
    def key_digits(self) -> str:
        """SQL of the hexadecimal digits that stand for a row's key; for a table without one, for the row."""
        return self.dialect.md5(self.key or self.table.columns)

    def bucket(self, digits: int) -> str:
        """SQL of the bucket that a row is in, one of 16 to the power of `digits`."""
        return f"RIGHT({self.key_digits}, {digits})"

    @cached_property
    def key(self) -> tuple[Column, ...]:
        return tuple(self.column(name) for name in self.table.key)

    def column(self, name: str) -> Column:
        """The contract's column of this name."""
        return next(column for column in self.table.columns if column.name == name)

    def rows(self, expressions: Sequence[str], slice_: Slice, rest: str = "", inner: Sequence[str] = ()) -> list[Row]:
        """The expressions' values for the slice. Numbers are asked for as text: each driver has types of its own.

        With `inner` the expressions are of its columns, which are computed first.
        """
        listed = ", ".join(f'{expression} AS "c{n}"' for n, expression in enumerate(expressions))
        source = f"{self.name} WHERE {self.dialect.predicate(slice_)}"
        if inner:
            source = f"(SELECT {', '.join([*inner, *self.dialect.fence])} FROM {source}) AS computed"  # noqa: S608
        found = self.warehouse.fetch(f"SELECT {listed} FROM {source}{rest}")  # noqa: S608
        return list(zip(*(column.to_pylist() for column in found.columns), strict=True))

    def columns(self) -> frozenset[str]:
        """Which of the contract's columns the table has, in their types; none where it is missing.

        In another type a value may have the text of another value, as a time of day that a date leaves out, or none.
        """
        if not self.warehouse.exists(self.target.schema, self.target.table.name):
            return frozenset()
        named = {self.dialect.stored(column.name): column for column in self.table.columns}
        where = " AND ".join(
            f"{column} = {self.dialect.literal(self.dialect.stored(name))}"
            for column, name in (("table_schema", self.target.schema), ("table_name", self.table.name))
        )
        question = f"SELECT {self.dialect.described} FROM {self.dialect.catalogue} WHERE {where}"  # noqa: S608
        found = self.warehouse.fetch(question)
        rows = found.rename_columns([name.upper() for name in found.column_names]).to_pylist()
        there = [(named[row["COLUMN_NAME"]], row) for row in rows if row["COLUMN_NAME"] in named]
        return frozenset(column.name for column, row in there if self.dialect.is_of(row, column.type))

    def reduced(self, names: frozenset[str]) -> Side:
        """The same table with only these columns; without its key, if they are not all of it."""
        table = self.table
        key = table.key if names.issuperset(table.key) else ()
        kept = replace(
            table, columns=tuple(c for c in table.columns if c.name in names), key=key, partition_column=None
        )
        return replace(self, target=replace(self.target, table=kept))


@dataclass(frozen=True)
class Pair:
    """The table in PostgreSQL and its mirror."""

    postgres: Side
    snowflake: Side

    def both(self, ask: Callable[[Side], Answer]) -> tuple[Answer, Answer]:
        """What both answer, asked at the same time."""
        with ThreadPoolExecutor(1) as other:
            there = other.submit(ask, self.snowflake)
            return ask(self.postgres), there.result()

    def reduced(self, names: frozenset[str]) -> Pair:
        return Pair(self.postgres.reduced(names), self.snowflake.reduced(names))
