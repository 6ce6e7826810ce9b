"""Whether a table of PostgreSQL and its mirror in Snowflake hold the same rows, partition by partition.

The verdicts and what they rest on. What a value is to a comparison is in `canonical.py`, what both sides are asked in
`comparison.py`; keeping certificates belongs to `certificate_log.py`, asking for them to somebody else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

from etl_assets.io_managers.postgres.schema import NOTES, qualified
from etl_assets.io_managers.slices import WHOLE_TABLE, Slice
from etl_assets.io_managers.targets import Target
from etl_assets.reconciliation.comparison import Compared, compared
from etl_assets.reconciliation.dialects import POSTGRES, SNOWFLAKE
from etl_assets.reconciliation.drilldown import Bounds, Differences, Key
from etl_assets.reconciliation.fingerprints import digits_for
from etl_assets.reconciliation.sides import Pair, Side, Warehouse

ORDINARY = Bounds()
ROWS_UNKNOWN = 256_000


class Verdict(StrEnum):
    """What a certificate says; only `EQUAL` certifies."""

    EQUAL = "equal"
    DIFFERENT = "different"
    MISSING_IN_SNOWFLAKE = "missing_in_snowflake"
    """The table, or every row of the partition."""
    MISSING_IN_POSTGRES = "missing_in_postgres"
    CHANGED_MEANWHILE = "changed_meanwhile"
    """It was written while it was compared, so nothing is known; compare it again."""


@dataclass(frozen=True)
class Certificate:
    """One partition of one table, as both databases had it."""

    table_name: str
    partition_key: str
    verdict: Verdict
    rows_in_postgres: int
    rows_in_snowflake: int
    hash_in_postgres: str
    hash_in_snowflake: str
    sums: str
    """JSON: by numeric column its exact sum, as text, in `postgres` and in `snowflake`."""
    rows_missing: int
    """In PostgreSQL and not in Snowflake."""
    rows_extra: int
    """In Snowflake and not in PostgreSQL."""
    rows_changed: int
    """In both under one key, and not the same."""
    rows_not_compared: int
    """0: the three counts are exact. Otherwise they count what was read, and so many rows were not."""
    columns_differ: tuple[str, ...]
    differing_keys: tuple[Key, ...]
    """The first of them; none for a table without key."""
    source_written_at: datetime | None
    """The write of PostgreSQL's partition that was compared; None if no note says."""
    checked_at: datetime

    @property
    def is_equal(self) -> bool:
        return self.verdict is Verdict.EQUAL


def certify(  # noqa: PLR0913, PLR0917  two of each
    postgres: Warehouse,
    snowflake: Warehouse,
    postgres_target: Target,
    snowflake_target: Target,
    slice_: Slice,
    bounds: Bounds = ORDINARY,
) -> list[Certificate]:
    """A certificate for each partition of the slice, in its order, of what both databases have committed.

    Both compute the same numbers where their rows are; only those, the hashes of rows in differing buckets and the
    keys of the first differing rows are read. PostgreSQL's note of the last write is read before and after: rows that
    were replaced in between would look like rows that differ.

    Raises: what the warehouses raise; Permanent where a table lacks its partition column. Tables, partitions and
    other columns that are missing are no error but a verdict.
    """
    pair = Pair(Side(postgres, postgres_target, POSTGRES), Side(snowflake, snowflake_target, SNOWFLAKE))
    checked_at, before = datetime.now(UTC), _notes(pair.postgres)
    rows = max((_note(before, key).rows for key in slice_.keys), default=0)
    found = list(compared(pair, slice_, digits_for(rows, len(slice_.keys)), bounds))
    after = _notes(pair.postgres)
    return [
        _certificate(pair, key, one, _note(before, key), checked_at, is_quiet=_note(before, key) == _note(after, key))
        for key, one in found
    ]


def _certificate(  # noqa: PLR0913  what is known of one partition
    pair: Pair, key: str, found: Compared, note: Note, checked_at: datetime, *, is_quiet: bool
) -> Certificate:
    verdict = _verdict(found) if is_quiet else Verdict.CHANGED_MEANWHILE
    rows = Differences() if verdict in {Verdict.EQUAL, Verdict.CHANGED_MEANWHILE} else _differences(found)
    columns = {*rows.columns, *found.lacking}
    if rows.changed or rows.not_compared:
        columns |= found.postgres.summary.columns_unlike(found.snowflake.summary)
    return Certificate(
        table_name=pair.postgres.table.name,
        partition_key=key,
        verdict=verdict,
        rows_in_postgres=found.postgres.rows,
        rows_in_snowflake=found.snowflake.rows,
        hash_in_postgres=found.postgres.fingerprint.hash,
        hash_in_snowflake=found.snowflake.fingerprint.hash,
        sums=_sums(found),
        rows_missing=rows.missing,
        rows_extra=rows.extra,
        rows_changed=rows.changed,
        rows_not_compared=rows.not_compared,
        columns_differ=tuple(name for name in pair.postgres.table.schema.names if name in columns),
        differing_keys=rows.keys,
        source_written_at=note.written_at,
        checked_at=checked_at,
    )


def _verdict(found: Compared) -> Verdict:
    """A table that is not there differs even from an empty partition; rows that are not there, from rows."""
    postgres, snowflake = found.postgres, found.snowflake
    if not found.is_settled:
        return Verdict.CHANGED_MEANWHILE
    if not postgres.is_there:
        return Verdict.MISSING_IN_POSTGRES
    if not snowflake.is_there:
        return Verdict.MISSING_IN_SNOWFLAKE
    if found.is_equal:
        return Verdict.EQUAL
    if (postgres.rows and snowflake.rows) or found.lacking:
        return Verdict.DIFFERENT
    return Verdict.MISSING_IN_SNOWFLAKE if postgres.rows else Verdict.MISSING_IN_POSTGRES


def _differences(found: Compared) -> Differences:
    """Where one side has no rows, all of the other's; where nobody looked, nothing is known of any."""
    here, there = found.postgres.rows, found.snowflake.rows
    if found.differences:
        return found.differences
    if found.lacking and found.postgres.fingerprint == found.snowflake.fingerprint:
        return Differences()
    return Differences(not_compared=max(here, there)) if here and there else Differences(missing=here, extra=there)


def _sums(found: Compared) -> str:
    here, there = found.postgres.summary.sums(), found.snowflake.summary.sums()
    names = sorted({*here, *there})
    return json.dumps({name: {"postgres": here.get(name), "snowflake": there.get(name)} for name in names})


class Note(NamedTuple):
    """What PostgreSQL says of the last write of a partition."""

    written_at: datetime | None
    rows: int


def _notes(side: Side) -> Mapping[str, Note]:
    schema, table = side.target.schema, side.table.name
    if not side.warehouse.exists(schema, NOTES):
        return {}
    found = side.warehouse.fetch(
        f"SELECT partition_key, written_at, row_count FROM {qualified(schema, NOTES)} "  # noqa: S608
        f"WHERE table_name = {side.dialect.literal(table)} AND written_at IS NOT NULL"
    )
    return {key: Note(*note) for key, *note in zip(*(column.to_pylist() for column in found.columns), strict=True)}


def _note(notes: Mapping[str, Note], key: str) -> Note:
    """The note of the partition, or that of the last write of the whole table if it is later."""
    said = [notes[name] for name in (key, WHOLE_TABLE) if name in notes]
    return max(said, default=Note(None, ROWS_UNKNOWN))
