"""A table as data: from one `Table` come the DDL, the Arrow schema, the checks, the empty frame, the dictionary.

Generic: not a word of transactions and no database driver. What tables the platform has is in `tables.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

EXTENSIONS = {str(kind): kind for kind in (pa.json_(), pa.uuid())}


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
        asked = (*self.key, self.partition_column) if self.partition_column else self.key
        self._refuse(
            {
                "columns named twice": _twice(names),
                "key columns named twice": _twice(self.key),
                "unknown key columns": [name for name in asked if name not in names],
                "no columns in": [] if names else [self.name],
            }
        )

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
        """`rows` by name, in this table's order and exact types, its key unique.

        By name, because a reordered column of the same type would otherwise be stored as its neighbour.
        Raises ContractBroken for a missing, unknown or repeated column, a cast that is not exact, a null in a
        required column or a repeated key.
        """
        return self._kept(rows, is_whole=True)

    def shape(self, rows: pa.Table) -> pa.Table:
        """What `conform` gives, for a batch of rows: whether the key is unique shows only in all of them."""
        return self._kept(rows, is_whole=False)

    def _kept(self, rows: pa.Table, *, is_whole: bool) -> pa.Table:
        self.expect(rows.column_names)
        table = pa.table([self._cast(rows, column) for column in self.columns], names=self.schema.names)
        missing = {name: table[name].null_count for name in sorted(self.required)}
        problems = [f"column {name} is required and is null in {n} rows" for name, n in missing.items() if n]
        if is_whole and self.key and (repeated := repeated_keys(table, self.key)):
            problems.append(f"key ({', '.join(self.key)}) is not unique: {repeated} rows repeat another")
        if problems:
            raise ContractBroken(f"table {self.name}: " + "; ".join(problems))
        return table.cast(self.schema)

    def expect(self, found: Sequence[str]) -> None:
        """The columns are this table's, in any order. Raises: ContractBroken."""
        wanted = self.schema.names
        self._refuse(
            {
                "missing columns": [name for name in wanted if name not in found],
                "unknown columns": [name for name in found if name not in wanted],
                "repeated columns": _twice(found),
            }
        )

    def _refuse(self, problems: Mapping[str, Sequence[str]]) -> None:
        if said := [f"{problem} {list(names)}" for problem, names in problems.items() if names]:
            raise ContractBroken(f"table {self.name}: " + ", ".join(said))

    def _cast(self, rows: pa.Table, column: Column) -> pa.ChunkedArray:
        try:
            return exactly(rows[column.name], column.type)
        except pa.ArrowException:
            found = rows[column.name].type
            raise ContractBroken(
                f"table {self.name}, column {column.name}: {found} does not fit {column.type} without loss"
            ) from None  # Arrow's own message quotes the value

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
        cells = (
            (
                f"`{c.name}`{' (key)' if c.name in self.key else ''}",
                f"{c.type}{', required' if c.name in self.required else ''}",
                c.unit or "",
                c.description,
            )
            for c in self.columns
        )
        return head + "\n".join(f"| {' | '.join(map(_cell, row))} |" for row in cells)


def exactly(values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """The values as `kind`, each the same as before.

    Arrow's own safe cast is not: it rounds floats to decimals, drops a timestamp's time of day, reads 012 as 12,
    takes every number but 0 for true and a clock without a zone for UTC.

    Raises: pyarrow.ArrowException where one would change or would have to be guessed.
    """
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if values.type == kind:
        return values
    if isinstance(values.type, pa.BaseExtensionType) and isinstance(kind, pa.BaseExtensionType):
        values = values.cast(values.type.storage_type)  # Polars' JSON is the same type on another text
    cast = _cast(values, kind)
    if values.null_count == len(values):
        return cast
    are_temporal = pa.types.is_temporal(values.type) and pa.types.is_temporal(kind)
    if are_temporal and _is_instant(values.type) != _is_instant(kind):
        raise pa.ArrowInvalid("which instant a clock shows depends on its zone")
    if not _comparable(_cast(cast, values.type)).equals(_comparable(values)):
        raise pa.ArrowInvalid("cast back, the values are others")
    return cast


def _cast(values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """From decimals to floats by way of text: Arrow multiplies 3 by 0.0001, which is not the float nearest 0.0003."""
    by_text = pa.types.is_decimal(values.type) and pa.types.is_floating(kind)
    return (values.cast(pa.string()) if by_text else values).cast(kind)


def _is_instant(kind: pa.DataType) -> bool:
    return pa.types.is_timestamp(kind) and kind.tz is not None


def _comparable(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """With null for NaN, which is not equal to itself."""
    is_float = pa.types.is_floating(values.type)
    return pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values) if is_float else values


def _cell(text: str) -> str:
    """Text that stays in its cell of a Markdown table."""
    return text.replace("\n", " ").replace("|", r"\|")


def _twice(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def arrow_type(text: str) -> pa.DataType:
    """The type that Arrow prints as `text`; Arrow itself reads back only the simple ones.

    Raises: ContractBroken for a nested type, which no table of ours has.
    """
    if decimal := re.fullmatch(r"(decimal(?:32|64|128|256))\((\d+), (-?\d+)\)", text):
        return getattr(pa, decimal[1])(int(decimal[2]), int(decimal[3]))
    if extension := EXTENSIONS.get(text):
        return extension
    if sized := re.fullmatch(r"fixed_size_binary\[(\d+)\]", text):
        return pa.binary(int(sized[1]))
    if zoned := re.fullmatch(r"timestamp\[(s|ms|us|ns), tz=(.+)\]", text):
        return pa.timestamp(zoned[1], zoned[2])
    try:
        return pa.type_for_alias(text)
    except ValueError as error:
        raise ContractBroken(f"no column of a table can have Arrow's type {text}") from error


def quoted(identifier: str) -> str:
    """The identifier in double quotes, so that no name from a file can become SQL."""
    return '"' + identifier.replace('"', '""') + '"'


def _groupable(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """The values as one of the types that Arrow can group by."""
    if isinstance(values.type, pa.BaseExtensionType):
        return values.cast(values.type.storage_type)
    views = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}
    return values.cast(views.get(values.type, values.type))


def repeated_keys(rows: pa.Table, key: tuple[str, ...]) -> int:
    """How many rows have a key that an earlier row has; rows with a null in the key are not counted."""
    keyed = pa.table({name: _groupable(rows[name]) for name in key}).drop_null()
    counts = keyed.group_by(list(key)).aggregate([([], "count_all")])["count_all"]
    return int(pc.sum(pc.subtract(counts, 1)).as_py() or 0)
