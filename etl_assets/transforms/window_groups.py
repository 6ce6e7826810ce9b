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
TILE = 256
Kernel = TypeVar("Kernel", bound=Callable[..., object])


class Facts(NamedTuple):
    """Per row what the kernels need: `known` is the day of delivery, `place` the row of the result, or -1."""

    second: Integers
    known: Integers
    value: Integers
    place: Integers


class Rows(NamedTuple):
    """Facts by group, then second, and which rows arrived late; here `place` is a row of the kernel's own result."""

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


def grouped(code: Integers, by_time: Integers, groups: int, facts: Facts) -> tuple[Integers, Integers, Facts]:
    """Row numbers by group, each group in the order of `by_time`, where the groups start, and the facts so ordered.

    A row whose code is -1 is in none. Memory is asked for here: numpy gets it in huge pages, compiled code does not.
    """
    sizes = np.bincount(code + 1, minlength=groups + 1)
    sizes[0] = 0
    starts = np.cumsum(sizes)
    dealt, columns = np.empty((starts[-1], 5), np.int64), np.empty((5, starts[-1]), np.int64)
    _deal(code, by_time, starts.copy(), facts, dealt)
    _columns(dealt, columns)
    return columns[0], starts, Facts(*columns[1:])


@compiled
def _deal(code: Integers, by_time: Integers, free: Integers, facts: Facts, dealt: Integers) -> None:
    """Dealt out whole, a row touches one place in memory instead of five. `free` is where each group goes on."""
    for row in by_time:
        if code[row] >= 0:
            i = free[code[row]]
            free[code[row]] += 1
            dealt[i, 0], dealt[i, 1], dealt[i, 2] = row, facts.second[row], facts.known[row]
            dealt[i, 3], dealt[i, 4] = facts.value[row], facts.place[row]


@compiled
def _columns(rows: Integers, columns: Integers) -> None:
    for row in range(len(rows)):
        for column in range(len(columns)):
            columns[column, row] = rows[row, column]


@compiled
def cells_of(place: Integers, size: int, stretch: int) -> tuple[Integers, Integers]:
    """A cell for each row that asks, -1 for others; and per row of the result its cell, -1 where none is in a group.

    `place` is the row of the result, of `size`, group by group. Within a stretch of the result the cells stand in
    that order, so that a kernel fills them one after the other and whoever reads the stretch finds them together.
    """
    free, cell, at = np.arange(0, size + stretch, stretch), np.full(len(place), -1), np.full(size, -1)
    for row in range(len(place)):
        if place[row] >= 0:
            cell[row] = at[place[row]] = free[place[row] // stretch]
            free[place[row] // stretch] += 1
    return cell, at


@compiled
def turned(cells: Floats, at: Integers) -> Floats:
    """The rows `at` of `cells` as columns, NaN for -1; through a tile that stays in the cache for every column."""
    rows, columns = len(at), cells.shape[1]
    result, tile = np.empty((columns, rows)), np.empty((TILE, columns))
    for start in range(0, rows, TILE):
        size = min(TILE, rows - start)
        for row in range(size):
            for column in range(columns):
                tile[row, column] = cells[at[start + row], column] if at[start + row] >= 0 else np.nan
        for column in range(columns):
            for row in range(size):
                result[column, start + row] = tile[row, column]
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
