"""Point-in-time features of cleaned rows: what was known about account and counterparty before each event.

Pure, Arrow in and out. Which features exist belongs to `feature_groups.py`, the compiled passes to `windows.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.feature_groups import ENTITIES, LONGEST, WINDOWS, Feature, Window
from etl_assets.transforms.window_groups import Floats, Integers, codes, grouped, late_rows
from etl_assets.transforms.windows import STATISTICS, Rows, trailing

UNITS = 10_000
SMALLEST_SPREAD = 0.05
ROWS_A_BLOCK = 1_024
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
    rows = cleaned.filter(pc.less_equal(cleaned["business_date"], last))
    asked = np.flatnonzero(pc.greater_equal(rows["business_date"], first).to_numpy())
    asked = asked[_order(rows.take(pa.array(asked)))]
    result = rows.take(pa.array(asked))
    needs = frozenset[str]().union(*(feature.needs for feature in features))
    columns = _from_history(History.of(rows, asked), needs) | _calendar(result, time_zone)
    for feature in features:
        values = columns[feature.name]
        result = result.append_column(feature.name, pa.array(values, mask=np.isnan(values)))
    return result


def _order(rows: pa.Table) -> Integers:
    """The rows by business date, event and then all that they have, so that no order of arrival shows through.

    Arrow's sort by many columns is slow: only the rows that share date and instant with another go through it.
    """
    day, instant = _days(rows), rows["event_at"].cast(pa.int64()).to_numpy()
    order = np.lexsort((instant, day))
    is_same = (np.diff(day[order]) == 0) & (np.diff(instant[order]) == 0)
    tied = np.flatnonzero(np.append(is_same, [False]) | np.append([False], is_same)[: len(order)])
    names = dict.fromkeys([*(name for name in ORDER if name in rows.column_names), *sorted(rows.column_names)])
    among = pc.sort_indices(rows.take(pa.array(order[tied])), [(name, "ascending") for name in names])
    order[tied] = order[tied][among.to_numpy()]
    return np.asarray(order, np.int64)


def _from_history(history: History, needs: frozenset[str]) -> dict[str, Floats]:
    columns = {"spend": history.spend[history.asked] / UNITS}
    for entity in ENTITIES:
        if entity in needs:
            found = history.windows((f"{entity}_id", "currency"), WINDOWS)
            columns |= {f"{entity}_{name}": values for name, values in found.items()}
    if "account" in needs:
        columns |= _against_history(columns)
    if needs.issuperset(ENTITIES):
        pairs = history.windows(("account_id", "counterparty_id", "currency"), (LONGEST,))
        paid = pairs[f"count_{LONGEST.name}"]
        columns["counterparty_is_new"] = np.where(np.isnan(paid), np.nan, paid == 0)
    return columns


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
    """Hour and weekday of the event on the institution's own clock, as points on a circle: 23 h is near 0 h.

    Looked up, not computed row by row: a vectorised sine may round by where in the array a value stands.
    """
    local = pc.local_timestamp(rows["event_at"].cast(pa.timestamp("us", time_zone)))
    minute = pc.add(pc.multiply(pc.hour(local), 60), pc.minute(local)).to_numpy()
    minutes, days = np.arange(24 * 60), np.arange(7)
    hour_share = (minutes // 60 + minutes % 60 / 60) / 24
    return _on_circle("hour", minute, hour_share) | _on_circle("weekday", pc.day_of_week(local).to_numpy(), days / 7)


def _on_circle(name: str, step: Integers, share: Floats) -> dict[str, Floats]:
    return {f"{name}_sin": np.sin(2 * np.pi * share)[step], f"{name}_cos": np.cos(2 * np.pi * share)[step]}


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


def _days(rows: pa.Table) -> Integers:
    return np.asarray(rows["business_date"].cast(pa.int32()).to_numpy(), np.int64)


@dataclass(frozen=True)
class History:
    """All rows as arrays, and which of them are `asked` for, in the order of the result."""

    rows: pa.Table
    asked: Integers
    second: Integers
    known: Integers
    spend: Integers
    place: Integers
    by_time: Integers

    @classmethod
    def of(cls, rows: pa.Table, asked: Integers) -> History:
        second = np.floor_divide(rows["event_at"].cast(pa.int64()).to_numpy(), 1_000_000)
        place = np.full(rows.num_rows, -1, np.int64)
        place[asked] = np.arange(len(asked))
        return cls(rows, asked, second, _days(rows), _spend(rows), place, np.argsort(second, kind="stable"))

    def windows(self, names: Sequence[str], windows: Sequence[Window]) -> dict[str, Floats]:
        """What the rows of the same `names` come to in each window, and the seconds since the last of them.

        NaN where a row lacks one of the names. Without a window the last row would depend on how much history the
        caller happens to hold. Raises: AmountsTooLarge.
        """
        code = codes(self.rows, names)
        order, starts = grouped(code, self.by_time, int(code.max(initial=-1)) + 1)
        second, known, spend, place = (a[order] for a in (self.second, self.known, self.spend, self.place))
        rows = Rows(second, known, spend, place, late_rows(second, known, place, starts))
        found = np.full((len(self.asked), 1 + len(windows) * len(STATISTICS)), np.nan)
        widths = np.array([window.seconds for window in windows])
        refused = trailing(rows, starts, widths, float(UNITS), found)
        if refused >= 0:
            currency = self.rows["currency"][int(order[starts[refused]])]
            raise AmountsTooLarge(
                f"the amounts of one {names[0]} in {currency} are too large to be summed exactly; is their scale right?"
            )
        keys = ["since_last", *(f"{statistic}_{window.name}" for window in windows for statistic in STATISTICS)]
        return dict(zip(keys, _columns(found), strict=True))


def _columns(rows: Floats) -> Floats:
    """The transpose, a block that fits the cache at a time: column by column each would read all of `rows`."""
    columns = np.empty(rows.shape[::-1])
    for start in range(0, len(rows), ROWS_A_BLOCK):
        columns[:, start : start + ROWS_A_BLOCK] = rows[start : start + ROWS_A_BLOCK].T
    return columns
