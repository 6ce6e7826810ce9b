"""Point-in-time features of cleaned rows: what was known about account and counterparty before each event.

Pure, Arrow in and out. Which features exist belongs to `feature_groups.py`, what one is to `blocks.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from etl_assets.feature_groups import Feature
from etl_assets.transforms.blocks import Block
from etl_assets.transforms.history import AmountsTooLarge, History
from etl_assets.transforms.parts import parts_of
from etl_assets.transforms.window_groups import Floats

__all__ = ["AmountsTooLarge", "compute_features", "feature_batches", "features_in_pieces", "stretches_of"]

ROWS_A_BATCH = 65_536
ROWS_A_STRETCH = 1_500_000


def compute_features(  # noqa: PLR0913  what a feature may depend on, and nothing else
    cleaned: pa.Table,
    features: Sequence[Feature],
    first: date,
    last: date,
    time_zone: str,
    *,
    labels: pa.Table | None = None,
) -> pa.Table:
    """The rows with first <= business_date <= last, their columns and one float64 column per feature.

    A row at second t of business date D sees rows of its entity and currency with t - w <= second < t and a
    business date not later than D: what was delivered later was not known, whenever it happened. Rows of
    the same second do not see each other. Null where the row has no such entity or, but for counts and sums, no
    history. Of `labels` (shape: `labels.SCHEMA`) a row sees those that arrived in [t - w, t). Raises:
    AmountsTooLarge.
    """
    batches = feature_batches(cleaned, features, first, last, time_zone, labels=labels)
    return pa.Table.from_batches(batches, featured_schema(cleaned.schema, features))


def feature_batches(  # noqa: PLR0913  as above
    cleaned: pa.Table,
    features: Sequence[Feature],
    first: date,
    last: date,
    time_zone: str,
    *,
    labels: pa.Table | None = None,
) -> Iterator[pa.RecordBatch]:
    """The same rows a batch at a time, so that whoever writes them down never holds them all."""
    history = History.of(cleaned, first, last)
    parts = parts_of(history, time_zone, labels)
    schema = featured_schema(cleaned.schema, features)
    for start in range(0, len(history.asked), ROWS_A_BATCH):
        block = Block(history, parts, slice(start, start + ROWS_A_BATCH))
        values = [_column(block[feature.name]) for feature in features]
        yield pa.RecordBatch.from_arrays([*block.columns(), *values], schema=schema)


def features_in_pieces(  # noqa: PLR0913  as above
    read: Callable[[date, date], pa.Table],
    features: Sequence[Feature],
    stretches: Iterable[tuple[date, date]],
    *,
    history_days: int,
    time_zone: str,
    labels: pa.Table | None = None,
) -> Iterator[pa.RecordBatch]:
    """The features of any number of days in bounded memory, equal bit for bit to those of the range at once.

    `read` gives the cleaned rows of a range of business dates; `history_days` is how many before its own a date
    may see. Only one of the `stretches` and its history is in memory at a time.
    """
    for first, last in stretches:
        cleaned = read(first - timedelta(days=history_days), last)
        yield from feature_batches(cleaned, features, first, last, time_zone, labels=labels)


def stretches_of(rows_of: Mapping[date, int], rows_a_stretch: int = ROWS_A_STRETCH) -> Iterator[tuple[date, date]]:
    """The days, each with its number of rows, in stretches that have at most `rows_a_stretch` or are one day."""
    days: list[date] = []
    for day in sorted(rows_of):
        is_apart = days and day - days[-1] > timedelta(days=1)
        if is_apart or (days and sum(rows_of[d] for d in days) + rows_of[day] > rows_a_stretch):
            yield days[0], days[-1]
            days = []
        days.append(day)
    if days:
        yield days[0], days[-1]


def featured_schema(cleaned: pa.Schema, features: Sequence[Feature]) -> pa.Schema:
    """The columns of the cleaned rows, then the features."""
    return pa.schema([*cleaned, *(pa.field(feature.name, pa.float64()) for feature in features)])


def _column(values: Floats) -> pa.Array:
    """The values as they stand in memory, null for NaN: what `pa.array` gives, without a look at each of them."""
    missing = np.isnan(values)
    nulls = np.count_nonzero(missing)
    is_there = pa.py_buffer(np.packbits(~missing, bitorder="little")) if nulls else None
    data = pa.py_buffer(np.ascontiguousarray(values, np.float64))
    return pa.Array.from_buffers(pa.float64(), len(values), [is_there, data], nulls)
