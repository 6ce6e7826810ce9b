"""Rows into groups: a number per entity, the order of its rows, and how the kernels are compiled.

What is computed within a group belongs to `windows.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Kernel = TypeVar("Kernel", bound=Callable[..., object])


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
    """The function as a part of the kernels that call it, which hold its code in their own cache entries."""
    return cast("Kernel", njit(cache=False)(function))


def codes(rows: pa.Table, names: Sequence[str]) -> Integers:
    """A number from 0 per distinct combination of the columns, -1 where one of them is null."""
    combined = pa.array(np.zeros(rows.num_rows, np.int64))
    for name in names:
        values = rows[name].combine_chunks().dictionary_encode()
        first = pc.multiply(combined, max(len(values.dictionary), 1))
        combined = pc.add(first, values.indices.cast(pa.int64())).dictionary_encode().indices.cast(pa.int64())
    return np.asarray(pc.fill_null(combined, -1).to_numpy(), np.int64)


@compiled
def grouped(code: Integers, by_time: Integers, groups: int) -> tuple[Integers, Integers]:
    """Row numbers by group, each group in the order of `by_time`, and where the groups start; code -1 is in none."""
    starts = np.zeros(groups + 1, np.int64)
    for group in code:
        if group >= 0:
            starts[group + 1] += 1
    starts = np.cumsum(starts)
    order, free = np.empty(starts[groups], np.int64), starts.copy()
    for row in by_time:
        if code[row] >= 0:
            order[free[code[row]]] = row
            free[code[row]] += 1
    return order, starts


@compiled
def late_rows(second: Integers, known: Integers, place: Integers, starts: Integers) -> Flags:
    """Which rows became known only after a later event of their group that asks (`place` >= 0); in most files few.

    Every other row is visible to all that follow it, so that one pass in the order of events serves them.
    """
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
