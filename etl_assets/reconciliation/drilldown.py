"""The rows of one partition that differ, named by their keys, and the columns in which they do.

Two reads, each of the least that can answer: the hashes of the rows in the buckets that differ, then the keys and the
hashes of the columns of the first rows found. No value leaves a database but those of key columns.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from etl_assets.io_managers.slices import Slice
from etl_assets.reconciliation.canonical import kind_of, shown
from etl_assets.reconciliation.fingerprints import Fingerprint
from etl_assets.reconciliation.sides import Pair, Row, Side

Key = Mapping[str, str | None]


@dataclass(frozen=True)
class Bounds:
    """How much may be read to name what differs."""

    rows: int = 100_000
    """Rows of one partition whose hashes leave each database."""
    keys: int = 20
    """Keys that are named; their rows' columns are compared."""
    partitions: int = 20
    """Partitions of one call that are looked into; the others are only said to differ."""


@dataclass(frozen=True)
class Differences:
    """What Snowflake has otherwise. The counts are exact if `not_compared`, the rows that were not read, is 0."""

    missing: int = 0
    extra: int = 0
    changed: int = 0
    not_compared: int = 0
    columns: frozenset[str] = frozenset()
    keys: tuple[Key, ...] = ()

    @property
    def are_there(self) -> bool:
        return bool(self.missing or self.extra or self.changed or self.not_compared)


def differences(  # noqa: PLR0913, PLR0917  two of each
    pair: Pair, part: Slice, postgres: Fingerprint, snowflake: Fingerprint, digits: int, bounds: Bounds
) -> Differences:
    """What differs between two partitions whose fingerprints do."""
    unlike = postgres.unlike(snowflake)
    chosen = [bucket for bucket, rows in zip(unlike, accumulate(unlike.values()), strict=True) if rows <= bounds.rows]
    left = sum(rows for bucket, rows in unlike.items() if bucket not in chosen)
    if not chosen:
        return Differences(not_compared=left)
    found = dict(_unlike(*pair.both(lambda side: _hashes(side, part, chosen if digits else (), digits))))
    changed = {key: min(len(here), len(there)) for key, (here, there) in found.items()}
    missing = sum(len(here) - changed[key] for key, (here, _) in found.items())
    extra = sum(len(there) - changed[key] for key, (_, there) in found.items())
    columns, keys = _named(pair, part, sorted(found)[: bounds.keys])
    return Differences(missing, extra, sum(changed.values()), left, columns, keys)


def _hashes(side: Side, part: Slice, buckets: Sequence[str], digits: int) -> Counter[Row]:
    """Rows as the digits of the key and the hash of the row; Snowflake enforces no key, so any may be there twice."""
    within = _among(side.bucket(digits), buckets) if buckets else ""
    return Counter(side.rows([side.key_digits, side.dialect.as_text(side.row_hash)], part, within))


def _among(digits: str, wanted: Sequence[str]) -> str:
    """These are hexadecimal digits and nothing else, so quotes are all they need."""
    return f" AND {digits} IN ({', '.join(map(repr, wanted))})"


def _unlike(here: Counter[Row], there: Counter[Row]) -> Iterator[tuple[str, tuple[list[Row], list[Row]]]]:
    """By the digits of the key, which come first, the rows that only the one and only the other side has."""
    found: dict[str, tuple[list[Row], list[Row]]] = defaultdict(lambda: ([], []))
    for number, only in enumerate((here - there, there - here)):
        for row in only.elements():
            found[row[0]][number].append(row[1:])
    yield from found.items()


def _named(pair: Pair, part: Slice, wanted: Sequence[str]) -> tuple[frozenset[str], tuple[Key, ...]]:
    """The columns in which rows of one key differ, and the keys; a table without key has neither."""
    key = pair.postgres.key
    if not key or not wanted:
        return frozenset(), ()
    found = dict(_unlike(*pair.both(lambda side: _rows(side, part, wanted))))
    names, columns, keys = pair.postgres.table.schema.names, set(), []
    for digits in sorted(found):
        here, there = found[digits]
        for one, other in zip(sorted(here), sorted(there), strict=False):
            pairs = zip(names, one[len(key) :], other[len(key) :], strict=True)
            columns |= {name for name, mine, theirs in pairs if mine != theirs}
        texts = zip(key, (here or there)[0], strict=False)
        keys.append({column.name: shown(kind_of(column.type), text) for column, text in texts})
    return frozenset(columns), tuple(keys)


def _rows(side: Side, part: Slice, wanted: Sequence[str]) -> Counter[Row]:
    """The rows of these keys as the key's digits, the texts of its columns, and the digits of each column."""
    texts = [side.dialect.value(column) for column in side.key]
    columns = [side.dialect.md5([column]) for column in side.table.columns]
    return Counter(side.rows([side.key_digits, *texts, *columns], part, _among(side.key_digits, wanted)))
