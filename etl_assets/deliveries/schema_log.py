"""The log of schema events: every header that differs from that of the delivery before, in a table.

What counts as a difference belongs to `schema_drift.py`, which deliveries there are to `ledger.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pyarrow as pa
from psycopg import sql

from etl_assets.contracts import Table
from etl_assets.deliveries.schema_drift import events
from etl_assets.institution_spec import InstitutionSpec
from etl_assets.io_managers.postgres.connections import Connection
from etl_assets.io_managers.postgres.schema import create
from etl_assets.io_managers.postgres.statements import lock
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.postgres.writing import Write
from etl_assets.io_managers.slices import WHOLE
from etl_assets.io_managers.targets import Drift, Mode, Target
from etl_assets.ledger_tables import DELIVERIES, SCHEMA_EVENTS

REPEATED = "redelivered"
CHANGED = """
    WITH headers AS (
        SELECT _delivery_id, business_date, delivered_at, path, md5(titles) AS header
        FROM {ledger} WHERE problem IS NULL AND titles IS NOT NULL AND state <> %s OFFSET 0),
    pairs AS (
        SELECT _delivery_id, header, lag(_delivery_id) OVER in_time AS before_id, lag(header) OVER in_time AS before
        FROM headers WINDOW in_time AS (ORDER BY business_date, delivered_at, path))
    SELECT now._delivery_id, now.business_date, now.titles, earlier.titles
    FROM pairs JOIN {ledger} now USING (_delivery_id) JOIN {ledger} earlier ON earlier._delivery_id = before_id
    WHERE header <> before"""
"""All headers of two years are put in order at each run: as hashes they fit into memory, OFFSET 0 keeps them so."""


@dataclass(frozen=True)
class SchemaLog:
    """The schema events of one institution."""

    warehouse: PostgresWarehouse
    spec: InstitutionSpec

    def record(self, run_id: str) -> None:
        """The log holds the events that follow from the ledger, however often and in whatever order it was filled.

        All of them are worked out again: a file that arrives late changes what the one after it differs from. An
        event that was known keeps its time and its run. Files that repeat another one say nothing about the bank's
        headers of today.
        """
        self.warehouse.connections.run(lambda connection: self._record(connection, run_id))

    def _record(self, connection: Connection, run_id: str) -> None:
        target, ledger = self._at(SCHEMA_EVENTS), self._at(DELIVERIES)
        create(connection, target, WHOLE)
        create(connection, ledger, WHOLE)
        lock(connection, target, WHOLE)
        noticed = {row[:-2]: row[-2:] for row in connection.execute(_selected(target))}
        now = (datetime.now(UTC), run_id)
        found = [(*event, *noticed.get(event, now)) for event in self._events(connection, ledger)]
        if {event[:-2] for event in found} == noticed.keys():
            return
        names = SCHEMA_EVENTS.schema.names
        rows = pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in found], schema=SCHEMA_EVENTS.schema)
        write = Write(target, WHOLE, run_id, Mode.REPLACE_TABLE)
        write.perform(connection, [rows], self.warehouse.lock_timeout_s)

    def _events(self, connection: Connection, ledger: Target) -> Iterator[tuple[Any, ...]]:
        compared = cache(lambda before, titles: events(json.loads(before), json.loads(titles), self.spec))
        changed = connection.execute(sql.SQL(CHANGED).format(ledger=_named(ledger)), [REPEATED])
        for delivery_id, business_date, titles, before in changed.fetchall():
            for event in compared(before, titles):
                yield delivery_id, business_date, event.kind, event.column, event.was, event.is_

    def _at(self, table: Table) -> Target:
        return Target(self.spec.institution, table, drift=Drift.ADD)


def as_json(titles: Mapping[str, str]) -> str | None:
    """The header as the ledger holds it, the same for any order of columns; null where there is none."""
    return json.dumps(titles, ensure_ascii=False, sort_keys=True) if titles else None


def _selected(target: Target) -> sql.Composed:
    names = sql.SQL(", ").join(map(sql.Identifier, target.table.schema.names))
    return sql.SQL("SELECT {} FROM {}").format(names, _named(target))


def _named(target: Target) -> sql.Identifier:
    return sql.Identifier(target.schema, target.table.name)
