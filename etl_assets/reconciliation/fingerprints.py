"""The content hash of a partition, in buckets, computed where its rows are.

It is the sum of a hash of each row: the same in any order, and a row that stands there twice counts twice, which an
exclusive or would not see. Buckets are by the hash of a row's key, so that a changed row is in the same one on both
sides and whoever looks for it reads that bucket and no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from etl_assets.io_managers.slices import Slice
from etl_assets.reconciliation.partition_rows import Aggregates, grouped
from etl_assets.reconciliation.sides import Side

MOST_DIGITS, MOST_BUCKETS = 3, 4_096
HASH, BUCKET = '"hash of the row"', '"bucket of the row"'
NONE: Mapping[str, tuple[int, int]] = MappingProxyType({})


@dataclass(frozen=True)
class Fingerprint:
    """A partition on one side: by bucket the number of rows and the sum of their hashes."""

    buckets: Mapping[str, tuple[int, int]] = field(default_factory=lambda: NONE)

    @property
    def rows(self) -> int:
        return sum(rows for rows, _ in self.buckets.values())

    @property
    def hash(self) -> str:
        """One number for all rows, the same however many buckets they were in."""
        return str(sum(total for _, total in self.buckets.values()))

    def unlike(self, other: Fingerprint) -> dict[str, int]:
        """The buckets that differ, each with the rows of the side that has more."""
        return {
            bucket: max(self.buckets.get(bucket, (0, 0))[0], other.buckets.get(bucket, (0, 0))[0])
            for bucket in sorted({*self.buckets, *other.buckets})
            if self.buckets.get(bucket) != other.buckets.get(bucket)
        }


def digits_for(rows: int, partitions: int) -> int:
    """By how many hexadecimal digits rows are put into buckets: buckets and the rows of one are then fewest."""
    allowed = [n for n in range(MOST_DIGITS + 1) if n == 0 or partitions * 16**n <= MOST_BUCKETS]
    return min(allowed, key=lambda n: 16**n + rows / 16**n)


def fingerprints(side: Side, slice_: Slice, digits: int) -> dict[str, Fingerprint]:
    """Each partition key of the slice that has rows, with its fingerprint."""
    said = side.dialect.as_text
    inner = [f"{side.row_hash} AS {HASH}", *([f"{side.bucket(digits)} AS {BUCKET}"] if digits else [])]
    asked = [BUCKET if digits else "''", said("count(*)"), said(f"sum({HASH})")]
    by_key: dict[str, dict[str, tuple[int, int]]] = {}
    for key, (name, rows, total) in grouped(side, slice_, Aggregates(asked, BUCKET if digits else "", inner)):
        by_key.setdefault(key, {})[name] = (int(rows), int(total))
    return {key: Fingerprint(buckets) for key, buckets in by_key.items()}
