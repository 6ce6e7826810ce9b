"""Rows on their way into a Snowflake table: a table of the run's own that nobody reads, made, filled, checked, dropped.

All of it before the transaction that publishes, since most of it is DDL. Staging tables have a schema of their own: a
tenant's holds what was published and nothing else, and no name of a tenant meets the syntax of stages.
"""

from __future__ import annotations

import errno
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from snowflake.connector.errors import ProgrammingError

from etl_assets.io_managers.errors import KeyRepeated, NoRoom, Refused
from etl_assets.io_managers.snowflake.connections import Connections, Session
from etl_assets.io_managers.snowflake.names import stored
from etl_assets.io_managers.snowflake.parquet import Sizes, written_while
from etl_assets.io_managers.snowflake.schema import make_schema
from etl_assets.io_managers.snowflake.sql import asked, literal, say
from etl_assets.io_managers.snowflake.types import sql_type
from etl_assets.io_managers.targets import Target

FULL = {errno.ENOSPC, errno.EDQUOT}
NO_ROOM = (
    "has no room for the files on their way to Snowflake, nothing was written: free some, or set TMPDIR to a folder on "
    "another disk; one write holds about 1 GB there at most"
)
SCHEMA, FOLDER = "_staging", "etl_assets_snowflake_"
NAME = re.compile(r"S(\d+)_[0-9A-F]{16}_\w*")
ORPHANED_AFTER_S, SWEPT_EVERY_S = 24 * 3600, 3600
FORMAT = "(TYPE = PARQUET USE_LOGICAL_TYPE = TRUE BINARY_AS_TEXT = FALSE NULL_IF = ())"
_swept_at: dict[str, float] = {}


@dataclass
class Staging:
    """The rows of one run. Each step can be done twice: a lost session costs that step and not the stream."""

    connections: Connections
    target: Target
    tag: str
    sizes: Sizes
    name: str
    is_made: bool = False

    @property
    def table(self) -> str:
        """Its name in SQL."""
        return f"{stored(SCHEMA)}.{self.name}"

    def make(self, session: Session) -> None:
        """The empty table is there; asked first, as ever."""
        self.is_made = True
        make_schema(session, SCHEMA, "TRANSIENT")
        columns = ", ".join(f"C{n} {sql_type(field.type)}" for n, field in enumerate(self.target.table.schema))
        say(session, f"CREATE TRANSIENT TABLE IF NOT EXISTS {self.table} ({columns})")

    def send(self, batches: Iterable[pa.Table]) -> None:
        """The rows are files in the table's stage; memory and disk stay flat.

        Raises: what `batches` raises; NoRoom where the disk of this machine is full.
        """
        try:
            with tempfile.TemporaryDirectory(prefix=FOLDER) as folder:
                written_while(self._put, batches, Path(folder), self.sizes)
        except OSError as problem:
            if problem.errno not in FULL:
                raise
            raise NoRoom(f"{tempfile.gettempdir()} {NO_ROOM}") from None

    def load(self, session: Session) -> None:
        """The files are loaded. Said twice, it skips those that it has; `check` counts rows and not its answer."""
        say(
            session,
            f"COPY INTO {self.table} FROM @{stored(SCHEMA)}.%{self.name} FILE_FORMAT = {FORMAT} "
            "MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE ON_ERROR = ABORT_STATEMENT",
        )

    def check(self, session: Session, rows: int) -> None:
        """As many rows were loaded as were sent, and no two have one key. Raises: Refused, KeyRepeated."""
        names = self.target.table.schema.names
        key = ", ".join(f"C{names.index(name)}" for name in self.target.table.key)
        keys = f"(SELECT COUNT(*) FROM (SELECT DISTINCT {key} FROM {self.table}))" if key else "NULL"
        question = f"SELECT (SELECT COUNT(*) FROM {self.table}) AS LOADED, {keys} AS KEYS"
        found = asked(session, question)[0]
        if found["LOADED"] != rows:
            raise Refused(f"{self.target.name}: {found['LOADED']} of {rows} rows were loaded; nothing was written")
        if key and found["KEYS"] != rows:
            repeated = rows - found["KEYS"]
            raise KeyRepeated(f"{self.target.name}: {repeated} rows repeat the key of another; nothing was written")

    def drop(self) -> None:
        """The staging table is gone, and so are those of dead runs, if the server answers; another run sweeps then."""
        if self.is_made:
            with suppress(Exception), self.connections.session(tag=self.tag) as session:
                say(session, f"DROP TABLE IF EXISTS {self.table}")
                sweep(session, self.connections.server)

    def _put(self, file: Path) -> None:
        source = literal(f"file://{file.as_posix()}")
        said = f"PUT {source} @{stored(SCHEMA)}.%{self.name} AUTO_COMPRESS = FALSE OVERWRITE = TRUE PARALLEL = 4"
        self.connections.run(lambda session: say(session, said), tag=self.tag)


@contextmanager
def staging(connections: Connections, target: Target, tag: str, sizes: Sizes | None = None) -> Iterator[Staging]:
    """In the block a staging table can be filled; afterwards it is gone. Its name tells its age to who sweeps."""
    readable = re.sub(r"\W", "_", target.name, flags=re.ASCII).upper()[:60]
    name = f"S{int(time.time())}_{secrets.token_hex(8).upper()}_{readable}"
    one = Staging(connections, target, tag, sizes or Sizes(), name)
    try:
        yield one
    finally:
        one.drop()


def sweep(session: Session, server: str) -> None:
    """Staging tables and folders that are older than a day belong to dead runs and are gone; asked once an hour."""
    if time.monotonic() - _swept_at.get(server, -SWEPT_EVERY_S) < SWEPT_EVERY_S:
        return
    _swept_at[server] = time.monotonic()
    there = f"SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = {literal(stored(SCHEMA))}"
    for row in asked(session, there):
        made = NAME.fullmatch(row["TABLE_NAME"])
        if made and time.time() - int(made[1]) > ORPHANED_AFTER_S:
            with suppress(ProgrammingError):  # another role's is that role's to sweep
                say(session, f"DROP TABLE IF EXISTS {stored(SCHEMA)}.{row['TABLE_NAME']}")
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER}*"):
        if time.time() - folder.stat().st_mtime > ORPHANED_AFTER_S:
            shutil.rmtree(folder, ignore_errors=True)
