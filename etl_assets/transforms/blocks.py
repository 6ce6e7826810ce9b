"""A stretch of the result: its columns, and features that follow from what the parts have counted.

Arithmetic of one row at a time. What needs other rows belongs to `parts.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from etl_assets.feature_groups import ENTITIES, HABIT_WINDOWS, LABEL_WINDOWS, LONGEST, WINDOWS, Window
from etl_assets.transforms.history import History
from etl_assets.transforms.parts import Part
from etl_assets.transforms.window_groups import Floats

SMALLEST_MEAN = 1.0
ASSUMED_PAYMENTS = 5
NORMAL_IQR = 1.349
"""Distance of the quartiles of a normal distribution, in standard deviations."""


@dataclass(frozen=True)
class Block:
    """Rows of the result and, by name, the values that they were asked for so far."""

    history: History
    parts: Mapping[str, Part]
    rows: slice
    found: dict[str, Floats] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Floats:
        if name not in self.found:
            more = {name: DERIVED[name](self)} if name in DERIVED else self.parts[name].values(self.rows)
            self.found.update(more)
        return self.found[name]

    def columns(self) -> list[pa.Array]:
        """The columns that the rows came with."""
        return [column.combine_chunks() for column in self.history.part(self.rows).columns]


def share(part: Floats, whole: Floats) -> Floats:
    """NaN where there is nothing to have a share of: 0 of 0."""
    with np.errstate(invalid="ignore"):
        return np.asarray(part / whole)


def _against(typical: str) -> Callable[[Block], Floats]:
    """Spend over `typical`. A typical amount near zero would make any payment look monstrous, as would a spread."""
    return lambda block: block["spend"] / np.maximum(block[typical], SMALLEST_MEAN)


def _deviations(block: Block, centre: Floats, spread: Floats) -> Floats:
    """The spread of few payments is not known yet: it begins as large as the centre, worth five payments."""
    count, typical = block[f"account_count_{LONGEST.name}"], np.maximum(centre, SMALLEST_MEAN)
    variance = (count * spread**2 + ASSUMED_PAYMENTS * typical**2) / (count + ASSUMED_PAYMENTS)
    return np.asarray((block["spend"] - centre) / np.sqrt(variance))


def _robust_zscore(block: Block) -> Floats:
    spread = (block["upper_quartile"] - block["lower_quartile"]) / NORMAL_IQR
    return _deviations(block, block["median"], spread)


def _to_habit(window: Window) -> Callable[[Block], Floats]:
    """One is added on both sides: a first payment is no burst, and two within a second hour of life hardly are."""
    part = window.seconds / LONGEST.seconds
    return lambda b: (b[f"account_count_{window.name}"] + 1) / (b[f"account_count_{LONGEST.name}"] * part + 1)


def _share(part: str, whole: str) -> Callable[[Block], Floats]:
    return lambda block: share(block[part], block[whole])


DERIVED: Mapping[str, Callable[[Block], Floats]] = {
    "spend_to_mean_30d": _against("account_mean_30d"),
    "spend_to_median_30d": _against("median"),
    "spend_zscore_30d": lambda b: _deviations(b, b["account_mean_30d"], b["account_std_30d"]),
    "spend_robust_zscore_30d": _robust_zscore,
    "counterparty_is_new": lambda b: np.where(np.isnan(b["times_paid"]), np.nan, b["times_paid"] == 0),
    "account_distinct_counterparties_1d": lambda b: b["distinct"],
    "account_hour_share_30d": lambda b: b["same_hour"],
    "account_weekday_share_30d": lambda b: b["same_weekday"],
    **{f"account_count_{window.name}_to_habit": _to_habit(window) for window in HABIT_WINDOWS},
    **{
        f"{entity}_mean_{window.name}": _share(f"{entity}_sum_{window.name}", f"{entity}_count_{window.name}")
        for entity in ENTITIES
        for window in WINDOWS
    },
    **{
        f"{entity}_{kind}_share_{window.name}": _share(
            f"{entity}_{kind}s_{window.name}", f"{entity}_labels_{window.name}"
        )
        for entity in ENTITIES
        for kind in ("fraud", "unexplained_fraud")
        for window in LABEL_WINDOWS
    },
}
