"""What a model must beat, and what is in force before the first one: z-scores, and the amount alone.

Calibrated as the shipped scorer is, so that their scores mean the same and one threshold fits all three.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from etl_assets.feature_groups import Feature
from models.calibration import Floats, Tail, one_sided
from models.judge import Judge
from models.scaling import Scaling
from models.scoring import Numbers, Scores, checked, in_blocks, strangest

AMOUNT = "spend"


@dataclass(frozen=True)
class ZScores:
    """One-sided z-scores: how far each feature is from its mean, towards the risky side, each feature on its own."""

    inputs: tuple[Feature, ...]
    scaling: Scaling
    judge: Judge

    @classmethod
    def fit(cls, matrix: Floats, inputs: Sequence[Feature]) -> ZScores:
        """The z-scores for which `matrix` is normal. Any number of rows will do: this is what a cold start has."""
        rows = checked(matrix, inputs)
        scaling = Scaling.fit(rows)
        judge = Judge.fit(one_sided(scaling.apply(rows), inputs), inputs)
        return cls(tuple(inputs), scaling, judge)

    def features(self, scaled: Floats) -> Floats:
        """How rare each scaled feature of each row is, in nats."""
        return self.judge.features(one_sided(scaled, self.inputs))

    def score(self, matrix: Floats) -> Scores:
        """Calibrated scores; what a feature's mean is, is what was expected of it."""
        return Scores.of(in_blocks(checked(matrix, self.inputs), self._score_block))

    def _score_block(self, block: Floats) -> dict[str, Numbers]:
        distances = one_sided(self.scaling.apply(block), self.inputs)
        rarity = self.judge.features(distances)
        weight = self.judge.weight_as_reason(rarity, distances)
        expected = np.broadcast_to(self.scaling.undo(np.zeros(len(self.inputs))), block.shape)
        score: Numbers = self.judge.total.share_below(self.judge.strangeness(rarity))
        return {"score": score} | strangest(weight, block, expected, distances)

    def arrays(self) -> dict[str, Numbers]:
        """What `from_arrays` needs, beside the inputs, to build the same z-scores."""
        return self.scaling.arrays() | self.judge.arrays()

    @classmethod
    def from_arrays(cls, arrays: dict[str, Numbers], inputs: Sequence[Feature]) -> ZScores:
        """The z-scores that `arrays` came from."""
        return cls(tuple(inputs), Scaling.from_arrays(arrays), Judge.from_arrays(arrays, inputs))


@dataclass(frozen=True)
class AmountOnly:
    """The rarity of the amount alone, whoever pays it: what a bank without any model would sort by."""

    column: int
    tail: Tail

    @classmethod
    def fit(cls, matrix: Floats, inputs: Sequence[Feature]) -> AmountOnly | None:
        """The tail of the input named `spend`; None for a source without it."""
        names = [feature.name for feature in inputs]
        if AMOUNT not in names:
            return None
        values = checked(matrix, inputs)[:, names.index(AMOUNT)]
        return cls(names.index(AMOUNT), Tail.fit(values[np.isfinite(values)]))

    @classmethod
    def from_array(cls, array: Floats, inputs: Sequence[Feature]) -> AmountOnly:
        """The baseline whose tail is `array`."""
        return cls([feature.name for feature in inputs].index(AMOUNT), Tail.from_array(array))

    def rarity(self, matrix: Floats) -> Floats:
        """How rare each row's amount is, in nats."""
        return self.tail.rarity(matrix[:, self.column])

    def score(self, matrix: Floats) -> Floats:
        """The share of normal traffic with a smaller amount."""
        return self.tail.share_below(matrix[:, self.column])
