"""Traffic for the tests of `models/`: eight inputs in four groups; accounts differ and some history is missing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from etl_assets.feature_groups import Feature
from models.scoring import Reasons, Scores

Matrix = NDArray[np.float64]
INPUTS = (
    Feature("spend", "amount", "high", "EUR", "Money that left the account."),
    Feature("spend_to_mean_30d", "amount", "high", "ratio", "Spend divided by the account's mean of 30 days."),
    Feature("count_1d", "velocity", "high", "payments", "Payments of the account in one day."),
    Feature("seconds_since_last", "velocity", "low", "s", "Time since the account's last payment."),
    Feature("mean_30d", "history", "high", "EUR", "Mean payment of the account in 30 days."),
    Feature("max_30d", "history", "high", "EUR", "Largest payment of the account in 30 days."),
    Feature("hour_sin", "time", "both", "", "Hour of the day on a circle, first coordinate."),
    Feature("hour_cos", "time", "both", "", "Hour of the day on a circle, second coordinate."),
)
PLACE = {feature.name: place for place, feature in enumerate(INPUTS)}


def normal(rows: int, seed: int) -> Matrix:
    """Traffic in which an account's level explains its payments, and a twentieth has no history yet."""
    rng = np.random.default_rng(seed)
    mean = np.exp(rng.normal(3.5, 0.8, rows))
    spend = mean * np.exp(rng.normal(0, 0.35, rows))
    rate = rng.gamma(4, 1, rows)
    hour = rng.normal(14, 3, rows) / 24 * 2 * np.pi
    gap = rng.exponential(86_400 / (rate + 0.5))
    largest = mean * np.exp(np.abs(rng.normal(0.6, 0.3, rows)))
    matrix = np.column_stack(
        [spend, spend / mean, rng.poisson(rate), gap, mean, largest, np.sin(hour), np.cos(hour)]
    ).astype(np.float64)
    matrix[np.ix_(rng.random(rows) < 0.05, [PLACE[name] for name in ("spend_to_mean_30d", "mean_30d", "max_30d")])] = (
        np.nan
    )
    return matrix


def same(ours: Scores, theirs: Scores) -> bool:
    pairs = [(ours.score, theirs.score)]
    pairs += [(getattr(ours.reasons, name), getattr(theirs.reasons, name)) for name in Reasons.__dataclass_fields__]
    return all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)


def at(scores: Scores, rows: NDArray[np.intp]) -> Scores:
    reasons = Reasons(*(getattr(scores.reasons, name)[rows] for name in Reasons.__dataclass_fields__))
    return Scores(scores.score[rows], reasons)
