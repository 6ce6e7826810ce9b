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

from etl_assets.transforms.window_groups import Facts, Integers, Rows, cells_of, codes, combined, grouped, late_rows

UNITS = 10_000
STRETCH = 65_536
"""Rows of the result whose cells stand together in memory."""
TOO_LARGE = "an amount does not fit 64 bits in 1/10,000 of its unit; is its scale right?"
ORDER = ("business_date", "event_at", "_delivery_id", "_row_number")


class AmountsTooLarge(ValueError):  # noqa: N818  the fact
    """The sums of one entity would not fit 64 bits; wrapped around they would be plausible nonsense."""


class Groups(NamedTuple):
    """The rows of each entity by time: `order` their numbers, `starts` where each group begins.

    The place of a row is its cell; `at` is per row of the result the cell, or -1.
    """

    rows: Rows
    order: Integers
    starts: Integers
    at: Integers


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
            amounts = self.rows["amount"].cast(pa.decimal128(38, 4))
        except pa.ArrowInvalid as error:
            raise AmountsTooLarge(TOO_LARGE) from error
        words = np.concatenate([np.empty((0, 2), np.int64), *map(_words, amounts.chunks)])
        low, high = words[:, 0], words[:, 1]
        if np.any(high != low >> 63):
            raise AmountsTooLarge(TOO_LARGE)
        return np.asarray(np.maximum(-low, 0), np.int64)

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
            cell, at = cells_of(ordered.place, len(self.asked), STRETCH)
            rows = Rows(ordered.second, ordered.known, ordered.value, cell, late_rows(ordered, starts))
            self._groups[name] = Groups(rows, order, starts, at)
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
    same = _decoded(rows.take(pa.array(asked[order[tied]])))
    among = pc.sort_indices(same, [(name, "ascending") for name in names])
    order[tied] = order[tied][among.to_numpy()]
    return np.asarray(order, np.int64)


def _decoded(rows: pa.Table) -> pa.Table:
    """The same values without dictionaries, which Arrow cannot sort by."""
    plain = [field.type.value_type if pa.types.is_dictionary(field.type) else field.type for field in rows.schema]
    return rows.cast(pa.schema([pa.field(n, t) for n, t in zip(rows.column_names, plain, strict=True)]))


def _words(amounts: pa.Array) -> Integers:
    """The lower and upper 64 bits of each decimal, as they stand in memory: ten times as fast as a cast."""
    words = np.frombuffer(amounts.buffers()[1], np.int64).reshape(-1, 2)
    return np.asarray(words[amounts.offset : amounts.offset + len(amounts)])
