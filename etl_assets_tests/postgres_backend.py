"""PostgreSQL as a backend of the contract suite: faults, leftovers and locks, asked of the server itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from unittest.mock import patch

import psycopg
import pyarrow as pa
from psycopg import sql

from etl_assets.io_managers.errors import Permanent, Unavailable
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.targets import Layout, Target
from etl_assets_tests.abilities import Ability

STATEMENTS = ((psycopg.Cursor, "execute"), (psycopg.Cursor, "copy"), (psycopg.Connection, "commit"))
OURS, PING = "etl_assets", ""
CANNOT: Mapping[Layout, Mapping[str, type[Exception]]] = MappingProxyType(
    {
        Layout.PLAIN: {},
        Layout.PARTITIONED: {
            Ability.APPEND: Permanent,
            Ability.UPSERT: Permanent,
            Ability.REPLACE_TABLE: Permanent,
            Ability.RECTANGLES: Permanent,
            Ability.WRITES_UNDER_READERS: Unavailable,
        },
    }
)


@dataclass
class LostConnection:
    """The server ends the session that is about to say its statement of this number; later ones pass."""

    url: str
    number: int
    seen: int = 0
    has_fired: bool = False

    def before(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """The method of a cursor or connection, preceded by the fault where it is the statement's turn."""

        def statement(speaker: Any, *said: Any, **how: Any) -> Any:
            connection = getattr(speaker, "connection", speaker)
            if said[:1] != (PING,) and _is_ours(connection):
                self._count(connection)
            return original(speaker, *said, **how)

        return statement

    def _count(self, connection: psycopg.Connection[Any]) -> None:
        self.seen += 1
        if self.seen == self.number:
            self.has_fired = True
            _ask(self.url, "SELECT pg_terminate_backend(%s, 5000)", connection.info.backend_pid)


@dataclass(frozen=True)
class PostgresBackend:
    """One layout in one database."""

    url: str
    layout: Layout
    slowness: float = 1
    longest_name: int = 63
    outlives_sessions: bool = False
    writers_queue: bool = True
    holds_null_characters: bool = False

    @property
    def cannot(self) -> Mapping[str, type[Exception]]:
        return CANNOT[self.layout]

    def refuses(self, kind: pa.DataType) -> bool:  # noqa: ARG002  the other backends have their exceptions
        return False

    def warehouse(self, *, retry_for_s: float = 0, lock_timeout_s: float = 30) -> PostgresWarehouse:
        return PostgresWarehouse(url=self.url, retry_for_s=retry_for_s, lock_timeout_s=lock_timeout_s)

    def with_wrong_password(self, password: str) -> PostgresWarehouse:
        user, _, rest = self.url.partition("//")[2].partition(":")
        return PostgresWarehouse(url=f"postgresql://{user}:{password}@{rest.partition('@')[2]}")

    @contextmanager
    def failing_at_statement(self, number: int) -> Iterator[LostConnection]:
        fault = LostConnection(self.url, number)
        with ExitStack() as patches:
            for owner, name in STATEMENTS:
                patches.enter_context(patch.object(owner, name, fault.before(getattr(owner, name))))
            yield fault

    def lose_connections(self) -> None:
        _ask(self.url, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s", OURS)

    def settle(self) -> None:
        until = time.monotonic() + 10
        while held := self.locks():
            assert time.monotonic() < until, f"locks that nobody gives back: {held}"
            time.sleep(0.002)

    def locks(self) -> list[tuple[Any, ...]]:
        """What other sessions hold or wait for in this database."""
        return _ask(
            self.url,
            "SELECT locktype, mode, granted, pid FROM pg_locks WHERE pid <> pg_backend_pid() AND database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database())",
        )

    def strangers(self, target: Target) -> set[str]:
        found = _ask(
            self.url,
            "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident(%s)) "
            "AND relkind IN ('r', 'p') AND oid NOT IN (SELECT inhrelid FROM pg_inherits)",
            target.schema,
        )
        return {name for (name,) in found} - {target.table.name, "_slices"}

    def clear(self) -> None:
        made = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema|public$)'"
        with psycopg.connect(self.url, options="-c lock_timeout=10s") as connection:
            for (schema,) in connection.execute(made).fetchall():
                connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))

    @contextmanager
    def held_open(self, target: Target) -> Iterator[None]:
        with psycopg.connect(self.url) as connection:
            connection.execute(sql.SQL("SELECT count(*) FROM {}").format(_name(target)))
            yield


def _name(target: Target) -> sql.Identifier:
    return sql.Identifier(target.schema, target.table.name)


def _is_ours(connection: psycopg.Connection[Any]) -> bool:
    return not connection.closed and connection.info.parameter_status("application_name") == OURS


def _ask(url: str, question: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(question, values).fetchall()
