"""Any number of raw rows -> their verdicts, with the memory of a few hundred thousand of them.

What the verdict on a row is belongs to `transforms/`; here rows are only sorted into buckets that fit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.deliveries.row_account import RowAccount
from etl_assets.institution_spec import InstitutionSpec
from etl_assets.spool import MOST_BYTES, Spool
from etl_assets.tables import QUARANTINED, cleaned_table, raw_table
from etl_assets.transforms.batches import invalid_per_day, records_per_day
from etl_assets.transforms.cleaning import clean
from etl_assets.transforms.versions import buckets

BUCKET_ROWS = 200_000


class Verdicts:
    """The published and the quarantined rows of a range, and how many there are of what."""

    def __init__(self, spec: InstitutionSpec, replaced: Collection[str] = ()) -> None:
        self._replaced = pa.array(sorted(replaced), pa.string())
        self.published, self.quarantined = Spool(cleaned_table(spec).schema), Spool(QUARANTINED.schema)
        self.account = RowAccount()
        self.records: Counter[date] = Counter()
        self.invalid: Counter[date] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.published.close()
        self.quarantined.close()

    def add(self, published: pa.Table, quarantined: pa.Table) -> None:
        self.published.add(published)
        self.quarantined.add(quarantined)
        self.account.add(published, quarantined)
        self.invalid.update(invalid_per_day(self._standing(quarantined)))

    def arrived(self, raw: pa.Table) -> None:
        """The records are counted; those of a version that was replaced say nothing of the date as it is now."""
        self.records.update(records_per_day(self._standing(raw)))

    def _standing(self, rows: pa.Table) -> pa.Table:
        return rows.filter(pc.invert(pc.is_in(rows["_delivery_id"], self._replaced))) if len(self._replaced) else rows


def verdicts_on(
    raw: Iterable[pa.Table],
    spec: InstitutionSpec,
    days: Sequence[date],
    expected_rows: int,
    replaced: Collection[str] = (),
) -> Verdicts:
    """What `clean` gives for the first to the last of `days`, whatever the number of rows.

    Rows that can be versions of one transaction share a bucket, so that each bucket can be judged by itself;
    `expected_rows` only decides how many buckets there are.
    """
    found = Verdicts(spec, replaced)
    for rows in _in_buckets(raw, spec, found, -(-expected_rows // BUCKET_ROWS) or 1):
        found.add(*clean(rows, spec, days[0], days[-1]))
    return found


def _in_buckets(raw: Iterable[pa.Table], spec: InstitutionSpec, found: Verdicts, count: int) -> Iterator[pa.Table]:
    spools = [Spool(raw_table(spec).schema, MOST_BYTES // count) for _ in range(count)]
    for rows in raw:
        found.arrived(rows)
        for bucket, part in _split(rows, buckets(rows, spec, count)):
            spools[bucket].add(part)
    for spool in spools:
        with spool:
            yield spool.whole()


def _split(rows: pa.Table, bucket: np.ndarray) -> Iterator[tuple[int, pa.Table]]:
    order = np.argsort(bucket, kind="stable")
    numbers, starts = np.unique(bucket[order], return_index=True)
    sorted_rows = rows if len(numbers) == 1 else rows.take(pa.array(order))
    ends = np.append(starts[1:], rows.num_rows)
    for number, start, end in zip(numbers.tolist(), starts.tolist(), ends.tolist(), strict=True):
        yield number, sorted_rows.slice(start, end - start)
