"""The model's inputs as data: name, group, direction of risk, unit and meaning of every feature.

From here come the featured table's columns, the model's input order and the dictionary. How a feature is
computed belongs to `transforms/features.py`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

Need = Literal["account", "counterparty", "time_of_day"]


@dataclass(frozen=True)
class Feature:
    """One model input. `risk` says which side of normal is suspicious; `needs` what a source must deliver for it.

    `grows_over_s` is the width of the window that a count or sum fills up: shortly after an institution's
    first day it is smaller than it will ever be again.
    """

    name: str
    group: str
    risk: Literal["high", "low", "both"]
    unit: str
    description: str
    needs: frozenset[Need] = frozenset()
    grows_over_s: int | None = None


@dataclass(frozen=True)
class Window:
    """A trailing stretch of time before an event."""

    name: str
    seconds: int

    @property
    def needs(self) -> frozenset[Need]:
        """An hour says nothing where every event stands at midnight."""
        return frozenset({"time_of_day"}) if self.seconds < 86_400 else frozenset()


WINDOWS = (Window("1h", 3_600), Window("1d", 86_400), Window("7d", 604_800), Window("30d", 2_592_000))
LONGEST = WINDOWS[-1]
ENTITIES: tuple[Need, ...] = ("account", "counterparty")
STATISTICS = {
    "count": ("velocity", "transactions", "Number of transactions"),
    "sum": ("spend", "currency", "Sum of spend"),
    "mean": ("spend", "currency", "Mean spend"),
    "std": ("spend", "currency", "Standard deviation of spend"),
    "max": ("spend", "currency", "Largest spend"),
}


def _windowed(entity: Need) -> tuple[Feature, ...]:
    return tuple(
        Feature(
            f"{entity}_{statistic}_{window.name}",
            f"{entity}_{group}",
            "high",
            unit,
            f"{meaning} of the {entity} in the {window.name} before.",
            window.needs | {entity},
            window.seconds if statistic in {"count", "sum"} else None,
        )
        for window in WINDOWS
        for statistic, (group, unit, meaning) in STATISTICS.items()
    )


def _recency(entity: Need) -> Feature:
    meaning = f"Time since the last transaction of the {entity} in the 30 days before."
    return Feature(f"{entity}_since_last", f"{entity}_velocity", "low", "seconds", meaning, frozenset({entity}))


ACCOUNT: frozenset[Need] = frozenset({"account"})
CLOCK: frozenset[Need] = frozenset({"time_of_day"})
FEATURES: tuple[Feature, ...] = (
    Feature("spend", "amount", "high", "currency", "What leaves the account; 0 for money that comes in."),
    Feature("spend_to_mean_30d", "amount", "high", "ratio", "Spend over the account's mean spend of 30 days.", ACCOUNT),
    Feature(
        "spend_to_max_30d", "amount", "high", "ratio", "Spend over the account's largest spend of 30 days.", ACCOUNT
    ),
    Feature("spend_zscore_30d", "amount", "high", "deviations", "Spend against the account's 30 days.", ACCOUNT),
    *(feature for entity in ENTITIES for feature in (*_windowed(entity), _recency(entity))),
    Feature(
        "counterparty_is_new",
        "novelty",
        "high",
        "0 or 1",
        "Whether the account has not paid this counterparty in the 30 days before.",
        frozenset({"account", "counterparty"}),
    ),
    Feature("hour_sin", "calendar", "both", "sine", "Local hour of day on a circle, first coordinate.", CLOCK),
    Feature("hour_cos", "calendar", "both", "cosine", "Local hour of day on a circle, second coordinate.", CLOCK),
    Feature("weekday_sin", "calendar", "both", "sine", "Local day of week on a circle, first coordinate."),
    Feature("weekday_cos", "calendar", "both", "cosine", "Local day of week on a circle, second coordinate."),
)


def supported(available: Collection[Need]) -> tuple[Feature, ...]:
    """The features that a source with `available` can have, in the model's input order."""
    return tuple(feature for feature in FEATURES if feature.needs <= set(available))
