"""Point-in-time features of cleaned rows: what was known about account and counterparty before each event.

Pure, Arrow in and out. Which features exist belongs to `feature_groups.py`, the compiled passes to `windows.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl_assets.feature_groups import ENTITIES, LONGEST, WINDOWS, Feature
from etl_assets.transforms.windows import Integers, late_rows, seconds_since_last, trailing

Floats = NDArray[np.float64]
UNITS = 10_000
SMALLEST_SPREAD = 0.05
ORDER = ("business_date", "event_at", "_delivery_id", "_row_number")


class AmountsTooLarge(ValueError):  # noqa: N818  the fact
    """The sums of one entity would not fit 64 bits; wrapped around they would be plausible nonsense."""


def compute_features(
    cleaned: pa.Table, features: Sequence[Feature], first: date, last: date, time_zone: str
) -> pa.Table:
    """The rows with first <= business_date <= last, their columns and one float64 column per feature.

    A row at second t of business date D sees rows of its entity and currency with t - w <= second < t and a
    business date not later than D: what was delivered later was not known, whenever it happened. Rows of
    the same second do not see each other. Null where the row has no such entity or, but for counts and sums, no
    history. Raises: AmountsTooLarge.
    """
    rows = cleaned.sort_by([(name, "ascending") for name in ORDER if name in cleaned.column_names])
    day = rows["business_date"]
    is_asked = pc.and_(pc.greater_equal(day, first), pc.less_equal(day, last))
    asked = np.asarray(is_asked.to_numpy(), dtype=bool)
    columns = _all(rows, time_zone)
    result = rows.filter(is_asked)
    for feature in features:
        values = columns[feature.name][asked]
        result = result.append_column(feature.name, pa.array(values, mask=np.isnan(values)))
    return result


def _all(rows: pa.Table, time_zone: str) -> dict[str, Floats]:
    spend = _spend(rows)
    columns: dict[str, Floats] = {"spend": spend / UNITS}
    for entity in ENTITIES:
        if f"{entity}_id" in rows.column_names:
            columns |= _of_entity(rows, entity, spend)
    if "account_mean_30d" in columns:
        columns |= _against_history(columns)
    if {"account_id", "counterparty_id"} <= set(rows.column_names):
        pairs = Grouped.of(rows, spend, ("account_id", "counterparty_id", "currency"))
        known = pairs.windows(LONGEST.seconds)["count"]
        columns["counterparty_is_new"] = np.where(np.isnan(known), np.nan, known == 0)
    return columns | _calendar(rows, time_zone)


def _of_entity(rows: pa.Table, entity: str, spend: Integers) -> dict[str, Floats]:
    grouped = Grouped.of(rows, spend, (f"{entity}_id", "currency"))
    windows = {
        f"{entity}_{statistic}_{window.name}": values
        for window in WINDOWS
        for statistic, values in grouped.windows(window.seconds).items()
    }
    return windows | {f"{entity}_since_last": grouped.since_last()}


def _against_history(columns: Mapping[str, Floats]) -> dict[str, Floats]:
    """Spend against the account's 30 days. Spreads and means near zero would make any payment look monstrous."""
    spend, mean, std = columns["spend"], columns["account_mean_30d"], columns["account_std_30d"]
    spread = np.maximum(std, np.maximum(SMALLEST_SPREAD * np.abs(mean), SMALLEST_SPREAD))
    return {
        "spend_to_mean_30d": spend / np.maximum(np.abs(mean), 1.0),
        "spend_to_max_30d": spend / np.maximum(np.abs(columns["account_max_30d"]), 1.0),
        "spend_zscore_30d": (spend - mean) / spread,
    }


def _calendar(rows: pa.Table, time_zone: str) -> dict[str, Floats]:
    """Hour and weekday of the event on the institution's own clock, as points on a circle: 23 h is near 0 h."""
    local = pc.local_timestamp(rows["event_at"].cast(pa.timestamp("us", time_zone)))
    hour = pc.add(pc.hour(local), pc.divide(pc.cast(pc.minute(local), pa.float64()), 60.0))
    angles = {"hour": _floats(hour) / 24, "weekday": _floats(pc.day_of_week(local)) / 7}
    circle = {"sin": np.sin, "cos": np.cos}
    return {
        f"{name}_{axis}": function(2 * np.pi * share)
        for name, share in angles.items()
        for axis, function in circle.items()
    }


def _spend(rows: pa.Table) -> Integers:
    """What leaves the account in 1/10,000 of the currency unit; 0 for money that comes in.

    Signed, one salary would turn the account's sum negative for a month and make every payment after it strange.
    """
    try:
        units = pc.multiply(rows["amount"].cast(pa.decimal128(28, 4)), pa.scalar(UNITS, pa.decimal128(5, 0)))
        amounts = np.asarray(units.cast(pa.decimal128(38, 4)).cast(pa.int64()).to_numpy(), dtype=np.int64)
        return np.maximum(-amounts, 0)
    except pa.ArrowInvalid as error:
        raise AmountsTooLarge("an amount does not fit 64 bits in 1/10,000 of its unit; is its scale right?") from error


def _floats(values: pa.ChunkedArray) -> Floats:
    return np.asarray(values.to_numpy(), dtype=np.float64)


@dataclass(frozen=True)
class Grouped:
    """Rows of one kind of entity sorted by group and second, with the way back to the rows' own order.

    Rows without the entity are left out; in results they are NaN.
    """

    order: Integers
    size: int
    group: Integers
    second: Integers
    known: Integers
    spend: Integers

    @classmethod
    def of(cls, rows: pa.Table, spend: Integers, names: Sequence[str]) -> Grouped:
        """The rows grouped by the columns `names`; a row that lacks one of them belongs to no group."""
        group = _codes(rows, names)
        second = np.floor_divide(rows["event_at"].cast(pa.int64()).to_numpy(), 1_000_000)
        known = rows["business_date"].cast(pa.int32()).to_numpy().astype(np.int64)
        order = np.lexsort((second, group))
        order = order[np.searchsorted(group[order], 0) :]
        grouped = cls(order, rows.num_rows, group[order], second[order], known[order], spend[order])
        grouped.refuse_overflow()
        return grouped

    def refuse_overflow(self) -> None:
        """Sums of squares must fit 126 bits: rows of the largest group times the largest amount, 63."""
        if len(self.group) == 0:
            return
        largest_group = int(np.bincount(self.group).max())
        if largest_group * float(np.abs(self.spend.astype(np.float64)).max()) >= 2.0**63:
            raise AmountsTooLarge("the amounts of one entity are too large to be summed exactly; is their scale right?")

    @cached_property
    def late(self) -> tuple[Integers, Integers]:
        late, earliest = late_rows(self.group, self.known)
        return late, earliest

    def windows(self, seconds: int) -> dict[str, Floats]:
        """Count, sum, mean, standard deviation and maximum of spend in the `seconds` before each row."""
        found = trailing(self.group, self.second, self.known, self.spend, *self.late, seconds)
        count, total, deviation, maximum = (array.astype(np.float64) for array in found)
        is_empty = count == 0
        with np.errstate(invalid="ignore"):
            columns = {"count": count, "sum": total / UNITS, "mean": total / count / UNITS}
        columns |= {"std": deviation / UNITS, "max": maximum / UNITS}
        for name in ("mean", "std", "max"):
            columns[name][is_empty] = np.nan
        return {name: self._back(values) for name, values in columns.items()}

    def since_last(self) -> Floats:
        """Seconds since the entity's last visible transaction of the longest window."""
        since = seconds_since_last(self.group, self.second, self.known, LONGEST.seconds).astype(np.float64)
        return self._back(np.where(since < 0, np.nan, since))

    def _back(self, values: Floats) -> Floats:
        result = np.full(self.size, np.nan)
        result[self.order] = values
        return result


def _codes(rows: pa.Table, names: Sequence[str]) -> Integers:
    """A number per distinct combination of the columns, -1 where one is null."""
    codes = np.zeros(rows.num_rows, dtype=np.int64)
    is_missing = np.zeros(rows.num_rows, dtype=bool)
    for name in names:
        encoded = rows[name].combine_chunks().dictionary_encode()
        indices = pc.fill_null(encoded.indices, -1).to_numpy().astype(np.int64)
        is_missing |= indices < 0
        codes = codes * (len(encoded.dictionary) + 1) + indices + 1
    _, dense = np.unique(codes, return_inverse=True)
    return np.where(is_missing, -1, dense)
