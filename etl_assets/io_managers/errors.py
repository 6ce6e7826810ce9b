"""What can go wrong with a table, as types: permanent (a person must act) or transient (try again later).

A driver's own exceptions are translated in one module per driver (`errors.py` of its package); no other names them.
"""

from __future__ import annotations

import dagster as dg


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


class KeyRepeated(Permanent):
    """Two rows have one key, both new, or one of them in a part of the table that the write leaves alone."""


class Refused(Permanent):
    """The database refused the statement for a reason that will not go away by itself."""


class OutcomeUnknown(Permanent):
    """A commit may or may not have happened, and nobody can say; doing it again might do it twice."""


class Unavailable(Exception):  # noqa: N818  the state of the server, not a mistake
    """The server did not answer or had no room; nothing was written and the same call may succeed later."""


class NoRoom(Unavailable):
    """The server's disk or memory is full; nothing was written, and trying at once would only fill it again."""
