"""Counted time -> microseconds: seconds since 1970, steps from an origin.

Patterns of dates are in `timestamps.py`, time zones in `zones.py`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.spec.columns import Steps
from etl_assets.spec.times import EPOCHS, STEP_UNITS

Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

SECOND_US = 1_000_000
MOST_DIGITS = 18
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
FIRST_US = (datetime.min.replace(tzinfo=UTC) - EPOCH) // MICROSECOND
LAST_US = (datetime.max.replace(tzinfo=UTC) - EPOCH) // MICROSECOND


def epoch_microseconds(text: pa.Array, pattern: str) -> tuple[Integers, Mask]:
    """Microseconds since 1970 of each count, and which texts are one: a fraction down to the microsecond is exact."""
    unit_us = EPOCHS[pattern]
    fraction_digits = len(str(unit_us)) - 1
    whole_digits = MOST_DIGITS - fraction_digits
    fraction = rf"(?:\.[0-9]{{1,{fraction_digits}}})?" if fraction_digits else ""
    counts = pc.if_else(pc.match_substring_regex(text, rf"\A-?[0-9]{{1,{whole_digits}}}{fraction}\z"), text, None)
    exact = counts.cast(pa.decimal128(MOST_DIGITS, fraction_digits))
    microseconds = pc.multiply(exact, pa.scalar(unit_us, pa.decimal128(7, 0))).cast(pa.int64())
    return _within_the_calendar(microseconds)


def step_microseconds(text: pa.Array, steps: Steps) -> tuple[Integers, Mask]:
    """Microseconds since 1970 of the local clock at each step, and which texts are a step."""
    unit_us = STEP_UNITS[steps.unit]
    digits = len(str(LAST_US // unit_us))
    counts = pc.if_else(pc.match_substring_regex(text, rf"\A[0-9]{{1,{digits}}}\z"), text, None).cast(pa.int64())
    origin_us = (steps.origin.replace(tzinfo=UTC) - EPOCH) // MICROSECOND
    return _within_the_calendar(pc.add(pc.multiply(counts, unit_us), origin_us))


def _within_the_calendar(microseconds: pa.Array) -> tuple[Integers, Mask]:
    """Only the years 1 to 9999: a count in milliseconds that is read as seconds lies far outside."""
    is_read = pc.and_(pc.greater_equal(microseconds, FIRST_US), pc.less_equal(microseconds, LAST_US))
    found: Integers = pc.fill_null(pc.if_else(is_read, microseconds, None), 0).to_numpy()
    return found, pc.fill_null(is_read, False).to_numpy(zero_copy_only=False)  # noqa: FBT003  Arrow's own signature
