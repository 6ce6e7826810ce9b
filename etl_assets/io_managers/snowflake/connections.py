"""Sessions with one Snowflake account: pooled, bounded in time, lost ones replaced.

Generic: what is said in a session belongs to the callers, BEGIN and COMMIT too.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast
from weakref import WeakKeyDictionary

from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from etl_assets.io_managers.errors import Unavailable
from etl_assets.io_managers.retries import retried
from etl_assets.io_managers.snowflake.errors import DRIVERS, is_lost, translated
from etl_assets.io_managers.snowflake.login import ANSWER_WITHIN_S, Patience, Session, answers_within, opened

if TYPE_CHECKING:
    from etl_assets.io_managers.snowflake.settings import SnowflakeSettings

__all__ = ["Connections", "Session", "close_all"]

Result = TypeVar("Result")
POOL_SIZE = 8
RECYCLE_S = 3600
"""Snowflake forgets a session four hours after its last statement at the latest, and OAuth tokens much sooner."""
TAG_CHARACTERS = 2000
_pools: dict[tuple[object, ...], QueuePool] = {}
_patience: WeakKeyDictionary[Session, Patience] = WeakKeyDictionary()


@dataclass(frozen=True)
class Connections:
    """The sessions of the settings: one thread at a time has each."""

    settings: SnowflakeSettings

    @property
    def server(self) -> str:
        """Account and database for messages; never user or secret."""
        return self.settings.server

    def run(self, work: Callable[[Session], Result], *, is_repeatable: bool = True, tag: str = "") -> Result:
        """What `work` returns in a sound session in autocommit, with `tag` as the QUERY_TAG of its statements.

        A lost session, a lock not got or a failure inside Snowflake is tried again from the start for `retry_for_s`,
        unless `work` is not repeatable, as when it consumes a stream. It ends the transactions that it begins.

        Raises: what `work` raises; Unavailable, Refused, KeyRepeated.
        """

        def once() -> Result:
            with self.session(tag=tag) as session:
                return work(session)

        return retried(once, self.settings.retry_for_s if is_repeatable else 0)

    @contextmanager
    def session(self, *, tag: str = "") -> Iterator[Session]:
        """A sound session in autocommit, tried once; one that an exception has passed through is closed.

        Closing rolls back what was open, at once where Snowflake hears of it, else after five minutes.
        """
        with translated(self.server):
            lent = self._lent(tag)
            try:
                yield _session(lent)
            except BaseException as error:
                _abandon(lent, is_lost=is_lost(error))
                raise
            finally:
                lent.close()

    def _lent(self, tag: str) -> PoolProxiedConnection:
        """Out of the pool. One that was used before is asked whether it still is a session: idle ones get lost."""
        for _ in range(2 * POOL_SIZE):
            lent = _pool(self.settings).connect()
            is_used, lent.info["is_used"] = "is_used" in lent.info, True
            try:
                if is_used or tag:
                    _tag(_session(lent), tag, self.settings.connect_timeout_s)
            except BaseException as error:
                _abandon(lent, is_lost=True)
                lent.close()
                if not (is_used and isinstance(error, DRIVERS)):
                    raise
            else:
                return lent
        raise Unavailable(f"{self.server} loses every session: nothing was written")


def close_all() -> None:
    """No pooled session of this process is open; the next use opens a new one."""
    for at in [at for at in _pools if at[-1] == os.getpid()]:
        _pools.pop(at).dispose()


atexit.register(close_all)


def _pool(settings: SnowflakeSettings) -> QueuePool:
    """One pool per settings and process: a session that two processes share answers neither."""
    at = (settings.key, os.getpid())
    if at not in _pools:
        pool = QueuePool(
            lambda: _opened(settings),
            pool_size=POOL_SIZE,
            max_overflow=POOL_SIZE,
            recycle=RECYCLE_S,
            reset_on_return=None,
        )
        return _pools.setdefault(at, pool)
    return _pools[at]


def _opened(settings: SnowflakeSettings) -> DBAPIConnection:
    patience = Patience(settings.retry_for_s)
    session = opened(settings, patience)
    _patience[session] = patience
    return cast(DBAPIConnection, session)


def _session(lent: PoolProxiedConnection) -> Session:
    return cast(Session, lent.dbapi_connection)


def _tag(session: Session, tag: str, within_s: float) -> None:
    """The session answers, without a retry, and its next statements carry the tag."""
    patience = _patience[session]
    patience.for_s, usual = 0, patience.for_s
    answers_within(session, within_s)
    with session.cursor() as cursor:
        if tag:
            cursor.execute("ALTER SESSION SET QUERY_TAG = %s", (tag[:TAG_CHARACTERS],))
        else:
            cursor.execute("ALTER SESSION UNSET QUERY_TAG")
    patience.for_s = usual
    answers_within(session, ANSWER_WITHIN_S)


def _abandon(lent: PoolProxiedConnection, *, is_lost: bool) -> None:
    """The session is closed, and told so where it hears it: that ends its transaction and frees its locks."""
    session = _session(lent)
    answers_within(session, 5)
    if is_lost and session.rest:
        session.rest.close()
    session.close(retry=False)
    lent.invalidate()
