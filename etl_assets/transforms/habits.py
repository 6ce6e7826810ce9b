"""What an account is used to, compiled: quartiles, hours, weekdays and counterparties of its moving window.

Values enter and leave a window one by one, in logarithmic time, whatever order the deliveries came in. All
compiled code of this kernel stands in this one file, because numba's cache does not notice a change in another.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from etl_assets.transforms.window_groups import Flags, Floats, Integers, compiled, inner

CELLS = ("lower_quartile", "median", "upper_quartile", "same_hour", "same_weekday", "times_paid", "distinct")
HOURS, WEEKDAYS = 24, 7
LONG, SHORT = 0, 1
SMALL = 512
"""Rows of a group up to which its window is kept as a sorted list."""
EVERYTHING = np.iinfo(np.int64).max


class Past(NamedTuple):
    """`Rows` with, per row, local hour, local weekday, and a number of the counterparty, or -1."""

    second: Integers
    known: Integers
    value: Integers
    place: Integers
    is_late: Flags
    hour: Integers
    weekday: Integers
    counterparty: Integers


class Habit(NamedTuple):
    """What the windows hold now; nothing between groups, so that no group pays for the size of another.

    `tree` counts amounts by rank, where `rank` and `ascending` are those of the group's rows; of a small group
    `ascending` is the window itself. `paid` and `distinct` are counterparties per window; `bounds` are the rows
    from and to which each window reaches.
    """

    tree: Integers
    rank: Integers
    ascending: Integers
    hours: Integers
    weekdays: Integers
    paid: NDArray[np.int32]
    distinct: Integers
    size: Integers
    bounds: Integers


@compiled
def habits(rows: Past, starts: Integers, widths: Integers, units: float, result: Floats) -> None:
    """`result[place]` is CELLS: of the window widths[LONG], and the distinct counterparties of widths[SHORT].

    A row sees the rows of its group in [second - width, second) that were known by its own `known`. Rows are
    visited by `known`, then second: what is delivered is told once, and the windows step back only as far as
    deliveries lag behind events.
    """
    largest, counterparties = 0, 1
    for group in range(len(starts) - 1):
        largest = max(largest, starts[group + 1] - starts[group])
    for counterparty in rows.counterparty:
        counterparties = max(counterparties, counterparty + 1)
    habit = _nothing(largest, counterparties)
    for group in range(len(starts) - 1):
        own = _part(rows, starts[group], starts[group + 1])
        if np.any(own.place >= 0):
            _follow(own, widths, units, _sized(habit, len(own.second)), result)


@inner
def _part(rows: Past, a: int, z: int) -> Past:
    second, known, value, place, is_late, hour, weekday, counterparty = rows
    return Past(
        second[a:z], known[a:z], value[a:z], place[a:z], is_late[a:z], hour[a:z], weekday[a:z], counterparty[a:z]
    )


@inner
def _nothing(largest: int, counterparties: int) -> Habit:
    tree, rank, ascending = np.zeros(largest + 1, np.int64), np.zeros(largest, np.int64), np.zeros(largest, np.int64)
    hours, weekdays = np.zeros(HOURS, np.int64), np.zeros(WEEKDAYS, np.int64)
    paid, bounds = np.zeros((2, counterparties), np.int32), np.zeros((2, 2), np.int64)
    return Habit(tree, rank, ascending, hours, weekdays, paid, np.zeros(2, np.int64), np.zeros(1, np.int64), bounds)


@inner
def _sized(habit: Habit, size: int) -> Habit:
    tree, rank, ascending = habit.tree[: size + 1], habit.rank[:size], habit.ascending[:size]
    return Habit(tree, rank, ascending, *habit[3:])


@inner
def _follow(rows: Past, widths: Integers, units: float, habit: Habit, result: Floats) -> None:
    size, told, now = len(rows.second), 0, EVERYTHING
    visits = np.arange(size)
    if np.any(rows.is_late):
        visits = np.argsort(rows.known, kind="mergesort")
        now = int(rows.known[visits[0]]) - 1
    if size > SMALL:
        _rank(rows.value, habit)
    habit.bounds[:] = 0
    for visit in range(size):
        row = int(visits[visit])
        if now < rows.known[row]:
            now = int(rows.known[row])
            told = _tell(rows, habit, visits, told, now)
        if rows.place[row] >= 0:
            for w in range(2):
                _move(rows, habit, w, (rows.second[row] - widths[w], rows.second[row]), now)
            _answer(rows, habit, row, units, result[rows.place[row]])
    for w in range(2):
        for row in range(habit.bounds[w, 0], habit.bounds[w, 1]):
            if rows.known[row] <= now:
                _put(rows, habit, w, row, -1)


@inner
def _rank(value: Integers, habit: Habit) -> None:
    by_value = np.argsort(value, kind="mergesort")
    for i in range(len(by_value)):
        habit.rank[by_value[i]], habit.ascending[i] = i, value[by_value[i]]


@inner
def _tell(rows: Past, habit: Habit, visits: Integers, told: int, now: int) -> int:
    """The windows also hold the rows within their bounds that `now` brings."""
    while told < len(visits) and rows.known[visits[told]] <= now:
        row = visits[told]
        for w in range(2):
            if habit.bounds[w, 0] <= row < habit.bounds[w, 1]:
                _put(rows, habit, w, row, 1)
        told += 1
    return told


@inner
def _move(rows: Past, habit: Habit, w: int, span: tuple[int, int], now: int) -> None:
    """The window holds the known rows from span[0] to before span[1]; it grows first, to never turn inside out."""
    (low, high), (since, until) = habit.bounds[w], span
    while low > 0 and rows.second[low - 1] >= since:
        low -= 1
        if rows.known[low] <= now:
            _put(rows, habit, w, low, 1)
    while high < len(rows.second) and rows.second[high] < until:
        if rows.known[high] <= now:
            _put(rows, habit, w, high, 1)
        high += 1
    while high > low and rows.second[high - 1] >= until:
        high -= 1
        if rows.known[high] <= now:
            _put(rows, habit, w, high, -1)
    while low < high and rows.second[low] < since:
        if rows.known[low] <= now:
            _put(rows, habit, w, low, -1)
        low += 1
    habit.bounds[w, 0], habit.bounds[w, 1] = low, high


@inner
def _put(rows: Past, habit: Habit, w: int, row: int, sign: int) -> None:
    counterparty = rows.counterparty[row]
    if counterparty >= 0:
        habit.paid[w, counterparty] += sign
        if habit.paid[w, counterparty] == max(sign, 0):
            habit.distinct[w] += sign
    if w == LONG:
        habit.hours[rows.hour[row]] += sign
        habit.weekdays[rows.weekday[row]] += sign
        if len(habit.rank) > SMALL:
            _count(habit.tree, habit.rank[row] + 1, sign)
        elif sign > 0:
            _insert(habit.ascending, habit.size[0], rows.value[row])
        else:
            _remove(habit.ascending, habit.size[0], rows.value[row])
        habit.size[0] += sign


@inner
def _count(tree: Integers, node: int, sign: int) -> None:
    while node < len(tree):
        tree[node] += sign
        node += node & -node


@inner
def _insert(ascending: Integers, size: int, value: int) -> None:
    """In place, from the end: for a few hundred values faster than any tree."""
    while size > 0 and ascending[size - 1] > value:
        ascending[size] = ascending[size - 1]
        size -= 1
    ascending[size] = value


@inner
def _remove(ascending: Integers, size: int, value: int) -> None:
    for i in range(np.searchsorted(ascending[:size], value), size - 1):
        ascending[i] = ascending[i + 1]


@inner
def _answer(rows: Past, habit: Habit, row: int, units: float, cells: Floats) -> None:
    """The hour is seen with its neighbours: a quarter to nine and a quarter past are the same habit."""
    size, hour, counterparty = habit.size[0], rows.hour[row], rows.counterparty[row]
    near = habit.hours[hour - 1] + habit.hours[hour] + habit.hours[(hour + 1) % HOURS]
    cells[:] = np.nan
    if size > 0:
        for quarter in range(3):
            cells[quarter] = _quartile(habit, size, quarter + 1) / units
        cells[3], cells[4] = near / size, habit.weekdays[rows.weekday[row]] / size
    if counterparty >= 0:
        cells[5], cells[6] = habit.paid[LONG, counterparty], habit.distinct[SHORT]


@inner
def _quartile(habit: Habit, size: int, quarter: int) -> float:
    """Between two amounts on the straight line between them."""
    place, rest = quarter * (size - 1) // 4, quarter * (size - 1) % 4
    low = float(_smallest(habit, place))
    return low if rest == 0 else low + (float(_smallest(habit, place + 1)) - low) * rest / 4.0


@inner
def _smallest(habit: Habit, count: int) -> int:
    """The amount in the window that `count` others are not above."""
    node, step = 0, 1
    if len(habit.rank) <= SMALL:
        return int(habit.ascending[count])
    while 2 * step < len(habit.tree):
        step *= 2
    while step > 0:
        if node + step < len(habit.tree) and habit.tree[node + step] <= count:
            node += step
            count -= habit.tree[node]
        step //= 2
    return int(habit.ascending[node])
