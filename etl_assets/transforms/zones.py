"""Local clock -> UTC in the institution's time zone, with what a clock change does to it.

Moments in, instants out; reading text is in `timestamps.py`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.transforms.timestamps import DAY_US, Integers, Moments
from etl_assets.transforms.values import Mask

INSTANT = pa.timestamp("us", "UTC")


class Instants(NamedTuple):
    """`at` is null where the text was not read or the local time does not exist; `local_days` since 1970."""

    at: pa.Array
    is_ambiguous: Mask
    does_not_exist: Mask
    local_days: Integers


def instants(moments: Moments, zone: str, precision: Literal["second", "day"]) -> Instants:
    """The instant of each moment: an ambiguous local time is the first occurrence, a nonexistent one is none.

    With day precision it is the first instant of the local day, which always exists: clocks that change at midnight
    would otherwise empty a whole day.
    """
    local = np.where(moments.is_utc, _local(moments.microseconds, zone), moments.microseconds)
    if precision == "day":
        local = local // DAY_US * DAY_US
    first, last = _utc(local, zone, "earliest"), _utc(local, zone, "latest")
    is_gap, is_twice = _changes(local, first, last, zone)
    days = local // DAY_US
    if precision == "day":
        none = np.zeros(len(local), np.bool_)
        return Instants(_at(np.where(is_gap, last, first), moments.is_read), none, none, days)
    is_local = moments.is_read & ~moments.is_utc
    at = np.where(moments.is_utc, moments.microseconds, first)
    return Instants(_at(at, moments.is_read & ~(is_gap & is_local)), is_twice & is_local, is_gap & is_local, days)


def _at(microseconds: Integers, is_there: Mask) -> pa.Array:
    return pa.array(microseconds, pa.int64(), mask=~is_there).cast(INSTANT)


def _local(utc: Integers, zone: str) -> Integers:
    instants_there = pa.array(utc, pa.int64()).cast(pa.timestamp("us", zone))
    found: Integers = pc.local_timestamp(instants_there).cast(pa.int64()).to_numpy()
    return found


def _utc(local: Integers, zone: str, which: Literal["earliest", "latest"]) -> Integers:
    clock = pa.array(local, pa.int64()).cast(pa.timestamp("us"))
    found: Integers = pc.assume_timezone(clock, zone, ambiguous=which, nonexistent=which).cast(pa.int64()).to_numpy()
    return found


def _changes(local: Integers, first: Integers, last: Integers, zone: str) -> tuple[Mask, Mask]:
    is_changed = first != last
    is_gap = is_changed.copy()
    is_gap[is_changed] = _local(first[is_changed], zone) != local[is_changed]
    return is_gap, is_changed & ~is_gap
