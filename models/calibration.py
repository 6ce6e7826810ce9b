"""Turn "how far from normal" into "how rare among normal traffic", for a feature or a row.

Rarity is counted in nats: minus the logarithm of the share of normal traffic that is at least as strange.
Where a distance comes from belongs to the callers; what many rarities come to together to `judge.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from etl_assets.feature_groups import Feature

Floats = NDArray[np.float64]
KNOTS = 128
TAIL_SHARE = 0.01
HEAVIEST_SHAPE = 0.9
SLOWEST_SHAPE = 0.1
LARGEST_RARITY = 36.0
"""Beyond it 1 - exp(-rarity) is 1.0 in float64, and the strangest rows could not be ranked any more."""


@dataclass(frozen=True)
class Tail:
    """How rare a value is: counted up to the 99 % quantile, by a generalised Pareto law above it.

    Counting alone gives every row beyond the strangest training row the same rarity, and those are the rows
    that people look at. The law is never lighter than exponential: it must not promise more than it has seen. And
    that something is rarer than one row in `rows` is a guess about a law from its tip: beyond, nats only rank, in
    logarithms, so that a window that drifted away on little data cannot shout down what is known.
    """

    knots: Floats
    rarities: Floats
    threshold: float
    beyond: float
    scale: float
    shape: float
    rows: float

    @classmethod
    def fit(cls, values: Floats, lightest_shape: float = 0.0) -> Tail:
        """The tail of `values`; with few of them the law begins lower, so that it rests on some thirty."""
        ordered = np.sort(values)
        n = len(ordered)
        if n == 0:
            return cls(np.zeros(KNOTS), np.zeros(KNOTS), np.inf, 0.0, 1.0, 0.0, 0.0)
        share = float(np.clip(30 / n, TAIL_SHARE, 0.2))
        ranks = np.floor((1 - np.exp(np.linspace(0, np.log(share), KNOTS))) * (n - 1)).astype(np.int64)
        knots = ordered[ranks]
        rarities = -np.log((n - np.searchsorted(ordered, knots, side="left")) / n)
        threshold = float(knots[-1])
        excesses = ordered[ordered > threshold] - threshold
        beyond = max(float(-np.log((len(excesses) + 0.5) / (n + 1))), float(rarities[-1]))
        return cls(knots, rarities, threshold, beyond, *_pareto(excesses, lightest_shape), float(n))

    def rarity(self, values: Floats) -> Floats:
        """Nats for each value, never falling when the value rises; 0 for NaN, which nobody can call strange."""
        counted = np.interp(values, self.knots, self.rarities)
        steps = np.fmax(values - self.threshold, 0.0) / self.scale
        extrapolated = self.beyond + (np.log1p(self.shape * steps) / self.shape if self.shape > 1e-6 else steps)
        nats, seen = np.fmax(np.where(values > self.threshold, extrapolated, counted), 0.0), np.log1p(self.rows)
        return np.asarray(np.minimum(nats, seen + np.log1p(np.maximum(nats - seen, 0.0))))

    def share_below(self, values: Floats) -> Floats:
        """The share of normal traffic that is less strange, in [0, 1)."""
        return np.asarray(-np.expm1(-np.minimum(self.rarity(values), LARGEST_RARITY)))

    def array(self) -> Floats:
        """All numbers of the tail as one vector; `from_array` takes it back."""
        numbers = [self.threshold, self.beyond, self.scale, self.shape, self.rows]
        return np.concatenate([numbers, self.knots, self.rarities])

    @classmethod
    def from_array(cls, array: Floats) -> Tail:
        """The tail that `array` came from."""
        return cls(array[5 : 5 + KNOTS], array[5 + KNOTS :], *(float(number) for number in array[:5]))


def _pareto(excesses: Floats, lightest_shape: float) -> tuple[float, float]:
    """Scale and shape by the method of moments: no iteration that could fail on a week's odd data."""
    if len(excesses) < 2 or excesses.max() <= 0:
        return 1.0, max(lightest_shape, 0.0)
    mean, variance = float(excesses.mean()), float(excesses.var())
    moment_shape = 0.5 * (1 - mean * mean / variance) if variance > 0 else 0.0
    shape = float(np.clip(moment_shape, lightest_shape, HEAVIEST_SHAPE))
    return mean * (1 - shape), shape


def one_sided(distances: Floats, inputs: Sequence[Feature]) -> Floats:
    """Distances turned so that larger is riskier: an unusually small payment is no reason for an alert."""
    turned = distances.copy()
    for column, feature in enumerate(inputs):
        if feature.risk == "low":
            turned[:, column] *= -1
        elif feature.risk == "both":
            turned[:, column] = np.abs(turned[:, column])
    return turned
