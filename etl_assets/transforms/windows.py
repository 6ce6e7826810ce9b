"""Trailing windows per group, compiled: count, sum, squared deviation and maximum of what each row may see.

Arrays in, arrays out; integers throughout, so that a value depends on the rows in its window and on nothing that
passed through before. What the arrays mean belongs to `features.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Integers = NDArray[np.int64]
LOW_32 = np.uint64(0xFFFFFFFF)
BITS_32 = np.uint64(32)
TWO_64 = 2.0**64


@njit(cache=True, inline="always")
def _times(a: Any, b: Any) -> Any:
    """The 128-bit product of two unsigned 64-bit integers, as (high, low)."""
    a1, a0, b1, b0 = a >> BITS_32, a & LOW_32, b >> BITS_32, b & LOW_32
    low, cross_1, cross_2 = a0 * b0, a1 * b0, a0 * b1
    middle = (low >> BITS_32) + (cross_1 & LOW_32) + (cross_2 & LOW_32)
    high = a1 * b1 + (cross_1 >> BITS_32) + (cross_2 >> BITS_32) + (middle >> BITS_32)
    return high, (middle << BITS_32) | (low & LOW_32)


@njit(cache=True, inline="always")
def _plus(high: Any, low: Any, other_high: Any, other_low: Any) -> Any:
    total = low + other_low
    return high + other_high + np.uint64(total < low), total


@njit(cache=True, inline="always")
def _minus(high: Any, low: Any, other_high: Any, other_low: Any) -> Any:
    return high - other_high - np.uint64(low < other_low), low - other_low


@njit(cache=True)
def _deviation(count: int, total: int, square_high: Any, square_low: Any) -> float:
    """sqrt(n * sum(x^2) - sum(x)^2) / n, the population's standard deviation, exact up to the last two steps."""
    n = np.uint64(count)
    high, low = _times(n, square_low)
    high += n * square_high
    other_high, other_low = _times(np.uint64(abs(total)), np.uint64(abs(total)))
    high, low = _minus(high, low, other_high, other_low)
    return float(np.sqrt(np.float64(high) * TWO_64 + np.float64(low)) / count)


@njit(cache=True)
def late_rows(group: Integers, known: Integers) -> tuple[Integers, Integers]:
    """Rows that became known later than some later event of their group, and the earliest `known` from each row on.

    Only these can be invisible to a later event; in most files there are few.
    """
    n = len(group)
    earliest = np.empty(n, np.int64)
    is_late = np.zeros(n, np.bool_)
    for i in range(n - 1, -1, -1):
        is_last = i == n - 1 or group[i + 1] != group[i]
        earliest[i] = known[i] if is_last else min(known[i], earliest[i + 1])
        is_late[i] = known[i] > earliest[i]
    return np.nonzero(is_late)[0], earliest


@njit(cache=True)
def trailing(  # noqa: C901, PLR0913, PLR0917  one pass; apart, its parts would share all state
    group: Integers, second: Integers, known: Integers, value: Integers, late: Integers, earliest: Integers, width: int
) -> tuple[Integers, Integers, NDArray[np.float64], Integers]:
    """Count, sum, standard deviation and maximum of `value` over [second - width, second) in the row's group.

    Rows are sorted by group, then second. A row sees another only if that one was known by its own `known`:
    the pass takes all earlier events, then takes back the late ones that this row must not see.
    """
    n = len(group)
    counts, sums, maxima = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)
    deviations = np.zeros(n, np.float64)
    queue = np.empty(n, np.int64)
    count, total, high, low = 0, 0, np.uint64(0), np.uint64(0)
    start, end, first, last, late_from = 0, 0, 0, 0, 0
    for i in range(n):
        if i == 0 or group[i] != group[i - 1]:
            count, total, high, low = 0, 0, np.uint64(0), np.uint64(0)
            start, end, first, last = i, i, 0, 0
        while second[end] < second[i]:
            x = np.uint64(abs(value[end]))
            square_high, square_low = _times(x, x)
            high, low = _plus(high, low, square_high, square_low)
            count, total = count + 1, total + value[end]
            while last > first and value[queue[last - 1]] <= value[end]:
                last -= 1
            queue[last] = end
            last, end = last + 1, end + 1
        while second[start] < second[i] - width:
            x = np.uint64(abs(value[start]))
            square_high, square_low = _times(x, x)
            high, low = _minus(high, low, square_high, square_low)
            count, total = count - 1, total - value[start]
            start += 1
        while last > first and queue[first] < start:
            first += 1
        while late_from < len(late) and (late[late_from] < start or known[late[late_from]] <= earliest[i]):
            if late[late_from] >= i:
                break
            late_from += 1
        seen, seen_total, seen_high, seen_low = count, total, high, low
        hides_maximum = False
        for k in range(late_from, len(late)):
            j = late[k]
            if j >= end:
                break
            if j >= start and known[j] > known[i]:
                x = np.uint64(abs(value[j]))
                square_high, square_low = _times(x, x)
                seen_high, seen_low = _minus(seen_high, seen_low, square_high, square_low)
                seen, seen_total = seen - 1, seen_total - value[j]
                hides_maximum |= value[j] == value[queue[first]]
        counts[i], sums[i] = seen, seen_total
        if seen > 0:
            deviations[i] = _deviation(seen, seen_total, seen_high, seen_low)
            maxima[i] = _maximum(value, known, start, end, known[i]) if hides_maximum else value[queue[first]]
    return counts, sums, deviations, maxima


@njit(cache=True)
def _maximum(value: Integers, known: Integers, start: int, end: int, by: int) -> int:
    largest = np.iinfo(np.int64).min
    for j in range(start, end):
        if known[j] <= by:
            largest = max(largest, value[j])
    return int(largest)


@njit(cache=True)
def seconds_since_last(group: Integers, second: Integers, known: Integers, width: int) -> Integers:
    """Seconds since the latest event of the `width` seconds before that the row may see; -1 where there is none.

    Without a width the answer would change with how much history the caller happens to hold.
    """
    n = len(group)
    since = np.full(n, -1, np.int64)
    for i in range(n):
        j = i - 1
        while j >= 0 and group[j] == group[i] and (second[j] == second[i] or known[j] > known[i]):
            j -= 1
        if j >= 0 and group[j] == group[i] and second[j] >= second[i] - width:
            since[i] = second[i] - second[j]
    return since
