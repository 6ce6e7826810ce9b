"""Connections to one PostgreSQL server: pooled, bounded in time, lost ones replaced, transactions done once or not.

Generic: what is said over a connection belongs to the callers.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, TypeVar

import psycopg
from adbc_driver_postgresql import dbapi as adbc
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import QueuePool

from etl_assets.io_managers.errors import OutcomeUnknown, Refused, Unavailable
from etl_assets.io_managers.postgres.errors import translated
from etl_assets.io_managers.retries import retried

Connection = psycopg.Connection[tuple[Any, ...]]
Result = TypeVar("Result")
POOL_SIZE, RECYCLE_S = 8, 600
ASK_FOR_S = 10
LOCAL = ("", "localhost", "127.0.0.1", "::1")
_pools: dict[tuple[object, ...], QueuePool] = {}


@dataclass(frozen=True)
class Connections:
    """How a server is reached: libpq's URL, and how long each thing may take, in seconds."""

    url: str = field(repr=False)
    connect_timeout_s: float
    lock_timeout_s: float
    statement_timeout_s: float
    retry_for_s: float

    @property
    def server(self) -> str:
        """Host, port and database for messages; never user or password."""
        parts = self._said
        return f"PostgreSQL at {parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"

    @cached_property
    def _said(self) -> Mapping[str, Any]:
        """The parts of the URL. Raises: Refused for one that is split inside its password, before a piece is quoted."""
        with suppress(psycopg.ProgrammingError):
            parts = conninfo_to_dict(self.url)
            is_split = "@" in f"{parts.get('host')}{parts.get('dbname')}"
            if not is_split and str(parts.get("port") or "0").replace(",", "").isdigit():
                return parts
        raise Refused(
            "the URL of the PostgreSQL server cannot be read: write postgresql://user:password@host:port/database, "
            "with special characters of the password percent-encoded"
        )

    @cached_property
    def _conninfo(self) -> str:
        """The URL with our bounds; what it says itself goes first.

        A server elsewhere must prove its name: libpq's own default takes any certificate, or none.
        """
        said = self._said
        hosts = ",".join(str(said.get(name) or "") for name in ("host", "hostaddr")).split(",")
        is_local = all(host in LOCAL or host.startswith("/") for host in hosts)
        defaults: dict[str, Any] = {
            "connect_timeout": max(2, round(self.connect_timeout_s)),
            "application_name": "etl_assets",
            "keepalives_idle": 30,
            "tcp_user_timeout": 60_000,
        }
        if not is_local:
            defaults["sslmode"] = "verify-full"
        settings = {
            "TimeZone": "UTC",
            "synchronize_seqscans": "off",
            "lock_timeout": int(self.lock_timeout_s * 1000),
            "statement_timeout": int(self.statement_timeout_s * 1000),
        }
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        return make_conninfo("", **{**defaults, **said, "options": f"{options} {said.get('options') or ''}".strip()})

    def run(
        self, work: Callable[[Connection], Result], *, is_repeatable: bool = True, is_idempotent: bool = True
    ) -> Result:
        """`work` has happened in one committed transaction, or nothing of it has.

        A lost connection, a deadlock, a lock not got or a server that restarts are tried again from the start for
        `retry_for_s`, unless `work` is not repeatable, as when it consumes a stream.

        Raises: what `work` raises; Unavailable (nothing was written, or it may happen again as it is idempotent);
        Refused; OutcomeUnknown where the connection was lost in the commit of something not idempotent and the
        server cannot say whether it happened.
        """
        once = partial(self._once, work, is_idempotent=is_idempotent)
        return retried(once, self.retry_for_s if is_repeatable else 0)

    def fetch(self, read: Callable[[adbc.Connection], Result]) -> Result:
        """What `read` returns; tried again like `run`."""

        def once() -> Result:
            with self.reading() as connection:
                return read(connection)

        return retried(once, self.retry_for_s)

    @contextmanager
    def reading(self) -> Iterator[adbc.Connection]:
        """A pooled connection that speaks Arrow; whatever it did is rolled back."""
        with translated(self.server), self._pooled(_arrow_connection, _ping_arrow) as connection:
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction that commits when the block ends and leaves no trace when it raises; tried once."""
        with translated(self.server), self._pooled(_connection, _ping) as connection:
            yield connection
            connection.commit()

    def _once(self, work: Callable[[Connection], Result], *, is_idempotent: bool) -> Result:
        with translated(self.server), self._pooled(_connection, _ping) as connection:
            result = work(connection)
            row = connection.execute("SELECT pg_current_xact_id_if_assigned()::text").fetchone()
            transaction = row[0] if row else None
            try:
                connection.commit()
            except psycopg.OperationalError:
                if transaction is None or not connection.closed:
                    raise
                status = self._status(transaction)
                if status is None and not is_idempotent:
                    raise OutcomeUnknown(
                        f"{self.server} was lost in a commit and does not say whether transaction {transaction} "
                        "happened; look at the table before running again"
                    ) from None
                if status != "committed":
                    raise
        return result

    def _status(self, transaction: str) -> str | None:
        """Asked of the server: appending again what was committed would double it. None where it does not know."""
        try:
            return retried(lambda: self._decided(transaction), max(self.retry_for_s, ASK_FOR_S))
        except Unavailable:
            return None

    def _decided(self, transaction: str) -> str | None:
        with self.transaction() as connection:
            row = connection.execute("SELECT pg_xact_status(%s::xid8)", [transaction]).fetchone()
        if row and row[0] == "in progress":
            raise Unavailable(f"{self.server} has not ended transaction {transaction} yet")
        return row[0] if row else None

    @contextmanager
    def _pooled(self, connect: Callable[[str], Any], ping: Callable[[Any], None]) -> Iterator[Any]:
        """A sound connection; one that an exception has passed through is closed, whatever state it is in."""
        lent = _pool(self._conninfo, connect, ping).connect()
        try:
            yield lent.dbapi_connection
            if getattr(lent.dbapi_connection, "closed", False):  # lost in a commit that happened nevertheless
                lent.invalidate()
        except BaseException:
            lent.invalidate()
            raise
        finally:
            lent.close()


def close_all() -> None:
    """No pooled connection of this process is open; the next use opens a new one."""
    while _pools:
        _pools.popitem()[1].dispose()


atexit.register(close_all)


def _pool(conninfo: str, connect: Callable[[str], Any], ping: Callable[[Any], None]) -> QueuePool:
    """One pool per server, driver and process: a connection that two processes share answers neither."""
    at = (conninfo, connect, os.getpid())
    if at not in _pools:
        pool = QueuePool(lambda: connect(conninfo), pool_size=POOL_SIZE, max_overflow=POOL_SIZE, recycle=RECYCLE_S)
        event.listen(pool, "checkout", lambda connection, *_: _sound(connection, ping))
        return _pools.setdefault(at, pool)
    return _pools[at]


def _sound(connection: Any, ping: Callable[[Any], None]) -> None:
    try:
        ping(connection)
    except (psycopg.Error, adbc.Error):
        raise DisconnectionError from None  # the pool opens another one


def _connection(conninfo: str) -> Connection:
    return psycopg.connect(conninfo, prepare_threshold=None)


def _ping(connection: Connection) -> None:
    connection.autocommit = True
    connection.execute("")
    connection.autocommit = False


def _arrow_connection(conninfo: str) -> adbc.Connection:
    return adbc.connect(conninfo)


def _ping_arrow(connection: adbc.Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
