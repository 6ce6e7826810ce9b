"""Snowflake as a backend of the contract suite: faults, leftovers and locks, by the protocol that the connector speaks.

What a session is to the server, only its token says. Each process writes down those of its sessions, so that they can
be ended by another one: a killed writer cannot, and Snowflake itself takes minutes to notice.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from types import MappingProxyType
from typing import Any
from unittest.mock import patch
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil
import pyarrow as pa
import pytest
from snowflake.connector.cursor import SnowflakeCursorBase

from etl_assets.embedded.snowflake import Server
from etl_assets.io_managers.errors import Refused
from etl_assets.io_managers.snowflake import connections as snowflake_connections
from etl_assets.io_managers.snowflake.connections import Session
from etl_assets.io_managers.snowflake.names import identifier, sql_name, stored
from etl_assets.io_managers.snowflake.schema import NOTES
from etl_assets.io_managers.snowflake.sql import asked, literal, say
from etl_assets.io_managers.snowflake.warehouse import SnowflakeWarehouse
from etl_assets.io_managers.snowflake.writing import LONGEST_NAME
from etl_assets.io_managers.targets import Layout, Target
from etl_assets_tests.abilities import Ability

# After the commit, and tried once: what they lose is swept another time. The pool asks sessions how they are.
_databases: dict[int, SnowflakeBackend] = {}
TIDYING = ("DROP TABLE IF EXISTS _STAGING.", "SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES", "ALTER SESSION")
CANNOT: Mapping[str, type[Exception]] = MappingProxyType(
    {
        # fakesnow puts the name of a schema into statements of its own without quoting it.
        Ability.ANY_SCHEMA: Refused,
    }
)


@dataclass
class LostConnection:
    """The server ends the session that is about to say its statement of this number; later ones pass."""

    backend: SnowflakeBackend
    number: int
    seen: int = 0
    has_fired: bool = False

    def before(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(original)
        def statement(cursor: Any, command: str, *said: Any, **how: Any) -> Any:
            if not command.startswith(TIDYING) and cursor.connection.database == self.backend.database:
                self.seen += 1
                if self.seen == self.number:
                    self.has_fired = True
                    self.backend.end(_token(cursor.connection))
            return original(cursor, command, *said, **how)

        return statement


@dataclass(frozen=True)
class SnowflakeBackend:
    """One database of one account."""

    server: Server
    database: str
    folder: Path
    layout: Layout = Layout.PLAIN
    slowness: float = 8
    longest_name: int = LONGEST_NAME
    outlives_sessions: bool = True
    writers_queue: bool = False
    holds_null_characters: bool = True

    @property
    def cannot(self) -> Mapping[str, type[Exception]]:
        return CANNOT

    @property
    def door(self) -> str:
        """Where sessions begin and end."""
        return f"http://{self.server.parameters['host']}:{self.server.port}"

    def refuses(self, kind: pa.DataType) -> bool:
        """NUMBER has 38 digits and up to 37 decimal places, none of them before the point."""
        return pa.types.is_decimal(kind) and (
            max(kind.precision, kind.scale) - min(kind.scale, 0) > 38 or kind.scale > 37
        )

    def warehouse(self, *, retry_for_s: float = 0, lock_timeout_s: float = 30) -> SnowflakeWarehouse:
        _write_down_sessions(self.folder)
        return self._with(retry_for_s=retry_for_s, lock_timeout_s=lock_timeout_s)

    def with_wrong_password(self, password: str) -> SnowflakeWarehouse:
        return self._with(password=password)

    def _with(self, **changed: Any) -> SnowflakeWarehouse:
        said = {**self.server.parameters, "database": self.database, "allow_password": True, **changed}
        return SnowflakeWarehouse(**said)

    @contextmanager
    def failing_at_statement(self, number: int) -> Iterator[LostConnection]:
        fault = LostConnection(self, number)
        with patch.object(SnowflakeCursorBase, "execute", fault.before(SnowflakeCursorBase.execute)):
            yield fault

    def lose_connections(self) -> None:
        for token in self._tokens(os.getpid()):
            self.end(token)

    def settle(self) -> None:
        time.sleep(0.05)  # what a dead process has sent goes on in the server
        for file in self.folder.iterdir():
            if not psutil.pid_exists(int(file.name)):
                for token in self._tokens(int(file.name)):
                    self.end(token)
                file.unlink()

    def end(self, token: str) -> None:
        """The session is over, as far as there was one; what it had not committed is gone."""
        said = {"Authorization": f'Snowflake Token="{token}"', "Content-Type": "application/json"}
        request = Request(f"{self.door}/session?delete=true", b"{}", said)  # noqa: S310
        with suppress(HTTPError):
            urlopen(request, timeout=20).close()  # noqa: S310

    def _tokens(self, process: int) -> list[str]:
        file = self.folder / str(process)
        return file.read_text().split() if file.exists() else []

    def strangers(self, target: Target) -> set[str]:
        return self._tables(target.schema) - {target.table.name, NOTES + target.table.name}

    def staged(self) -> set[str]:
        """The staging tables that are there."""
        return self._tables("_staging")

    def _tables(self, schema: str) -> set[str]:
        there = f"SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = {literal(stored(schema))}"
        return {stored(row["TABLE_NAME"]) for row in self._ask(there)}

    def clear(self) -> None:
        kept = {"INFORMATION_SCHEMA", "PUBLIC"}
        for row in self._ask("SELECT SCHEMA_NAME FROM INFORMATION_SCHEMA.SCHEMATA"):
            if row["SCHEMA_NAME"] not in kept:
                self._say(f"DROP SCHEMA {identifier(stored(row['SCHEMA_NAME']))} CASCADE")

    @contextmanager
    def held_open(self, target: Target) -> Iterator[None]:
        with self._with().connections.session() as session:
            say(session, "BEGIN")
            say(session, f"SELECT COUNT(*) FROM {sql_name(target)}")
            yield
            say(session, "ROLLBACK")

    def _ask(self, question: str) -> list[dict[str, Any]]:
        return self._with(retry_for_s=5).connections.run(lambda session: asked(session, question))

    def _say(self, statement: str) -> int:
        return self._with(retry_for_s=5).connections.run(lambda session: say(session, statement))


def snowflake_backend(request: pytest.FixtureRequest) -> SnowflakeBackend:
    """All of a session's tests have one database, and clear it: it ends with the server."""
    server: Server = request.getfixturevalue("snowflake_server")
    if server.port not in _databases:
        folder: Path = request.getfixturevalue("tmp_path_factory").mktemp("sessions")
        _databases[server.port] = SnowflakeBackend(server, "SUITE", folder)
        with SnowflakeWarehouse(**server.parameters, allow_password=True).connections.session() as session:
            say(session, "CREATE DATABASE SUITE")
    return _databases[server.port]


def _token(connection: Session) -> str:
    assert connection.rest
    return str(connection.rest.token)


def _write_down_sessions(folder: Path) -> None:
    """From now on this process writes down the token of each session that a warehouse opens."""
    opened = snowflake_connections.opened
    if hasattr(opened, "__wrapped__"):
        return

    @wraps(opened)
    def written_down(*said: Any) -> Session:
        session = opened(*said)
        with (folder / str(os.getpid())).open("a") as file:
            file.write(f"{_token(session)}\n")
        return session

    snowflake_connections.opened = written_down
