"""What the contract suite asks of a warehouse backend beside the warehouse itself, and which backends there are.

A new backend adds a class with these promises and an entry in `BACKENDS`; no test of the suite changes. What it cannot
do it declares in `cannot`: such a test is then expected to fail, and one that passes after all is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

import pyarrow as pa
import pytest

from etl_assets.embedded import postgres as embedded_postgres
from etl_assets.io_managers.targets import Layout, Target
from etl_assets.io_managers.warehouses import Warehouse
from etl_assets_tests.conftest import empty_database
from etl_assets_tests.payments import Bank
from etl_assets_tests.postgres_backend import PostgresBackend
from etl_assets_tests.snowflake_backend import snowflake_backend
from etl_assets_tests.snowflake_live import live_snowflake


class Fault(Protocol):
    """One failure that waits for its statement."""

    @property
    def has_fired(self) -> bool: ...


class Backend(Protocol):
    """A backend in a database of its own, empty at first. Plain values, so that it can be sent to another process."""

    @property
    def layout(self) -> Layout: ...

    @property
    def slowness(self) -> float:
        """How many times as long as in PostgreSQL a write takes: tests repeat less, and wait longer for its middle."""

    @property
    def longest_name(self) -> int:
        """Bytes, or letters of ASCII, that a name may have."""

    @property
    def outlives_sessions(self) -> bool:
        """Whether a stream is written to its end though its session was lost, if it may be tried again."""

    @property
    def writers_queue(self) -> bool:
        """Whether a writer of a slice waits for one that has begun before it, and not only for its last step."""

    @property
    def holds_null_characters(self) -> bool:
        """Whether its text may have the character 0x00."""

    def refuses(self, kind: pa.DataType) -> bool:
        """Whether it has no exact type for it, though other backends have."""

    @property
    def cannot(self) -> Mapping[str, type[Exception]]:
        """By ability the refusal with which a test that needs it fails."""

    def warehouse(self, *, retry_for_s: float = 0, lock_timeout_s: float = 30) -> Warehouse: ...

    def with_wrong_password(self, password: str) -> Warehouse: ...

    def failing_at_statement(self, number: int) -> AbstractContextManager[Fault]:
        """In the block the connection is really lost just before a write's statement of this number, from 1 on."""

    def lose_connections(self) -> None:
        """Every session that a warehouse has is ended by the server."""

    def settle(self) -> None:
        """No writer of a dead process holds a lock any more; fails if one still does after some seconds."""

    def strangers(self, target: Target) -> set[str]:
        """The names of tables in the target's schema that are neither it, nor a part of it, nor its notes."""

    def clear(self) -> None:
        """Nothing was ever written."""

    def held_open(self, target: Target) -> AbstractContextManager[None]:
        """In the block a stranger's transaction that has read the table stays open."""


BACKENDS: Mapping[str, Callable[[pytest.FixtureRequest], Backend]] = {
    "postgres-plain": lambda request: _postgres(request, Layout.PLAIN),
    "postgres-partitioned": lambda request: _postgres(request, Layout.PARTITIONED),
    "snowflake": snowflake_backend,
    "snowflake-live": live_snowflake,
}
ASKED_FOR = {"snowflake-live": pytest.mark.live_snowflake}
"""By backend the mark without which no test goes there."""


def _postgres(request: pytest.FixtureRequest, layout: Layout) -> Backend:
    return PostgresBackend(request.getfixturevalue("suite_database"), layout)


@pytest.fixture(scope="module", name="suite_database")
def a_suite_database(server: embedded_postgres.Server) -> Iterator[str]:
    """One for a module: making one for each test would take longer than most tests."""
    with empty_database(server) as url:
        yield url


@pytest.fixture(name="backend", params=[pytest.param(name, marks=ASKED_FOR.get(name, ())) for name in BACKENDS])
def a_backend(request: pytest.FixtureRequest) -> Backend:
    backend = BACKENDS[request.param](request)
    backend.clear()
    ability = getattr(request.function, "needs", "")
    if ability and ability in backend.cannot:
        reason = f"{request.param} cannot: {ability}"
        request.node.add_marker(pytest.mark.xfail(strict=True, raises=backend.cannot[ability], reason=reason))
    return backend


@pytest.fixture(name="bank")
def a_bank(backend: Backend) -> Bank:
    """Payments in the backend; a lost connection is not tried again."""
    return Bank.of(backend.warehouse(), backend.layout)
