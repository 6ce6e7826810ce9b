"""What was known about fraud before each event: confirmed labels by the instant that they arrived, compiled.

A label is known when the institution hears of it, weeks after the payment; the payment's own time never counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.transforms.window_groups import Flags, Floats, Integers, compiled

EXPLAINED_FROM = 3.5
SCHEMA = pa.schema(
    [
        ("account_id", pa.string()),
        ("counterparty_id", pa.string()),
        ("known_at", pa.timestamp("us", "UTC")),
        ("is_fraud", pa.bool_()),
        ("is_explained", pa.bool_()),
    ]
)
"""One row per label; `known_at` is when the institution heard of it, not when the customer paid."""


def explained_by_amount(featured: pa.Table) -> pa.ChunkedArray:
    """Whether the amount alone was already strange for its account: a robust z of 3.5 or more; never null.

    3.5 is the bound at which Iglewicz and Hoaglin (1993) call a value an outlier of its own sample. A fraud below
    it looked like any other payment, so that it speaks against where it was paid rather than against the payment.
    """
    strange = pc.greater_equal(featured["spend_robust_zscore_30d"], EXPLAINED_FROM)
    return pc.fill_null(strange, fill_value=False)


def no_labels() -> pa.Table:
    """What is known where no label has ever arrived."""
    return SCHEMA.empty_table()


class Arrivals(NamedTuple):
    """Labels by entity, then second of arrival: where those of each entity begin, and running totals before each.

    Totals are of frauds and of frauds that their amount does not explain.
    """

    starts: Integers
    second: Integers
    sums: Integers


@dataclass(frozen=True)
class Known:
    """What had been heard of each entity at any instant; `names` are the entities, in the order of `arrivals`."""

    names: pa.Array
    arrivals: Arrivals

    @classmethod
    def of(cls, labels: pa.Table, column: str) -> Known:
        """What `labels` say per value of `column`; a label without one, or without a verdict, says nothing."""
        said = labels.filter(pc.and_(pc.is_valid(labels[column]), pc.is_valid(labels["is_fraud"])))
        names = pc.unique(said[column])
        code = _places(said[column], names)
        second = np.floor_divide(said["known_at"].cast(pa.int64()).to_numpy(), 1_000_000)
        order = np.lexsort((second, code))
        is_fraud, is_explained = (_flags(said[name])[order] for name in ("is_fraud", "is_explained"))
        sums = np.zeros((len(order) + 1, 2), np.int64)
        np.cumsum(np.column_stack([is_fraud, is_fraud & ~is_explained]), axis=0, out=sums[1:])
        return cls(names, Arrivals(np.searchsorted(code[order], np.arange(len(names) + 1)), second[order], sums))

    def before(self, values: pa.ChunkedArray, second: Integers, widths: Sequence[int]) -> Floats:
        """Per row, a third per window: labels, frauds and unexplained frauds known in [second - width, second)."""
        found = np.empty((3 * len(widths), len(second)))
        code = _places(values, self.names)
        count_known(code, second, self.arrivals, np.array(widths, np.int64), found)
        found[:, np.asarray(pc.is_null(values).to_numpy(), bool)] = np.nan
        return found


def _places(values: pa.ChunkedArray, names: pa.Array) -> Integers:
    found = pc.fill_null(pc.index_in(values, names), -1)
    return np.asarray(found.to_numpy(), np.int64)


def _flags(values: pa.ChunkedArray) -> Flags:
    return np.asarray(pc.fill_null(values, fill_value=False).to_numpy(), bool)


@compiled
def count_known(code: Integers, second: Integers, known: Arrivals, widths: Integers, found: Floats) -> None:
    """`found` holds what `Known.before` promises, two searches per row and window, however busy an entity is."""
    for row in range(len(code)):
        if code[row] < 0:
            found[:, row] = 0
            continue
        first, last = known.starts[code[row]], known.starts[code[row] + 1]
        until = first + np.searchsorted(known.second[first:last], second[row])
        for w in range(len(widths)):
            since = first + np.searchsorted(known.second[first:last], second[row] - widths[w])
            found[3 * w, row] = until - since
            found[3 * w + 1, row] = known.sums[until, 0] - known.sums[since, 0]
            found[3 * w + 2, row] = known.sums[until, 1] - known.sums[since, 1]
