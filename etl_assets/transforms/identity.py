"""Which rows are versions of one transaction, and which of them counts: ids from content, duplicates, supersession.

Judges valid rows in version order only; whether a row is valid is decided before (`canonical.py`, `rules.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.transforms.values import Mask

Integers = npt.NDArray[np.int64]
NO_ROW = -1


class Fates(NamedTuple):
    """Per row: whether it repeats an earlier one or was superseded by a later one, and which (else NO_ROW)."""

    is_duplicate: Mask
    is_superseded: Mask
    other_row: Integers


def joined(columns: Sequence[pa.Array]) -> pa.Array:
    """One binary value per row, equal exactly when all columns are.

    NUL separates and byte FF stands for null: no valid UTF-8 text contains FF, and no valid row a NUL.
    """
    parts = [_text(column).cast(pa.binary()) for column in columns]
    return pc.binary_join_element_wise(*parts, b"\0", null_handling="replace", null_replacement=b"\xff")


def _text(column: pa.Array) -> pa.Array:
    return (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).cast(pa.string())


def codes(values: pa.Array) -> Integers:
    """A number for each distinct value, in order of appearance."""
    found: Integers = values.dictionary_encode().indices.to_numpy().astype(np.int64)
    return found


def content_ids(contents: pa.Array, deliveries: Integers) -> pa.Array:
    """An id for each row of a source that has none: hash of its content, and its number among equals in its delivery.

    Numbered within the delivery, so that the same fare paid twice stays two rows and a re-delivery gets the same two
    ids. Rows must be in version order.
    """
    hashes = [blake2b(content, digest_size=16).hexdigest() for content in contents.to_pylist()]
    ids = pa.array(hashes, pa.string())
    numbers = pa.array(_occurrences(deliveries * len(hashes) + codes(ids)))
    return pc.binary_join_element_wise(ids, numbers.cast(pa.string()), "-")


def _occurrences(groups: Integers) -> Integers:
    order = np.argsort(groups, kind="stable")
    positions = np.arange(len(groups))
    is_first = np.diff(groups[order], prepend=-1) != 0
    numbers = np.empty(len(groups), np.int64)
    numbers[order] = positions - np.maximum.accumulate(np.where(is_first, positions, 0)) + 1
    return numbers


def fates(keys: Integers, days: Integers, contents: Callable[[Integers], Integers], horizon_days: int) -> Fates:
    """What becomes of each row among the versions of its key, which are the rows at most `horizon_days` from it.

    Rows are in version order; `contents` numbers the distinct contents of the rows it is given. Among its versions a
    row is a duplicate of the first row of its run of equal contents, else superseded by the first row of the next
    run, else in force. The versions are a window around each row, not a chain through others: a chain would make a
    day depend on rows that a run of this day alone does not read.
    """
    rows = _repeated(keys)
    none = np.zeros(len(keys), np.bool_)
    found = Fates(none, none.copy(), np.full(len(keys), NO_ROW))
    if not len(rows):
        return found
    keys, days = keys[rows], days[rows]
    window_start, window_end = _windows(keys, days, horizon_days)
    run_start, next_run = _runs(contents(rows))
    positions = np.arange(len(rows))
    first = np.maximum(run_start, window_start)
    is_duplicate = first < positions
    is_superseded = ~is_duplicate & (next_run < window_end)
    found.is_duplicate[rows] = is_duplicate
    found.is_superseded[rows] = is_superseded
    found.other_row[rows[is_duplicate]] = rows[first[is_duplicate]]
    found.other_row[rows[is_superseded]] = rows[next_run[is_superseded]]
    return found


def _repeated(keys: Integers) -> Integers:
    rows = np.flatnonzero(np.bincount(keys)[keys] > 1) if len(keys) else np.arange(0)
    found: Integers = rows[np.argsort(keys[rows], kind="stable")]
    return found


def _windows(keys: Integers, days: Integers, horizon_days: int) -> tuple[Integers, Integers]:
    since = days - days.min()
    line = keys * (since.max() + 2 * horizon_days + 1) + since
    return np.searchsorted(line, line - horizon_days, "left"), np.searchsorted(line, line + horizon_days, "right")


def _runs(contents: Integers) -> tuple[Integers, Integers]:
    """Where the run of equal contents round each row starts and where the next one does; windows keep keys apart."""
    is_start = np.diff(contents, prepend=-1) != 0
    starts = np.flatnonzero(is_start)
    run = np.cumsum(is_start) - 1
    return starts[run], np.append(starts[1:], len(contents))[run]
