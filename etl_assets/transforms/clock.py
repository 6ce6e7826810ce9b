"""The institution's own clock and calendar: local time of day, weekday and place in the month of each event.

Seconds in, numbers out; text and clock changes in deliveries belong to `timestamps.py` and `zones.py`.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.transforms.window_groups import Floats, Integers

DAY_S, QUARTER_S = 86_400, 900
THURSDAY = 3
SATURDAY = 5
MORNING_S = 6 * 3_600
CIRCLES = ("hour", "weekday", "month")
CALENDAR = (*(f"{name}_{side}" for name in CIRCLES for side in ("sin", "cos")), "is_weekend", "is_night")


def local_seconds(second: Integers, time_zone: str) -> Integers:
    """Each second since 1970 as the local clock shows it, as seconds since 1970 of that clock.

    Looked up by the quarter of an hour: no clock has changed within one since 1972, and a search through the
    zone's rules for every row would take longer than all windows together.
    """
    if second.size == 0:
        return second
    first, last = second.min() // QUARTER_S, second.max() // QUARTER_S
    quarters = np.arange(first, last + 1) * QUARTER_S
    zoned = pa.array(quarters).cast(pa.timestamp("s", time_zone))
    offset = pc.local_timestamp(zoned).cast(pa.int64()).to_numpy() - quarters
    local: Integers = second + offset[second // QUARTER_S - first]
    return local


def hour_of(local: Integers) -> Integers:
    return local % DAY_S // 3_600


def weekday_of(local: Integers) -> Integers:
    """0 is Monday."""
    return (local // DAY_S + THURSDAY) % 7


def calendar(local: Integers) -> dict[str, Floats]:
    """Hour, weekday and day of the month as points on a circle: 23 h is near 0 h; and the two that banks watch.

    Looked up, not computed row by row: a vectorised sine may round by where in the array a value stands.
    """
    minute, weekday, day = local % DAY_S // 60, weekday_of(local), (local // DAY_S).astype("datetime64[D]")
    month = day.astype("datetime64[M]")
    begun, ends = month.astype("datetime64[D]"), (month + 1).astype("datetime64[D]")
    days_in, length = (day - begun).astype(np.int64), (ends - begun).astype(np.int64)
    share = np.arange(31)[:, None] / np.arange(1, 33)[None, :]
    return {
        **_on_circle("hour", minute, np.arange(24 * 60) / (24 * 60)),
        **_on_circle("weekday", weekday, np.arange(7) / 7),
        **_on_circle("month", days_in * 32 + length - 1, share.ravel()),
        "is_weekend": (weekday >= SATURDAY).astype(np.float64),
        "is_night": (local % DAY_S < MORNING_S).astype(np.float64),
    }


def _on_circle(name: str, step: Integers, share: Floats) -> dict[str, Floats]:
    return {f"{name}_sin": np.sin(2 * np.pi * share)[step], f"{name}_cos": np.cos(2 * np.pi * share)[step]}
