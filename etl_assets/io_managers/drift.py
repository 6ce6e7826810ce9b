"""A table as a database has it, compared with its contract. Names and types only; the database is the callers'."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from etl_assets.contracts import Column
from etl_assets.io_managers.errors import SchemaDrifted
from etl_assets.io_managers.targets import Drift, Layout, Target


@dataclass(frozen=True)
class Found:
    """A table in the catalogue: columns with their types as printed, the key, whether it is partitioned.

    `instead` is what has the table's name, where that is none: a view can be read, and not written.
    """

    types: dict[str, str]
    not_null: frozenset[str]
    key: tuple[str, ...]
    is_partitioned: bool
    instead: str = ""


def lacking(target: Target, found: Found, sql_type: Callable[[pa.DataType], str]) -> list[Column]:
    """The contract's columns that the table lacks and may get. Raises: SchemaDrifted for every other difference."""
    if found.instead:
        raise SchemaDrifted(
            f"{target.name} is a {found.instead} in the database, and not a table: nothing was written. Rename or drop "
            f"the {found.instead}, and the next write makes the table; or give the asset another name"
        )
    wanted = {column.name: sql_type(column.type) for column in target.table.columns}
    missing = [column for column in target.table.columns if column.name not in found.types]
    extra = [name for name in found.types if name not in wanted]
    may_add = target.drift is Drift.ADD
    problems = {
        "lacks the columns": [c.name for c in missing if not may_add or c.name in target.table.required],
        "has columns of its own": [name for name in extra if not may_add or name in found.not_null],
        "has other types in": [
            f"{name}: {found.types[name]} instead of {kind}"
            for name, kind in wanted.items()
            if name in found.types and found.types[name] != kind
        ],
        "has another key": [] if found.key == target.table.key else [list(found.key)],
        "has another layout": [] if found.is_partitioned == (target.layout is Layout.PARTITIONED) else [target.layout],
    }
    if said := [f"{problem} {names}" for problem, names in problems.items() if names]:
        raise SchemaDrifted(
            f"{target.name} in the database is not what its contract says: it {', it '.join(said)}. Migrate the "
            f"table or the contract; `schema_drift: add` adds nullable columns by itself"
        )
    return missing
