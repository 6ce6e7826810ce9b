"""One write: the rows staged and checked, then published in one short transaction of nothing but DML."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain

import pyarrow as pa

from etl_assets.io_managers.errors import OutcomeUnknown, Permanent, Refused, Unavailable
from etl_assets.io_managers.retries import retried
from etl_assets.io_managers.slices import WHOLE, Counts, Slice
from etl_assets.io_managers.snowflake import statements as say
from etl_assets.io_managers.snowflake.connections import Connections, Session
from etl_assets.io_managers.snowflake.parquet import Sizes
from etl_assets.io_managers.snowflake.schema import NOTES, create, is_complete
from etl_assets.io_managers.snowflake.sql import say as said
from etl_assets.io_managers.snowflake.staging import Staging, staging
from etl_assets.io_managers.snowflake.values import as_sent
from etl_assets.io_managers.targets import BY_KEY, Mode, Target

LONGEST_NAME = 255 - len(NOTES)
ASK_FOR_S = 10


@dataclass(frozen=True)
class Write:
    """What shall be true of a table after one transaction."""

    target: Target
    slice: Slice
    run_id: str
    mode: Mode = Mode.REPLACE_PARTITION
    refused: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises: Permanent for what has no meaning, before anything is asked of the database."""
        table = self.target.table
        names = (self.target.schema, table.name, *table.schema.names)
        if wrong := [name for name in names if not 0 < len(name.encode()) <= LONGEST_NAME or "\x00" in name]:
            raise Permanent(f"{self.target.name}: a name has 1 to {LONGEST_NAME} bytes without 0x00, not {wrong}")
        if table.name.lower().startswith("_slices"):
            raise Permanent(f"{self.target.name}: names that begin with `_slices` are those of the notes")
        if self.mode in BY_KEY and not table.key:
            raise Permanent(f"{self.target.name}: mode `{self.mode}` needs a key")

    def perform(self, connections: Connections, batches: Iterable[pa.Table], sizes: Sizes | None = None) -> Counts:
        """The rows are in the table and noted. Returns the rows per partition key.

        The note about the slice commits with the rows, so an empty day and a day that never ran stay different
        things; the `refused` partitions, outside the slice, are noted with their reason.

        Raises: RowsOutsideSlice, ContractBroken, SchemaDrifted, TypeRefused, KeyRepeated, Refused, OutcomeUnknown,
        Unavailable; after all but OutcomeUnknown the table has the rows that it had.
        """
        counts, tag = Counts(self.slice), f"{self.target.name} {self.run_id}"
        rows = self._sendable(batches, counts)
        first = next(rows, None)
        with staging(connections, self.target, tag, sizes) as staged:
            is_new = connections.run(lambda session: self._begin(session, staged, is_empty=first is None), tag=tag)
            if first:
                staged.send(chain([first], rows))
            publication = Publication(self, staged, counts.by_key(), is_new)
            retried(publication.happen, connections.settings.retry_for_s)
        return counts

    def _sendable(self, batches: Iterable[pa.Table], counts: Counts) -> Iterator[pa.Table]:
        """The batches that have rows, counted, as they travel."""
        for batch in batches:
            shaped = self.target.table.shape(batch)
            counts.add(shaped)
            if shaped.num_rows:
                yield as_sent(shaped)

    def _begin(self, session: Session, staged: Staging, *, is_empty: bool) -> bool:
        """The table is as the contract says or can be made so, and rows can be staged; whether it must be made."""
        is_new = not is_complete(session, self.target)
        if not is_empty:
            staged.make(session)
        return is_new

    @property
    def is_key_shared_with_rows_that_stay(self) -> bool:
        """Whether a row that this write leaves alone could have the key of a new one."""
        if not self.target.table.key or self.mode in (*BY_KEY, Mode.REPLACE_TABLE):
            return False
        return self.mode is Mode.APPEND or not set(self.slice.columns) <= set(self.target.table.key)


@dataclass
class Publication:
    """What follows when the rows are sent, up to the transaction. It can be tried again: nothing of it is used up."""

    write: Write
    staged: Staging
    counts: Mapping[str, int]
    is_new: bool
    token: str = field(default_factory=lambda: secrets.token_hex(8))
    is_committing: bool = False

    def happen(self) -> None:
        """The rows are loaded and checked, then published and noted, or nothing of it. Raises: OutcomeUnknown.

        Where the commit was not answered, the server is asked, once the session is closed: until then it may hold the
        lock whose end says that the transaction has ended.
        """
        self.is_committing = False
        try:
            with self.staged.connections.session(tag=self.staged.tag) as session:
                self._load(session)
                self._publish(session)
        except (Unavailable, Refused):
            if not self.is_committing or not self._has_happened():
                raise

    def _load(self, session: Session) -> None:
        if self.staged.is_made:
            self.staged.load(session)
            self.staged.check(session, self._rows)
        if self.is_new:
            create(session, self.write.target)

    def _publish(self, session: Session) -> None:
        said(session, "BEGIN")
        try:
            say.lock(session, self.write.target, self.write.run_id, self.token)
            self._put(session)
            self._note(session)
            self.is_committing = True
            said(session, "COMMIT")
        except BaseException:
            with suppress(Exception):  # a session that is only slow still holds the lock
                said(session, "ROLLBACK")
            raise

    @property
    def _rows(self) -> int:
        return sum(self.counts.values())

    def _put(self, session: Session) -> None:
        target, mode = self.write.target, self.write.mode
        if mode is Mode.REPLACE_TABLE:
            say.delete(session, target, WHOLE)
        elif mode is Mode.REPLACE_PARTITION:
            say.delete(session, target, self.write.slice)
        if not self.staged.is_made:
            return
        if self.write.is_key_shared_with_rows_that_stay:
            say.refuse_keys_that_stay(session, target, self.staged.table)
        if mode is Mode.KEEP:
            say.keep(session, target, self.staged.table)
            return
        put = (say.upsert if mode is Mode.UPSERT else say.insert)(session, target, self.staged.table)
        if put != self._rows:
            raise Refused(f"{target.name}: {put} of {self._rows} rows were put into the table; nothing was written")

    def _note(self, session: Session) -> None:
        target, write = self.write.target, self.write
        if write.mode is Mode.REPLACE_TABLE:
            say.forget(session, target)
        say.note_written(session, target, self.counts, write.run_id, is_added=write.mode is Mode.APPEND)
        if write.refused:
            say.note_refused(session, target, write.refused, write.run_id)

    def _has_happened(self) -> bool:
        """Asked of the server: appending again what was committed would double it."""
        try:
            return retried(self._asked, max(self.staged.connections.settings.retry_for_s, ASK_FOR_S))
        except Unavailable:
            if self.write.mode is not Mode.APPEND:
                return False
            raise OutcomeUnknown(
                f"{self.staged.connections.server} was lost in a commit and does not say whether transaction "
                f"{self.token} of {self.write.target.name} happened; look at the table before running again"
            ) from None

    def _asked(self) -> bool:
        with self.staged.connections.session(tag=self.staged.tag) as session:
            return say.is_committed(session, self.write.target, self.token)
