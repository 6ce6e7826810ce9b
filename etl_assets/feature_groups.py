"""The model's inputs as data: name, group, direction of risk, unit and meaning of every feature.

From here come the featured table's columns, the model's input order and the dictionary. How a feature is
computed belongs to `transforms/features.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, get_args

Need = Literal["account", "counterparty", "time_of_day", "labels"]
NEEDS: tuple[Need, ...] = get_args(Need)


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
HABIT_WINDOWS = WINDOWS[:2]
LABEL_WINDOWS = WINDOWS[1:]
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


def _known_frauds(entity: Need) -> tuple[Feature, ...]:
    """Frauds that the amount explains say nothing about the place where they happened: the others stand apart."""
    kinds = {"fraud": "frauds", "unexplained_fraud": "frauds that the amount does not explain"}
    needs: frozenset[Need] = frozenset({entity, "labels"})
    group, known = f"{entity}_fraud", f"among labels of the {entity} that arrived in the"
    return tuple(
        feature
        for window in LABEL_WINDOWS
        for kind, words in kinds.items()
        for feature in (
            Feature(
                f"{entity}_{kind}s_{window.name}",
                group,
                "high",
                "transactions",
                f"Number of {words} {known} {window.name} before.",
                needs,
            ),
            Feature(
                f"{entity}_{kind}_share_{window.name}",
                group,
                "high",
                "share",
                f"Share of {words} {known} {window.name} before.",
                needs,
            ),
        )
    )


def _to_habit(window: Window) -> Feature:
    meaning = (
        f"Transactions of the {window.name} before, plus 1, over those expected from the account's 30 days, plus 1."
    )
    name = f"account_count_{window.name}_to_habit"
    return Feature(name, "account_velocity", "high", "ratio", meaning, window.needs | ACCOUNT)


ACCOUNT: frozenset[Need] = frozenset({"account"})
CLOCK: frozenset[Need] = frozenset({"time_of_day"})
PAIR: frozenset[Need] = frozenset({"account", "counterparty"})
FEATURES: tuple[Feature, ...] = (
    Feature("spend", "amount", "high", "currency", "What leaves the account; 0 for money that comes in."),
    Feature("spend_to_mean_30d", "amount", "high", "ratio", "Spend over the account's mean spend of 30 days.", ACCOUNT),
    Feature(
        "spend_to_median_30d", "amount", "high", "ratio", "Spend over the account's median spend of 30 days.", ACCOUNT
    ),
    Feature("spend_zscore_30d", "amount", "high", "deviations", "Spend against the account's 30 days.", ACCOUNT),
    Feature(
        "spend_robust_zscore_30d",
        "amount",
        "high",
        "deviations",
        "Spend less the account's median of 30 days, over its interquartile range / 1.349: no single payment moves it.",
        ACCOUNT,
    ),
    *(feature for entity in ENTITIES for feature in (*_windowed(entity), _recency(entity))),
    *(_to_habit(window) for window in HABIT_WINDOWS),
    Feature(
        "account_hour_share_30d",
        "account_habit",
        "low",
        "share",
        "Share of the account's transactions of 30 days within an hour of this local hour of day.",
        ACCOUNT | CLOCK,
    ),
    Feature(
        "account_weekday_share_30d",
        "account_habit",
        "low",
        "share",
        "Share of the account's transactions of 30 days on this local weekday.",
        ACCOUNT,
    ),
    Feature(
        "counterparty_is_new",
        "novelty",
        "high",
        "0 or 1",
        "Whether the account has not paid this counterparty in the 30 days before.",
        PAIR,
    ),
    Feature(
        "account_distinct_counterparties_1d",
        "novelty",
        "high",
        "counterparties",
        "How many counterparties the account paid in the day before.",
        PAIR,
    ),
    *(feature for entity in ENTITIES for feature in _known_frauds(entity)),
    Feature("hour_sin", "calendar", "both", "sine", "Local hour of day on a circle, first coordinate.", CLOCK),
    Feature("hour_cos", "calendar", "both", "cosine", "Local hour of day on a circle, second coordinate.", CLOCK),
    Feature("weekday_sin", "calendar", "both", "sine", "Local day of week on a circle, first coordinate."),
    Feature("weekday_cos", "calendar", "both", "cosine", "Local day of week on a circle, second coordinate."),
    Feature("month_sin", "calendar", "both", "sine", "Local day of the month on a circle, first coordinate."),
    Feature("month_cos", "calendar", "both", "cosine", "Local day of the month on a circle, second coordinate."),
    Feature("is_weekend", "calendar", "both", "0 or 1", "Whether it is Saturday or Sunday on the local calendar."),
    Feature("is_night", "calendar", "both", "0 or 1", "Whether it is before six o'clock on the local clock.", CLOCK),
)


def supported(available: Collection[Need]) -> tuple[Feature, ...]:
    """The features that a source with `available` can have, in the model's input order."""
    return tuple(feature for feature in FEATURES if feature.needs <= set(available))


def dictionary() -> list[dict[str, str]]:
    """Every feature in the model's input order, as a person reads it."""
    return [
        {
            "name": feature.name,
            "group": feature.group,
            "unit": feature.unit,
            "risk": feature.risk,
            "needs": ", ".join(need for need in NEEDS if need in feature.needs) or "nothing more",
            "description": feature.description,
        }
        for feature in FEATURES
    ]


def groups(features: Collection[Feature]) -> dict[str, int]:
    """How many of the features are in each group, in the order of the groups."""
    return dict(Counter(feature.group for feature in features))
