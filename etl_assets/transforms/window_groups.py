"""Rows into groups: a number per entity, the order of its rows, and how the kernels are compiled.

What is computed within a group belongs to `windows.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Kernel = TypeVar("Kernel", bound=Callable[..., object])


class Facts(NamedTuple):
    """Per row what the kernels need: `known` is the day of delivery, `place` the row of the result, or -1."""

    second: Integers
    known: Integers
    value: Integers
    place: Integers


class Rows(NamedTuple):
    """Facts by group, then second, and which rows arrived late."""

    second: Integers
    known: Integers
    value: Integers
    place: Integers
    is_late: Flags


def compiled(function: Kernel) -> Kernel:
    """The function as machine code, kept on disk for the next process wherever that may be written.

    numba tries NUMBA_CACHE_DIR, else the package's own __pycache__, else the user's cache directory; where all are
    read-only, as in a locked-down container, it refuses at import, and then compiling once per process must do.
    """
    try:
        return cast("Kernel", njit(cache=True)(function))
    except RuntimeError:
        return cast("Kernel", njit(cache=False)(function))


def inner(function: Kernel) -> Kernel:
    """The function as a part of the kernels that call it, which hold its code in their own cache entries.

    Inlined by force: a call would count a reference to each array in each tuple that it passes, up and down, which
    took longer than the work.
    """
    return cast("Kernel", njit(cache=False, forceinline=True)(function))


def codes(values: pa.ChunkedArray) -> Integers:
    """A number from 0 per distinct value, -1 for null."""
    encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    indices = [pc.fill_null(chunk.indices.cast(pa.int64()), -1) for chunk in encoded.unify_dictionaries().chunks]
    return np.concatenate([np.empty(0, np.int64), *(chunk.to_numpy(zero_copy_only=False) for chunk in indices)])


def combined(one: Integers, other: Integers) -> Integers:
    """A number from 0 per pair of numbers, -1 where one of them is."""
    if other.size == 0 or other.min() == other.max() == 0:
        return one
    pairs = np.where((one < 0) | (other < 0), -1, one * (other.max() + 1) + other)
    return codes(pa.chunked_array([pa.array(pairs, mask=pairs < 0)]))


@compiled
def grouped(code: Integers, by_time: Integers, groups: int, facts: Facts) -> tuple[Integers, Integers, Facts]:
    """Row numbers by group, each group in the order of `by_time`, where the groups start, and the facts so ordered.

    A row whose code is -1 is in none. One pass: every group's end stays in the cache while rows are dealt out.
    """
    starts = np.zeros(groups + 1, np.int64)
    for group in code:
        if group >= 0:
            starts[group + 1] += 1
    starts = np.cumsum(starts)
    order, free = np.empty(starts[groups], np.int64), starts.copy()
    second, known, value, place = np.empty_like(order), np.empty_like(order), np.empty_like(order), np.empty_like(order)
    for row in by_time:
        if code[row] >= 0:
            i = free[code[row]]
            free[code[row]] += 1
            order[i], second[i], known[i] = row, facts.second[row], facts.known[row]
            value[i], place[i] = facts.value[row], facts.place[row]
    return order, starts, Facts(second, known, value, place)


@compiled
def turned(cells: Floats) -> Floats:
    """The transpose, a few rows at a time that stay in the cache: column by column each would read all of `cells`."""
    rows, columns = cells.shape
    result = np.empty((columns, rows))
    for start in range(0, rows, 64):
        for column in range(columns):
            for row in range(start, min(start + 64, rows)):
                result[column, row] = cells[row, column]
    return result


@compiled
def late_rows(facts: Facts, starts: Integers) -> Flags:
    """Which rows became known only after a later event of their group that asks (`place` >= 0); in most files few.

    Every other row is visible to all that follow it, so that one pass in the order of events serves them.
    """
    second, known, place = facts.second, facts.known, facts.place
    is_late = np.zeros(len(second), np.bool_)
    for group in range(len(starts) - 1):
        earliest, end = np.iinfo(np.int64).max, starts[group + 1]
        while end > starts[group]:
            start, earliest_here = end, earliest
            while start > starts[group] and second[start - 1] == second[end - 1]:
                start -= 1
                is_late[start] = known[start] > earliest
                if place[start] >= 0:
                    earliest_here = min(earliest_here, known[start])
            earliest, end = earliest_here, start
    return is_late
