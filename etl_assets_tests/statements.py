"""What sessions say to Snowflake, statement by statement, and the DDL that stood inside a transaction.

DDL commits the open transaction, so that a publish with DDL between BEGIN and COMMIT is not atomic. The recorder
listens in the client, so that it hears the same from an account and from the local stand-in.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any
from weakref import WeakKeyDictionary

import pytest
from snowflake.connector.connection import SnowflakeConnection
from snowflake.connector.cursor import SnowflakeCursorBase

NOISE = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
# Snowflake counts TRUNCATE as DML. ALTER SESSION changes no object, and PUT writes files.
DDL = {"CREATE", "ALTER", "DROP", "UNDROP", "COMMENT", "GRANT", "REVOKE"}
DML = {"INSERT", "UPDATE", "DELETE", "MERGE", "COPY", "TRUNCATE"}


@dataclass(frozen=True)
class Statement:
    """One statement of one session without its bound values."""

    session: int
    text: str
    duration_s: float
    failed: bool
    in_transaction: bool

    @property
    def words(self) -> list[str]:
        return NOISE.sub(" ", self.text).replace(";", " ").upper().split()

    @property
    def is_ddl(self) -> bool:
        return self.words[:1] != [] and self.words[0] in DDL and self.words[:2] != ["ALTER", "SESSION"]


@dataclass
class Statements:
    """What was said while the recorder listened, in the order in which the statements ended."""

    said: list[Statement] = field(default_factory=list)
    _sessions: WeakKeyDictionary[SnowflakeConnection, int] = field(default_factory=WeakKeyDictionary)
    _open: set[int] = field(default_factory=set)
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _count: int = 0

    def ddl_inside_transactions(self) -> list[Statement]:
        """The DDL that stood between the begin of a session's transaction and its end."""
        return [statement for statement in self.said if statement.in_transaction and statement.is_ddl]

    def of(self, *words: str) -> list[Statement]:
        """The statements that begin with these words."""
        wanted = [word.upper() for word in words]
        return [statement for statement in self.said if statement.words[: len(wanted)] == wanted]

    def record(self, connection: SnowflakeConnection, text: str, duration_s: float, *, failed: bool) -> None:
        """The statement is in the list, and it is known whether the session's transaction is open after it."""
        with self._turn:
            session = self._sessions.get(connection) or self._introduce(connection)
            statement = Statement(session, text, duration_s, failed, session in self._open)
            self.said.append(statement)
            if _opens(statement, connection):
                self._open.add(session)
            elif statement.words[:1] in (["COMMIT"], ["ROLLBACK"]) and not failed:
                self._open.discard(session)

    def _introduce(self, connection: SnowflakeConnection) -> int:
        self._count += 1
        self._sessions[connection] = self._count
        return self._count


@contextmanager
def recorded() -> Iterator[Statements]:
    """Every statement of every Snowflake session of this process is recorded until the block ends."""
    statements = Statements()
    with pytest.MonkeyPatch.context() as patch:
        # `execute_async` and `executemany` speak through `execute`, except for one array of bound rows.
        patch.setattr(SnowflakeCursorBase, "execute", _heard(SnowflakeCursorBase.execute, statements))
        yield statements


def _heard(say: Callable[..., Any], statements: Statements) -> Callable[..., Any]:
    @wraps(say)
    def heard(cursor: SnowflakeCursorBase[Any], command: str, *args: Any, **kwargs: Any) -> Any:
        started, failed = time.perf_counter(), True
        try:
            result = say(cursor, command, *args, **kwargs)
            failed = False
        finally:
            if not kwargs.get("_is_internal"):
                statements.record(cursor.connection, command or "", time.perf_counter() - started, failed=failed)
        return result

    return heard


def _opens(statement: Statement, connection: SnowflakeConnection) -> bool:
    """Whether a transaction is open after it; a session without autocommit opens one with its first change."""
    if statement.failed or not statement.words:
        return False
    first = statement.words[0]
    if first == "BEGIN" or statement.words[:2] == ["START", "TRANSACTION"]:
        return True
    return first in DML and connection._session_parameters.get("AUTOCOMMIT") is False
