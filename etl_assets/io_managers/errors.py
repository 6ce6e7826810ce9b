"""What can go wrong with a table, as types: permanent (a person must act) or transient (try again later).

Drivers' own exceptions are translated here, once; no other module names them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import psycopg
from adbc_driver_manager import Error as AdbcError
from psycopg import errors as pg


class Permanent(dg.Failure):
    """Retrying cannot help; a person must change the input or the configuration."""

    def __init__(self, message: str) -> None:
        super().__init__(description=message, allow_retries=False)


class RowsOutsideSlice(Permanent):
    """Rows belong to partitions that this run does not write; writing them would double them at every rerun."""


class NeverWritten(Permanent):
    """The table or slice that is read has never been written; no rows would be a lie."""


class SchemaDrifted(Permanent):
    """The table in the database is not the table of the contract; nothing was deleted or written."""


class TypeRefused(Permanent):
    """The database has no type that holds these values exactly."""


class Refused(Permanent):
    """The database refused the statement for a reason that will not go away by itself."""


class Unavailable(Exception):  # noqa: N818  the state of the server, not a mistake
    """The server did not answer or had no room; nothing was written and the same call may succeed later."""


TRANSIENT = (pg.OperationalError, pg.InterfaceError)


@contextmanager
def translated(server: str) -> Iterator[None]:
    """A driver's exception leaves as one of ours, naming `server` and what to do, without connection string.

    A driver's message may quote the failing row; only its first line and error code are kept.
    """
    try:
        yield
    except (pg.DiskFull, pg.OutOfMemory, pg.ConfigurationLimitExceeded) as error:
        raise Unavailable(
            f"{server} has no room left ({_line(error)}): nothing was written; free disk space, rerun"
        ) from None
    except TRANSIENT as error:
        if "authentication failed" in str(error):  # a failed login has no error code of its own in libpq
            raise Refused(f"{server} refuses the login: check user and password of the URL") from None
        raise Unavailable(f"{server} does not answer ({_line(error)}): nothing was written; is it running?") from None
    except psycopg.Error as error:
        raise Refused(f"{server} refused a statement: {_line(error)} [{error.sqlstate}]") from None
    except AdbcError as error:
        kind = Refused if error.sqlstate else Unavailable
        raise kind(f"{server}: reading failed: {_line(error)}") from None


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
