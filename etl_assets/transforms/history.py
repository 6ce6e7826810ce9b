"""Cleaned rows as arrays, grouped by entity, and which of them the result asks for.

Strings become numbers here, once; what is computed of them belongs to the parts beside this module.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.transforms.window_groups import Facts, Integers, Rows, codes, combined, grouped, late_rows

UNITS = 10_000
ORDER = ("business_date", "event_at", "_delivery_id", "_row_number")


class AmountsTooLarge(ValueError):  # noqa: N818  the fact
    """The sums of one entity would not fit 64 bits; wrapped around they would be plausible nonsense."""


class Groups(NamedTuple):
    """The rows of each entity by time: `order` their numbers, `starts` where each group begins."""

    rows: Rows
    order: Integers
    starts: Integers


@dataclass(frozen=True)
class History:
    """All rows as arrays, and which of them are `asked` for, in the order of the result."""

    rows: pa.Table
    asked: Integers
    known: Integers
    instant: Integers
    _codes: dict[str, Integers] = field(default_factory=dict)
    _groups: dict[str, Groups] = field(default_factory=dict)

    @classmethod
    def of(cls, cleaned: pa.Table, first: date, last: date) -> History:
        """The rows delivered up to `last`; asked for are those from `first`."""
        days = cleaned["business_date"]
        rows = cleaned if pc.all(pc.less_equal(days, last)).as_py() else cleaned.filter(pc.less_equal(days, last))
        known = np.asarray(rows["business_date"].cast(pa.int32()).to_numpy(), np.int64)
        instant = rows["event_at"].cast(pa.int64()).to_numpy()
        asked = np.flatnonzero(known >= (first - date(1970, 1, 1)).days)
        return cls(rows, asked[_order(rows, asked, known[asked], instant[asked])], known, instant)

    @cached_property
    def second(self) -> Integers:
        return np.floor_divide(self.instant, 1_000_000)

    @cached_property
    def spend(self) -> Integers:
        """What leaves the account in 1/10,000 of the currency unit; 0 for money that comes in.

        Signed, one salary would turn the account's sum negative for a month and make every payment after it strange.
        """
        try:
            units = pc.multiply(self.rows["amount"].cast(pa.decimal128(28, 4)), pa.scalar(UNITS, pa.decimal128(5, 0)))
            amounts = units.cast(pa.decimal128(38, 4)).cast(pa.int64()).to_numpy()
        except pa.ArrowInvalid as error:
            text = "an amount does not fit 64 bits in 1/10,000 of its unit; is its scale right?"
            raise AmountsTooLarge(text) from error
        return np.asarray(np.maximum(-amounts, 0), np.int64)

    @cached_property
    def place(self) -> Integers:
        """Per row its row in the result, or -1."""
        place = np.full(self.rows.num_rows, -1, np.int64)
        place[self.asked] = np.arange(len(self.asked))
        return place

    def part(self, rows: slice) -> pa.Table:
        """The rows of a stretch of the result, taken from near where they stand: Arrow joins all that it takes from."""
        asked = self.asked[rows]
        first, last = asked.min(), asked.max()
        near = self.rows.slice(first, last - first + 1)
        return near if np.array_equal(asked, np.arange(first, last + 1)) else near.take(pa.array(asked - first))

    def codes(self, name: str) -> Integers:
        """A number per row and distinct value of the column, -1 where the row has none."""
        if name not in self._codes:
            is_there = name in self.rows.column_names
            self._codes[name] = codes(self.rows[name]) if is_there else np.full(self.rows.num_rows, -1, np.int64)
        return self._codes[name]

    def groups(self, name: str) -> Groups:
        """The rows of each `name` and currency; a row that lacks `name` is in none."""
        if name not in self._groups:
            code = combined(self.codes(name), self.codes("currency"))
            facts = Facts(self.second, self.known, self.spend, self.place)
            order, starts, ordered = grouped(code, self._by_time, int(code.max(initial=-1)) + 1, facts)
            self._groups[name] = Groups(Rows(*ordered, late_rows(ordered, starts)), order, starts)
        return self._groups[name]

    @cached_property
    def _by_time(self) -> Integers:
        return np.argsort(self.second, kind="stable")


def _order(rows: pa.Table, asked: Integers, day: Integers, instant: Integers) -> Integers:
    """The rows by business date, event and then all that they have, so that no order of arrival shows through.

    Arrow's sort by many columns is slow: only the rows that share date and instant with another go through it.
    """
    order = np.lexsort((instant, day))
    is_same = (np.diff(day[order]) == 0) & (np.diff(instant[order]) == 0)
    tied = np.flatnonzero(np.append(is_same, [False]) | np.append([False], is_same)[: len(order)])
    names = dict.fromkeys([*(name for name in ORDER if name in rows.column_names), *sorted(rows.column_names)])
    among = pc.sort_indices(rows.take(pa.array(asked[order[tied]])), [(name, "ascending") for name in names])
    order[tied] = order[tied][among.to_numpy()]
    return np.asarray(order, np.int64)
