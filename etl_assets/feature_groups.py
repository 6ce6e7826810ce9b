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
    """One model input. `risk` says which side of normal is suspicious; `needs` what a source must deliver for it."""

    name: str
    group: str
    risk: Literal["high", "low", "both"]
    unit: str
    description: str
    needs: frozenset[Need] = frozenset()


FEATURES: tuple[Feature, ...] = ()


def supported(available: Collection[Need]) -> tuple[Feature, ...]:
    """The features that a source with `available` can have, in the model's input order."""
    return tuple(feature for feature in FEATURES if feature.needs <= set(available))
