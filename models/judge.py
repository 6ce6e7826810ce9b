"""Rate a row by the rarities of its features: which group of them is strange enough to be a reason.

Rarities come from `calibration.py`; who computes the distances behind them belongs to the callers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from etl_assets.feature_groups import Feature
from models.calibration import LARGEST_RARITY, Floats, Tail

UNUSUAL, CIRCUMSTANCE = float(np.log(10)), np.inf
DOUBTS = {
    "account_velocity": UNUSUAL,
    "counterparty_velocity": UNUSUAL,
    "account_habit": UNUSUAL,
    "novelty": UNUSUAL,
    "account_spend": CIRCUMSTANCE,
    "counterparty_spend": CIRCUMSTANCE,
    "calendar": CIRCUMSTANCE,
}
"""Nats that a group must be rarer by before it counts as much as the amount or a known fraud.

Meant as what an analyst is asked to look at; the sizes were compared on two labelled weeks of the handbook
(2018-06-13 and -27), so they are not free of labels. Much money leaving or a place
of known frauds is worth a call, a busy day must be ten times as rare. How much an account or shop usually turns
over, or that it is Sunday, is never a reason: it says what to expect of the payment, nothing about it, and dates
are always new.
"""


@dataclass(frozen=True)
class Judge:
    """Rates rows by their features' one-sided distances: harmonic mean in a group, then the strangest group.

    Rarity first, so that one heavy-tailed input cannot shout the others down. In a group the harmonic mean of the
    shares of normal traffic: ten windows of one sum count once, yet one window that is sure is not outvoted by
    nine that saw nothing, and it holds for inputs that depend on each other. One group is enough for an alert.
    """

    groups: tuple[str, ...]
    tails: tuple[Tail, ...]
    total: Tail

    @classmethod
    def fit(cls, distances: Floats, inputs: Sequence[Feature]) -> Judge:
        """A judge for whom `distances`, NaN where a value was missing, are normal."""
        tails = tuple(Tail.fit(column[np.isfinite(column)]) for column in distances.T)
        unrated = cls(tuple(feature.group for feature in inputs), tails, Tail.fit(np.zeros(0)))
        return replace(unrated, total=Tail.fit(unrated.strangeness(unrated.features(distances))))

    def features(self, distances: Floats) -> Floats:
        """The rarity of each feature of each row; 0 where it is missing."""
        return np.column_stack([tail.rarity(distances[:, column]) for column, tail in enumerate(self.tails)])

    def by_group(self, rarity: Floats) -> Floats:
        """The rarity of each group of each row, less the doubt; summed in order, so that no row depends on others."""
        columns = []
        for name in dict.fromkeys(self.groups):
            members = [c for c, group in enumerate(self.groups) if group == name]
            odds = np.zeros(len(rarity))
            for column in members:
                odds += np.exp(np.minimum(rarity[:, column], LARGEST_RARITY))
            columns.append(np.log(odds / len(members)) - DOUBTS.get(name, 0.0))
        return np.column_stack(columns)

    def strangeness(self, rarity: Floats) -> Floats:
        """One number per row, not yet calibrated."""
        return np.asarray(self.by_group(rarity).max(axis=1))

    def rows(self, rarity: Floats) -> Floats:
        """The rarity of each row, in nats."""
        return self.total.rarity(self.strangeness(rarity))

    def weight_as_reason(self, rarity: Floats, distances: Floats) -> Floats:
        """How much each feature has to say about the row: its rarity less the doubt; least where it is missing."""
        doubts = np.array([DOUBTS.get(group, 0.0) for group in self.groups])
        return np.where(np.isfinite(distances), rarity - doubts, -np.inf)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """What `from_arrays` needs, beside the inputs, to build the same judge."""
        return {"tails": np.stack([tail.array() for tail in self.tails]), "total": self.total.array()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]], inputs: Sequence[Feature]) -> Judge:
        """The judge that `arrays` came from."""
        tails = tuple(Tail.from_array(row) for row in arrays["tails"].astype(np.float64))
        return cls(tuple(f.group for f in inputs), tails, Tail.from_array(arrays["total"].astype(np.float64)))
