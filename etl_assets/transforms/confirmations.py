"""What was confirmed about transactions, by the moment at which it was known.

Pure, Arrow in and out. What labels tell about later rows belongs to `labels.py`, where they come from to the assets.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.feature_groups import FEATURES
from etl_assets.transforms.features import compute_features
from etl_assets.transforms.labels import explained_by_amount

ROBUST = "spend_robust_zscore_30d"
INSTANT = pa.timestamp("us", "UTC")
JUDGED_BY = tuple(feature for feature in FEATURES if feature.name == ROBUST)


@dataclass(frozen=True)
class Clock:
    """How long after a transaction its label is known, on the clock of the institution."""

    time_zone: str
    known_after_days: int

    def known_at(self, rows: pa.Table) -> pa.ChunkedArray:
        """When the label of each row is known: so many days after the event, at the same local time.

        After the begin of its business date, where the event came late: nobody confirms what has not been delivered.
        On the local clock, where a day may have 23 hours, since a label belongs to one business date.
        """
        later = pc.max_element_wise(self._local(rows["event_at"]), rows["business_date"].cast(pa.timestamp("us")))
        known = pc.add(later, pa.scalar(timedelta(days=self.known_after_days), pa.duration("us")))
        return pc.assume_timezone(known, self.time_zone, ambiguous="earliest", nonexistent="latest").cast(INSTANT)

    def known_on(self, known_at: pa.ChunkedArray) -> pa.ChunkedArray:
        """The local date of each instant."""
        return self._local(known_at).cast(pa.date32())

    def _local(self, instants: pa.ChunkedArray) -> pa.ChunkedArray:
        return pc.local_timestamp(instants.cast(pa.timestamp("us", self.time_zone)))


def confirmations(cleaned: pa.Table, first: date, last: date, clock: Clock) -> pa.Table:
    """The labels of the rows with first <= business_date <= last, each on the day on which it was known.

    `cleaned` holds the history of those days as well, from which it follows whether a fraud's amount was strange for
    its account. Beside the columns of `cleaned`: transaction_date, known_at and is_explained, never null;
    `business_date` is the local date of `known_at`.
    """
    day = cleaned["business_date"]
    is_asked = pc.and_(pc.greater_equal(day, first), pc.less_equal(day, last))
    labelled = cleaned.filter(pc.and_(is_asked, pc.is_valid(cleaned["is_fraud"])))
    genuine, frauds = (labelled.filter(pc.equal(labelled["is_fraud"], verdict)) for verdict in (False, True))
    rows = pa.concat_tables(
        [_with(genuine, is_explained=_no(genuine)), _explained(cleaned, frauds, first, last, clock)]
    )
    known_at = clock.known_at(rows)
    rows = _with(rows, transaction_date=rows["business_date"], known_at=known_at)
    return rows.set_column(rows.schema.get_field_index("business_date"), "business_date", clock.known_on(known_at))


def _explained(cleaned: pa.Table, frauds: pa.Table, first: date, last: date, clock: Clock) -> pa.Table:
    """The frauds with `is_explained`; only the history of their accounts is looked at, since frauds are few."""
    if "account_id" not in cleaned.column_names or not frauds.num_rows:
        return _with(frauds, is_explained=_no(frauds))
    theirs = cleaned.filter(pc.is_in(cleaned["account_id"], pc.unique(frauds["account_id"])))
    featured = compute_features(theirs, JUDGED_BY, first, last, clock.time_zone)
    featured = featured.filter(featured["is_fraud"])
    return _with(featured.drop_columns([ROBUST]), is_explained=explained_by_amount(featured))


def _with(rows: pa.Table, **columns: pa.ChunkedArray) -> pa.Table:
    for name, values in columns.items():
        rows = rows.append_column(name, values)
    return rows


def _no(rows: pa.Table) -> pa.Array:
    return pa.repeat(pa.scalar(value=False), rows.num_rows)
