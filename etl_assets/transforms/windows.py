"""Trailing windows per group, compiled: what each row's visible past adds up to, for any group.

Integers in, NaN out where there is no value. All compiled code stands in this one file, because numba's cache on
disk does not notice a change in another. What the arrays mean belongs to `features.py`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from etl_assets.transforms.window_groups import Flags, Floats, Integers, Rows, compiled, inner

Wide = tuple[np.uint64, np.uint64]

STATISTICS = ("count", "sum", "std", "max")
N, TOTAL, TOP, LATEST = 0, 1, 2, 3
LOW_32, BITS_32 = np.uint64(0xFFFFFFFF), np.uint64(32)
TWO_64, LARGEST = 2.0**64, 2.0**126


class Groups(NamedTuple):
    """Where each group of rows begins, and which are left to do."""

    starts: Integers
    is_left: Flags


class Tally(NamedTuple):
    """Exact aggregates: `sums[..., (N, TOTAL, TOP, LATEST)]`, sums of squares as (high, low) of 128 bits."""

    sums: Integers
    squares: NDArray[np.uint64]


@compiled
def trailing(rows: Rows, groups: Groups, widths: Integers, units: float, result: Floats) -> int:
    """`result[place]` is the age of the youngest row in the widest window, then STATISTICS of each window.

    A row sees the rows of its group in [second - width, second) that were known by its own `known`; `widths` ascend.
    All sums are integers to the last step: a float that values are added to and taken from remembers what passed
    through, and a day on its own would differ from the same day in a range. Returns -1, or a group that does not fit.
    """
    starts, largest = groups.starts, 0
    for group in np.flatnonzero(groups.is_left):
        largest = max(largest, starts[group + 1] - starts[group])
    tally, before = _tally(largest, len(widths)), _tally(largest + 1, 1)
    peaks = np.empty(largest, np.int64)
    for group in np.flatnonzero(groups.is_left):
        own = _part(rows, starts[group], starts[group + 1])
        if not np.any(own.place >= 0):
            continue
        _add_prompt(own, widths, tally, before, peaks)
        if np.any(own.is_late):
            _add_late(own, np.flatnonzero(own.is_late), widths, tally)
        if not _finish(own, tally, units, result):
            return int(group)
    return -1


@inner
def _tally(rows: int, windows: int) -> Tally:
    return Tally(np.zeros((rows, windows, 4), np.int64), np.zeros((rows, windows, 2), np.uint64))


@inner
def _part(rows: Rows, start: int, end: int) -> Rows:
    second, known, value = rows.second[start:end], rows.known[start:end], rows.value[start:end]
    return Rows(second, known, value, rows.place[start:end], rows.is_late[start:end])


@inner
def _add_prompt(rows: Rows, widths: Integers, tally: Tally, before: Tally, peaks: Integers) -> None:
    """`tally` holds what the rows that are not late add up to in each window.

    `before` are running totals, exact modulo 2^64 and 2^128. `peaks` are the rows that no later one reaches: the
    first of them inside a window is its maximum, so that one list serves all windows.
    """
    oldest, highest = np.zeros(len(widths), np.int64), np.zeros(len(widths), np.int64)
    peak_count, latest, start = 0, 0, 0
    while start < len(rows.second):
        end = _end_of_second(rows.second, start)
        for w in range(len(widths)):
            while rows.second[oldest[w]] < rows.second[start] - widths[w]:
                oldest[w] += 1
            while highest[w] < peak_count and peaks[highest[w]] < oldest[w]:
                highest[w] += 1
            top = rows.value[peaks[highest[w]]] if highest[w] < peak_count else 0
            high, low = _minus(_wide(before, start, 0), _wide(before, oldest[w], 0))
            for row in range(start, end):
                tally.sums[row, w, N] = before.sums[start, 0, N] - before.sums[oldest[w], 0, N]
                tally.sums[row, w, TOTAL] = before.sums[start, 0, TOTAL] - before.sums[oldest[w], 0, TOTAL]
                tally.sums[row, w, TOP], tally.sums[row, w, LATEST] = top, latest
                tally.squares[row, w, 0], tally.squares[row, w, 1] = high, low
        for row in range(start, end):
            for field in range(4):
                before.sums[row + 1, 0, field] = before.sums[row, 0, field]
            before.squares[row + 1, 0, 0], before.squares[row + 1, 0, 1] = _wide(before, row, 0)
            if not rows.is_late[row]:
                _include(before, row + 1, 0, rows, row)
                peak_count = _push(peaks, peak_count, rows.value, row)
                for w in range(len(widths)):
                    highest[w] = min(highest[w], peak_count - 1)
                latest = rows.second[row]
        start = end


@inner
def _end_of_second(second: Integers, start: int) -> int:
    end = start
    while end < len(second) and second[end] == second[start]:
        end += 1
    return end


@inner
def _push(peaks: Integers, count: int, value: Integers, row: int) -> int:
    while count > 0 and value[peaks[count - 1]] <= value[row]:
        count -= 1
    peaks[count] = row
    return count + 1


@inner
def _add_late(rows: Rows, late: Integers, widths: Integers, tally: Tally) -> None:
    """`tally` also holds the late rows that each row may see, by a tree over their seconds that grows day by day.

    Looking through them one by one would take the square of their number where a source books days after the fact.
    """
    by_known = np.argsort(rows.known, kind="mergesort")
    seconds, leaf = np.empty(len(late), np.int64), np.full(len(rows.known), -1)
    for i in range(len(late)):
        seconds[i], leaf[late[i]] = rows.second[late[i]], i
    tree, told = _tally(2 * len(late), 1), 0
    for row in by_known:
        while told < len(by_known) and rows.known[by_known[told]] <= rows.known[row]:
            node = leaf[by_known[told]] + len(late) if leaf[by_known[told]] >= 0 else 0
            while node > 0:
                _include(tree, node, 0, rows, by_known[told])
                node //= 2
            told += 1
        if rows.place[row] >= 0:
            right = np.searchsorted(seconds, rows.second[row]) + len(late)
            for w in range(len(widths)):
                left = np.searchsorted(seconds, rows.second[row] - widths[w]) + len(late)
                _add_range(tally, row, w, tree, (left, right))


@inner
def _add_range(tally: Tally, row: int, w: int, tree: Tally, nodes: tuple[int, int]) -> None:
    left, right = nodes
    while left < right:
        if left % 2 == 1:
            _add(tally, row, w, tree, left)
            left += 1
        if right % 2 == 1:
            right -= 1
            _add(tally, row, w, tree, right)
        left, right = left // 2, right // 2


@inner
def _add(tally: Tally, row: int, w: int, other: Tally, node: int) -> None:
    is_first, is_empty = tally.sums[row, w, N] == 0, other.sums[node, 0, N] == 0
    for field in (TOP, LATEST):
        if is_first or (not is_empty and other.sums[node, 0, field] > tally.sums[row, w, field]):
            tally.sums[row, w, field] = other.sums[node, 0, field]
    for field in (N, TOTAL):
        tally.sums[row, w, field] += other.sums[node, 0, field]
    tally.squares[row, w, 0], tally.squares[row, w, 1] = _plus(_wide(tally, row, w), _wide(other, node, 0))


@inner
def _include(tally: Tally, at: int, w: int, rows: Rows, row: int) -> None:
    value, second, size = rows.value[row], rows.second[row], np.uint64(abs(rows.value[row]))
    if tally.sums[at, w, N] == 0:
        tally.sums[at, w, TOP], tally.sums[at, w, LATEST] = value, second
    tally.sums[at, w, N] += 1
    tally.sums[at, w, TOTAL] += value
    tally.sums[at, w, TOP] = max(tally.sums[at, w, TOP], value)
    tally.sums[at, w, LATEST] = max(tally.sums[at, w, LATEST], second)
    tally.squares[at, w, 0], tally.squares[at, w, 1] = _plus(_wide(tally, at, w), _times(size, size))


@inner
def _finish(rows: Rows, tally: Tally, units: float, result: Floats) -> bool:
    """The group's rows of `result` are filled; or False, when count times the sum of squares leaves 126 bits."""
    squares = 0.0
    for value in rows.value:
        squares += float(value) * float(value)
    if squares >= LARGEST:
        return False
    for row in range(len(rows.place)):
        if rows.place[row] < 0:
            continue
        cells = result[rows.place[row]]
        for w in range(tally.sums.shape[1]):
            count, total, square = tally.sums[row, w, N], tally.sums[row, w, TOTAL], _wide(tally, row, w)
            if count * _float(square) >= LARGEST:
                return False
            cells[1 + 4 * w], cells[2 + 4 * w] = count, total / units
            cells[0] = cells[3 + 4 * w] = cells[4 + 4 * w] = np.nan
            if count > 0:
                cells[0] = rows.second[row] - tally.sums[row, w, LATEST]
                cells[3 + 4 * w] = _deviation(count, total, square) / units
                cells[4 + 4 * w] = tally.sums[row, w, TOP] / units
    return True


@inner
def _deviation(count: int, total: int, square: Wide) -> float:
    """sqrt(n * sum(x^2) - sum(x)^2) / n, the population's standard deviation: the difference is exact."""
    high, low = _times(np.uint64(count), square[1])
    size = np.uint64(abs(total))
    variance = _minus((high + np.uint64(count) * square[0], low), _times(size, size))
    return float(np.sqrt(_float(variance)) / count)


@inner
def _times(a: np.uint64, b: np.uint64) -> Wide:
    a1, a0, b1, b0 = a >> BITS_32, a & LOW_32, b >> BITS_32, b & LOW_32
    low, cross_1, cross_2 = a0 * b0, a1 * b0, a0 * b1
    middle = (low >> BITS_32) + (cross_1 & LOW_32) + (cross_2 & LOW_32)
    high = a1 * b1 + (cross_1 >> BITS_32) + (cross_2 >> BITS_32) + (middle >> BITS_32)
    return high, (middle << BITS_32) | (low & LOW_32)


@inner
def _plus(a: Wide, b: Wide) -> Wide:
    low = a[1] + b[1]
    return a[0] + b[0] + np.uint64(low < a[1]), low


@inner
def _minus(a: Wide, b: Wide) -> Wide:
    return a[0] - b[0] - np.uint64(a[1] < b[1]), a[1] - b[1]


@inner
def _wide(tally: Tally, row: int, w: int) -> Wide:
    return tally.squares[row, w, 0], tally.squares[row, w, 1]


@inner
def _float(wide: Wide) -> float:
    return float(wide[0]) * TWO_64 + float(wide[1])
