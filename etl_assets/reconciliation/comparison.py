"""Two sides of one slice, asked and laid side by side, partition by partition. What follows is the certificate's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from etl_assets.io_managers.errors import Permanent
from etl_assets.io_managers.slices import Slice
from etl_assets.reconciliation.drilldown import Bounds, Differences, differences
from etl_assets.reconciliation.fingerprints import Fingerprint, fingerprints
from etl_assets.reconciliation.partition_rows import parts_of
from etl_assets.reconciliation.sides import Pair, Side
from etl_assets.reconciliation.summaries import Summary, summaries


@dataclass(frozen=True)
class Content:
    """A partition on one side."""

    is_there: bool
    """Whether the table is."""
    summary: Summary
    fingerprint: Fingerprint

    @property
    def rows(self) -> int:
        return self.fingerprint.rows


@dataclass(frozen=True)
class Compared:
    """A partition on both sides."""

    postgres: Content
    snowflake: Content
    lacking: frozenset[str]
    """Columns of the contract that only one of the tables has, or has in their types."""
    differences: Differences | None
    """None where nobody looked for rows."""

    @property
    def is_settled(self) -> bool:
        """Each side's answers are of the same rows, as far as they show it: they are several queries."""
        agree = all(side.summary.rows == side.rows for side in (self.postgres, self.snowflake))
        return agree and (self.differences is None or self.differences.are_there)

    @property
    def is_equal(self) -> bool:
        one, other = self.postgres, self.snowflake
        return not self.lacking and one.fingerprint == other.fingerprint and one.summary == other.summary


def compared(pair: Pair, slice_: Slice, digits: int, bounds: Bounds) -> Iterator[tuple[str, Compared]]:
    """Each partition key of the slice with what both sides hold."""
    columns = pair.both(Side.columns)
    pair = pair.reduced(_common(pair, columns, slice_))
    is_there = dict(zip(("postgres", "snowflake"), map(bool, columns), strict=True))
    here, there = pair.both(lambda side: _contents(side, slice_, digits, is_there=is_there[side.dialect.name]))
    left = bounds.partitions
    for key, part in parts_of(slice_).items():
        one, other = here[key], there[key]
        is_looked_into = left > 0 and one.rows > 0 and other.rows > 0 and one.fingerprint != other.fingerprint
        left -= is_looked_into
        found = differences(pair, part, one.fingerprint, other.fingerprint, digits, bounds) if is_looked_into else None
        yield key, Compared(one, other, columns[0] ^ columns[1] if all(columns) else frozenset(), found)


def _common(pair: Pair, columns: tuple[frozenset[str], frozenset[str]], slice_: Slice) -> frozenset[str]:
    """The columns that can be compared. Raises: Permanent where rows cannot be told apart by partition."""
    common = frozenset.intersection(*(names for names in columns if names), frozenset(pair.postgres.table.schema.names))
    if lost := [name for name in slice_.columns if name not in common]:
        raise Permanent(f"{pair.postgres.target.name}: one of the tables lacks the partition column {', '.join(lost)}")
    return common


def _contents(side: Side, slice_: Slice, digits: int, *, is_there: bool) -> dict[str, Content]:
    said = summaries(side, slice_) if is_there else {}
    prints = fingerprints(side, slice_, digits) if is_there else {}
    return {key: Content(is_there, said.get(key, Summary()), prints.get(key, Fingerprint())) for key in slice_.keys}
