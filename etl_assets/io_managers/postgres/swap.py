"""Slices of partitioned tables: each partition is built aside as a table of its own and swapped in.

A million rows cost a load and an index build, not a delete, a load into a live index and a vacuum.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
from psycopg import sql

from etl_assets.contracts import quoted
from etl_assets.io_managers.drift import Found
from etl_assets.io_managers.postgres.connections import Connection
from etl_assets.io_managers.postgres.schema import INDEX_MEMORY, find, qualified, sql_name
from etl_assets.io_managers.postgres.statements import copy
from etl_assets.io_managers.slices import Counts, Dimension, Part, Positions
from etl_assets.io_managers.targets import Target

WAIT_S, PAUSE_S = 1.0, 0.2


def swap_in(connection: Connection, target: Target, counts: Counts, batches: Iterable[pa.Table], for_s: float) -> None:
    """The slice's partitions are new tables that hold exactly the rows; the old ones are gone.

    All in one transaction: a writer that dies leaves neither half-loaded tables nor a gap. The parent is locked only
    at the end, when all rows are in, and given free again each second while readers use it: whoever waits for this
    lock holds up every later reader. Nothing before it touches the parent, or two writers would wait for each other.

    Raises: psycopg's LockNotAvailable where readers hold the table for longer than `for_s`.
    """
    dimension, columns = counts.slice.dimensions[0], _columns(connection, target)
    aside = [f"{_name(target, part)}_new" for part in dimension.parts]
    for name, part in zip(aside, dimension.parts, strict=True):
        connection.execute(f"CREATE TABLE {qualified(target.schema, name)} ({columns})")
        _bound(connection, sql.Identifier(target.schema, name), dimension, part)
    pieces = (piece for batch in batches for piece in _split(batch, counts.add(batch)))
    for position, of_one in groupby(pieces, key=itemgetter(0)):
        rows = (piece for _, piece in of_one)
        copy(connection, qualified(target.schema, aside[position]), rows, target.table, ", FREEZE")
    if target.table.key:
        connection.execute(f"SET LOCAL maintenance_work_mem = '{INDEX_MEMORY}'")
        key = ", ".join(quoted(column) for column in target.table.key)
        for name in aside:
            connection.execute(f"ALTER TABLE {qualified(target.schema, name)} ADD PRIMARY KEY ({key})")
    _lock_parent(connection, target, for_s)
    for name, part in zip(aside, dimension.parts, strict=True):
        _swap(connection, target, dimension, part, name)


def _name(target: Target, part: Part) -> str:
    """The same for the same partition, so that its old table is found; within PostgreSQL's 63 bytes."""
    digest = hashlib.sha256(f"{target.table.name}/{part.key}".encode()).hexdigest()[:16]
    return f"{target.table.name.encode()[:40].decode(errors='ignore')}_{digest}"


def _columns(connection: Connection, target: Target) -> str:
    """The parent's columns as it has them now, which drift may have made more than the contract's."""
    found = find(connection, target.schema, target.table.name) or Found({}, frozenset(), (), is_partitioned=True)
    return ", ".join(
        f"{quoted(name)} {kind}{' NOT NULL' if name in found.not_null else ''}" for name, kind in found.types.items()
    )


def _bound(connection: Connection, table: sql.Identifier, dimension: Dimension, part: Part) -> None:
    """The table may hold this partition's rows only; the parent then takes it without reading it."""
    column = sql.Identifier(dimension.column)
    if part.end is None:
        bounds = sql.SQL("{} = {}").format(column, part.start)
    else:
        bounds = sql.SQL("{} >= {} AND {} < {}").format(column, part.start, column, part.end)
    check = sql.SQL("ALTER TABLE {} ADD CONSTRAINT slice CHECK ({} IS NOT NULL AND {})")
    connection.execute(check.format(table, column, bounds))


def _split(batch: pa.Table, positions: Positions) -> Iterator[tuple[int, pa.Table]]:
    """The batch's rows by partition, in their order."""
    for position in np.unique(positions).tolist():
        is_here = positions == position
        yield position, batch if is_here.all() else batch.filter(pa.array(is_here))


def _lock_parent(connection: Connection, target: Target, for_s: float) -> None:
    until = time.monotonic() + for_s
    while True:
        try:
            with connection.transaction():
                connection.execute("SELECT set_config('lock_timeout', %s, true)", [f"{int(WAIT_S * 1000)}ms"])
                connection.execute(f"LOCK TABLE {sql_name(target)} IN ACCESS EXCLUSIVE MODE")
        except psycopg.errors.LockNotAvailable:
            if time.monotonic() > until:
                raise
            time.sleep(PAUSE_S)
        else:
            return


def _swap(connection: Connection, target: Target, dimension: Dimension, part: Part, name: str) -> None:
    parent, new = sql.Identifier(target.schema, target.table.name), sql.Identifier(target.schema, name)
    old = sql.Identifier(target.schema, _name(target, part))
    if _exists(connection, target, part):
        connection.execute(sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(parent, old))
        connection.execute(sql.SQL("DROP TABLE {}").format(old))
    attach = sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES {}")
    connection.execute(attach.format(parent, new, _bounds(dimension, part)))
    connection.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT slice").format(new))
    connection.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(new, sql.Identifier(_name(target, part))))


def _exists(connection: Connection, target: Target, part: Part) -> bool:
    row: Any = connection.execute(
        "SELECT to_regclass(%s) IS NOT NULL", [qualified(target.schema, _name(target, part))]
    ).fetchone()
    return bool(row[0])


def _bounds(dimension: Dimension, part: Part) -> sql.Composable:
    if not dimension.is_window:
        return sql.SQL("IN ({})").format(part.start)
    return sql.SQL("FROM ({}) TO ({})").format(part.start, part.end)
