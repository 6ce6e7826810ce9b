"""Trailing windows of groups whose rows all arrive in the order of their events and whose sums fit 64 bits, compiled.

Nearly all groups of a prompt source are so, and one pass without a tally serves them, in a third of the time. The
others, and what the values mean, belong to `windows.py`; both give the same bits.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from etl_assets.transforms.window_groups import Flags, Floats, Integers, Rows, compiled, inner

LARGEST = 2.0**62


class Sweep(NamedTuple):
    """Running totals before each row; the rows that no later one reaches; per window its oldest row and peak."""

    totals: Integers
    squares: Integers
    peaks: Integers
    oldest: Integers
    highest: Integers


@compiled
def prompt(rows: Rows, starts: Integers, widths: Integers, units: float, result: Floats) -> Flags:
    """Which groups are left to `windows.trailing`; those of the others in `result` are as it promises."""
    largest, is_left = 0, np.zeros(len(starts) - 1, np.bool_)
    for group in range(len(starts) - 1):
        largest = max(largest, starts[group + 1] - starts[group])
    oldest, highest = np.zeros(len(widths), np.int64), np.zeros(len(widths), np.int64)
    totals, squares = np.zeros(largest + 1, np.int64), np.zeros(largest + 1, np.int64)
    sweep = Sweep(totals, squares, np.zeros(largest + 1, np.int64), oldest, highest)
    for group in range(len(starts) - 1):
        a, z = starts[group], starts[group + 1]
        own = Rows(rows.second[a:z], rows.known[a:z], rows.value[a:z], rows.place[a:z], rows.is_late[a:z])
        if np.any(own.place >= 0):
            is_left[group] = not _is_easy(own)
            if not is_left[group]:
                _follow(own, widths, units, sweep, result)
    return is_left


@inner
def _is_easy(rows: Rows) -> bool:
    """No row is late, and the number of rows times their sum of squares is an exact 64 bit integer."""
    squares = 0.0
    for row in range(len(rows.value)):
        if rows.is_late[row]:
            return False
        squares += float(rows.value[row]) * float(rows.value[row])
    return squares * len(rows.value) < LARGEST


@inner
def _follow(rows: Rows, widths: Integers, units: float, sweep: Sweep, result: Floats) -> None:
    sweep.oldest[:], sweep.highest[:] = 0, 0
    peak_count, start, end = 0, 0, 0
    while start < len(rows.second):
        while end < len(rows.second) and rows.second[end] == rows.second[start]:
            if rows.place[end] >= 0:
                _answer(rows, widths, sweep, (start, peak_count), result[rows.place[end]])
                _scale(result[rows.place[end]], units)
            end += 1
        for row in range(start, end):
            peak_count = _include(rows.value, sweep, row, peak_count)
        start = end


@inner
def _include(value: Integers, sweep: Sweep, row: int, peak_count: int) -> int:
    """The row counts from now on. Peaks that it ends are gone, and no window's peak may be one of them."""
    sweep.totals[row + 1] = sweep.totals[row] + value[row]
    sweep.squares[row + 1] = sweep.squares[row] + value[row] * value[row]
    while peak_count > 0 and value[sweep.peaks[peak_count - 1]] <= value[row]:
        peak_count -= 1
    sweep.peaks[peak_count] = row
    for w in range(len(sweep.highest)):
        sweep.highest[w] = min(sweep.highest[w], peak_count)
    return peak_count + 1


@inner
def _answer(rows: Rows, widths: Integers, sweep: Sweep, now: tuple[int, int], cells: Floats) -> None:
    """Count, sum, deviation and maximum of each window before row now[0]; its amounts in 1/units."""
    row, peak_count = now
    cells[0] = np.nan
    for w in range(len(widths)):
        oldest, highest = sweep.oldest[w], sweep.highest[w]
        while rows.second[oldest] < rows.second[row] - widths[w]:
            oldest += 1
        while highest < peak_count and sweep.peaks[highest] < oldest:
            highest += 1
        sweep.oldest[w], sweep.highest[w] = oldest, highest
        count, total = row - oldest, sweep.totals[row] - sweep.totals[oldest]
        cells[1 + 4 * w], cells[2 + 4 * w] = count, total
        cells[3 + 4 * w] = cells[4 + 4 * w] = np.nan
        if count > 0:
            square = sweep.squares[row] - sweep.squares[oldest]
            cells[0] = rows.second[row] - rows.second[row - 1]
            cells[3 + 4 * w] = np.sqrt(float(count * square - total * total)) / count
            cells[4 + 4 * w] = rows.value[sweep.peaks[highest]]


@inner
def _scale(cells: Floats, units: float) -> None:
    for w in range(len(cells) // 4):
        for statistic in range(2, 5):
            cells[statistic + 4 * w] /= units
