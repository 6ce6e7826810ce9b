"""PostgreSQL's exceptions as ours: what happened, whether trying again can help, and what to do.

Of a driver's message only the first line, the code and the position are kept: the rest may quote a row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from adbc_driver_manager import Error as AdbcError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from etl_assets.io_managers.errors import KeyRepeated, NoRoom, Refused, Unavailable

NO_ROOM = "has no room left ({said}): nothing was written; free disk space or memory, rerun"
NOT_NOW = "cannot do it now ({said}): nothing was written"
REPEATED = "two rows have one key ({said}); nothing was written"
MEANINGS: dict[str, tuple[type[Exception], str]] = {  # by error code or the beginning of one; the longest counts
    "08": (Unavailable, NOT_NOW),
    "21000": (KeyRepeated, REPEATED),
    "23505": (KeyRepeated, REPEATED),
    "25006": (Unavailable, NOT_NOW),
    "40": (Unavailable, NOT_NOW),
    "53": (Unavailable, NOT_NOW),
    "53100": (NoRoom, NO_ROOM),
    "53200": (NoRoom, NO_ROOM),
    "55P03": (Unavailable, NOT_NOW),
    "57014": (Refused, "stopped a statement ({said}): raise statement_timeout_s or write less at once"),
    "57P": (Unavailable, NOT_NOW),
}
LOCKS_FULL = "has no room for more locks: write fewer partitions at once, or raise max_locks_per_transaction"
# libpq gives no error code for what fails before or at the login.
FAILED_LOGINS = {
    "authentication failed": "refuses the login: check user and password of the URL",
    "no password supplied": "wants a password: give one in the URL or in PGPASSFILE",
    "no pg_hba.conf entry": "has no pg_hba.conf entry for this user, database, address and encryption",
    "certificate verify failed": "has a certificate that sslrootcert does not vouch for",
    "does not match host name": "has a certificate for another host name than the URL's",
    "root certificate file": "must be verified, and sslrootcert is missing or no certificate: give it the authority's",
    "does not support SSL": "speaks no TLS: sslmode asks for it",
    "requires a valid client certificate": "wants a client certificate: give sslcert and sslkey in the URL",
    "alert unknown ca": "does not know the authority of the client certificate",
    "certificate authentication": "refuses the client certificate: it is for another user",
    "private key": "cannot be shown the client certificate: its sslkey cannot be read or is another's",
    "client certificate": "refuses the client certificate",
    "invalid sslmode value": "cannot be asked: the URL's sslmode is none of libpq's",
    "does not exist": "knows no such database or role",
}


@contextmanager
def translated(server: str) -> Iterator[None]:
    """A driver's exception leaves as one of ours, naming `server` and what to do, without connection string.

    A driver's message may quote the failing row; only its first line, error code and position are kept.
    """
    try:
        yield
    except (psycopg.Error, AdbcError) as error:
        raise _translated(server, error) from None
    except PoolTimeout:
        raise Unavailable(f"{server}: this process has no connection left to lend; lower its concurrency") from None


def _translated(server: str, error: psycopg.Error | AdbcError) -> Exception:
    code, said = str(error.sqlstate or ""), _line(error)
    if not code or code.startswith("28"):
        return _not_connected(server, error)
    if "out of shared memory" in said:
        return Refused(f"{server} {LOCKS_FULL}")
    for beginning in (code, code[:3], code[:2]):
        if beginning in MEANINGS:
            kind, meaning = MEANINGS[beginning]
            return kind(f"{server}: {meaning.format(said=said)} [{code}]")
    return Refused(f"{server} refused a statement: {said}{_position(error)} [{code}]")


def _not_connected(server: str, error: Exception) -> Exception:
    text = str(error)
    for sign, meaning in FAILED_LOGINS.items():
        if sign in text:
            return Refused(f"{server} {meaning}")
    if isinstance(error, psycopg.DataError | psycopg.ProgrammingError | psycopg.NotSupportedError):
        return Refused(f"{server}: {_line(error)}")
    return Unavailable(f"{server} does not answer ({_line(error)}): nothing was written; is it running?")


def _position(error: Exception) -> str:
    """The line and column of a COPY that the server names; the value that it may quote after them is left out."""
    context = getattr(getattr(error, "diag", None), "context", None) or ""
    found = re.search(r"line (\d+), column ([^:\n]+)", context)
    return f" (row {found[1]}, column {found[2].strip()})" if found else ""


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
