"""A table as data: from one `Table` come the DDL, the Arrow schema, the checks, the empty frame, the dictionary.

Generic: not a word of transactions and no database driver. What tables the platform has is in `tables.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


class ContractBroken(ValueError):  # noqa: N818  a broken contract is the fact; "Error" would add nothing
    """The rows do not have the shape that the table promises; nothing was written."""


@dataclass(frozen=True)
class Column:
    """One column: its Arrow type, whether a value must be there, and what it means to a reader."""

    name: str
    type: pa.DataType
    description: str
    required: bool = False
    unit: str | None = None


@dataclass(frozen=True)
class Table:
    """A table that several rooms agree on. `key` is unique; `partition_column` says which slice a row is in."""

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    partition_column: str | None = None

    def __post_init__(self) -> None:
        """Refuse a table that cannot exist, where it is written down rather than where it is first used."""
        names = [column.name for column in self.columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        unknown = [n for n in (*self.key, self.partition_column or names[0]) if n not in names]
        if twice or unknown:
            raise ContractBroken(f"table {self.name}: columns named twice {twice}, unknown key columns {unknown}")

    @cached_property
    def required(self) -> frozenset[str]:
        """Names of the columns in which every row has a value: those declared so, and the key."""
        return frozenset(c.name for c in self.columns if c.required) | frozenset(self.key)

    @cached_property
    def schema(self) -> pa.Schema:
        """The Arrow schema, required columns as non-nullable fields."""
        return pa.schema([pa.field(c.name, c.type, nullable=c.name not in self.required) for c in self.columns])

    def empty(self) -> pa.Table:
        """No rows, all types: what a day without transactions looks like to code that computes."""
        return self.schema.empty_table()

    def conform(self, rows: pa.Table) -> pa.Table:
        """`rows` by name, in this table's order and exact types.

        By name, because a reordered column of the same type would otherwise be stored as its neighbour.
        Raises ContractBroken for a missing or unknown column, a cast that would lose something, a null in a
        required column or a repeated key.
        """
        self._refuse_other_columns(rows.column_names)
        arrays = [self._cast(rows, column) for column in self.columns]
        table = pa.table(arrays, names=self.schema.names)
        if problems := list(self.violations(table)):
            raise ContractBroken(f"table {self.name}: " + "; ".join(problems))
        return table.cast(self.schema)

    def violations(self, rows: pa.Table) -> Iterator[str]:
        """Each promise of the contract that `rows` break, in words, with the number of rows."""
        for name in sorted(self.required):
            if missing := rows[name].null_count:
                yield f"column {name} is required and is null in {missing} rows"
        if self.key and (repeated := repeated_keys(rows, self.key)):
            yield f"key ({', '.join(self.key)}) is not unique: {repeated} rows repeat another"

    def _refuse_other_columns(self, names: list[str]) -> None:
        missing = [name for name in self.schema.names if name not in names]
        unknown = [name for name in names if name not in self.schema.names]
        if missing or unknown:
            raise ContractBroken(f"table {self.name}: missing columns {missing}, unknown columns {unknown}")

    def _cast(self, rows: pa.Table, column: Column) -> pa.ChunkedArray:
        try:
            return rows[column.name].cast(column.type, safe=True)
        except pa.ArrowException as error:
            found = rows[column.name].type
            raise ContractBroken(
                f"table {self.name}, column {column.name}: {found} does not fit {column.type} without loss"
            ) from error

    def ddl(self, qualified_name: str, sql_type: Callable[[pa.DataType], str]) -> str:
        """`CREATE TABLE IF NOT EXISTS` in the dialect that `sql_type` speaks; identifiers are quoted."""
        lines = [
            f"{quoted(c.name)} {sql_type(c.type)}{' NOT NULL' if c.name in self.required else ''}" for c in self.columns
        ]
        if self.key:
            lines.append(f"PRIMARY KEY ({', '.join(quoted(name) for name in self.key)})")
        return f"CREATE TABLE IF NOT EXISTS {qualified_name} (\n  " + ",\n  ".join(lines) + "\n)"

    def to_dict(self) -> dict[str, Any]:
        """The contract as plain JSON values, for metadata; `from_dict` gives it back."""
        return asdict(self) | {"columns": [asdict(c) | {"type": str(c.type)} for c in self.columns]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Table:
        """The table that `to_dict` described."""
        columns = tuple(Column(**c | {"type": arrow_type(c["type"])}) for c in values["columns"])
        return cls(**{**values, "columns": columns, "key": tuple(values["key"])})

    def dictionary(self) -> str:
        """The data dictionary of this table as Markdown."""
        head = f"### {self.name}\n\n{self.description}\n\n| column | type | unit | meaning |\n|---|---|---|---|\n"
        return head + "\n".join(
            f"| `{c.name}`{' (key)' if c.name in self.key else ''} | {c.type}"
            f"{', required' if c.name in self.required else ''} | {c.unit or ''} | {c.description} |"
            for c in self.columns
        )


def arrow_type(text: str) -> pa.DataType:
    """The type that Arrow prints as `text`; Arrow itself reads back only the simple ones."""
    if decimal := re.fullmatch(r"decimal128\((\d+), (\d+)\)", text):
        return pa.decimal128(int(decimal[1]), int(decimal[2]))
    if zoned := re.fullmatch(r"timestamp\[(s|ms|us|ns), tz=(.+)\]", text):
        return pa.timestamp(zoned[1], zoned[2])
    return pa.type_for_alias(text)


def quoted(identifier: str) -> str:
    """The identifier in double quotes, so that no name from a file can become SQL."""
    return '"' + identifier.replace('"', '""') + '"'


def repeated_keys(rows: pa.Table, key: tuple[str, ...]) -> int:
    """How many rows have a key that an earlier row has; rows with a null in the key are not counted."""
    keyed = rows.select(list(key)).drop_null()
    counts = keyed.group_by(list(key)).aggregate([([], "count_all")])["count_all"]
    return int(pc.sum(pc.subtract(counts, 1)).as_py() or 0)
