"""Sessions of the local Snowflake: what a transaction is, what ends it, and who waits for whose table.

DuckDB has one snapshot per transaction and fails on conflicts; Snowflake lets a second writer of a table wait. Only
the order of statements is made here; errors and types are mended in `snowflake_mends.py`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import duckdb
from snowflake.connector.errors import ProgrammingError
from sqlglot import exp

LOCK_TIMEOUT_S = 60.0
NOTHING = "SELECT 'Statement executed successfully.' AS status"
WRITES = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Copy, exp.TruncateTable)
_turn = threading.Condition()
_holders: dict[str, Session] = {}


class Session:
    """One connection's transaction: open or not, broken or not, and the tables that it has locked."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.is_open = False
        self.is_broken = False
        self.has_written = False
        self.lock_timeout_s = LOCK_TIMEOUT_S

    @contextmanager
    def running(self, statement: Any) -> Iterator[str | None]:
        """The block runs the statement, or the one that is yielded in its place."""
        is_copy = isinstance(statement, exp.Copy) and not self._is_transaction()
        instead = self._prepare(statement)
        if is_copy:
            self.duck.begin()
        try:
            yield instead
        except BaseException:
            self._after_failure(rolls_back=is_copy)
            raise
        if is_copy:
            self.duck.commit()
        self._after(statement)

    def remember(self, settings: Mapping[str, Any]) -> None:
        """LOCK_TIMEOUT counts; other session parameters are accepted and mean nothing here."""
        self.lock_timeout_s = float(settings.get("LOCK_TIMEOUT", self.lock_timeout_s))

    def release(self) -> None:
        """Others may lock what this session had locked."""
        with _turn:
            for table in [table for table, holder in _holders.items() if holder is self]:
                del _holders[table]
            _turn.notify_all()

    @property
    def duck(self) -> Any:
        return self.connection._duck_conn  # noqa: SLF001

    def _prepare(self, statement: Any) -> str | None:
        if isinstance(statement, exp.Transaction) and self._is_transaction():
            return NOTHING  # Snowflake ignores a BEGIN within a transaction
        if isinstance(statement, exp.Commit) and self.is_broken:
            self._end("rollback")
            # DuckDB would answer "committed" with nothing committed; Snowflake would commit what had succeeded before.
            raise ProgrammingError(
                msg="a statement of this transaction failed: Snowflake would commit the others, so roll back instead",
                errno=603,
                sqlstate="XX000",
            )
        if _is_ddl(statement):
            if self.is_open:
                self._end("commit")  # as in Snowflake: DDL commits what was open
            self._lock("the catalogue")  # of two that make one table at once DuckDB fails one; Snowflake lets it wait
        if isinstance(statement, exp.Delete | exp.Update | exp.Merge | exp.TruncateTable):
            self._lock(_table_of(statement, self.connection))
        self._see_what_is_committed(statement)
        return None

    def _see_what_is_committed(self, statement: Any) -> None:
        """Each statement sees what is committed by now, as in Snowflake, until the transaction has written.

        With the snapshot of its first question a writer that had to wait would not delete what the other left.
        """
        if self.is_open and not self.is_broken and not self.has_written and not _ends(statement):
            self.duck.commit()
            self.duck.begin()
        self.has_written |= self.is_open and isinstance(statement, WRITES)

    def _after(self, statement: Any) -> None:
        if isinstance(statement, exp.Transaction):
            self.is_open = True
        elif _ends(statement):
            self.is_open = self.is_broken = self.has_written = False
        if not self._is_transaction():
            self.release()

    def _after_failure(self, *, rolls_back: bool) -> None:
        if rolls_back:
            with suppress(duckdb.Error):
                self.duck.rollback()
        if not self._is_transaction():
            self.release()
            return
        try:
            self.duck.execute("SELECT 1")
        except duckdb.TransactionException:
            self.is_broken = True
        except duckdb.Error:
            return

    def _end(self, how: str) -> None:
        try:
            getattr(self.duck, how)()
        finally:
            self.is_open = self.is_broken = self.has_written = False
            self.connection._in_transaction = False  # noqa: SLF001
            self.release()

    def _is_transaction(self) -> bool:
        return self.is_open or bool(self.connection._in_transaction)  # noqa: SLF001

    def _lock(self, table: str) -> None:
        """The table is this session's until its transaction ends. Snowflake's second DELETE of a table waits."""
        deadline = time.monotonic() + self.lock_timeout_s
        with _turn:
            while _holders.get(table, self) is not self:
                if not _turn.wait(deadline - time.monotonic()):
                    raise ProgrammingError(
                        msg=f"another statement has locked table '{table}' and this lock has not yet been released",
                        errno=625,
                        sqlstate="57014",
                    )
            _holders[table] = self


def session_of(connection: Any) -> Session:
    """The session of the connection, the same at each call."""
    if not hasattr(connection, "etl_session"):
        connection.etl_session = Session(connection)
    session: Session = connection.etl_session
    return session


def session_closed(connection: Any) -> None:
    """What was open is rolled back and locked by nobody."""
    with suppress(duckdb.Error):
        connection._duck_conn.rollback()  # noqa: SLF001
    session_of(connection).release()
    connection.close()


def _ends(statement: Any) -> bool:
    return isinstance(statement, exp.Commit | exp.Rollback)


def _is_ddl(statement: Any) -> bool:
    if isinstance(statement, exp.Command):
        return str(statement.this).upper() in {"CREATE", "ALTER", "DROP", "COMMENT", "GRANT", "REVOKE"}
    if isinstance(statement, exp.Alter) and str(statement.args.get("kind")).upper() == "SESSION":
        return False
    return isinstance(statement, exp.Create | exp.Alter | exp.Drop | exp.Comment | exp.Grant | exp.Revoke)


def _table_of(statement: Any, connection: Any) -> str:
    """The full name of the table that the statement changes."""
    table = statement.find(exp.Table)
    parts = [part.name if part.args.get("quoted") else part.name.upper() for part in table.parts]
    here = [connection.database or "", connection.schema or ""]
    return ".".join([*here[: 3 - len(parts)], *parts])
