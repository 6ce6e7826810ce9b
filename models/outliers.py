"""What anybody would try first: isolation forest, principal components, and the sum of all features' rarities.

Measured beside every model on a later window, never shipped: a model that does not beat them is not worth its keep.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest

from models.baselines import ZScores
from models.calibration import Floats
from models.scoring import checked

EXPLAINED = 0.9
FURTHEST_SEEN = 8.0


@dataclass(frozen=True)
class Outliers:
    """Fitted to the same normal rows as the model, with the defaults that their users know."""

    zscores: ZScores
    forest: IsolationForest
    components: PCA

    @classmethod
    def fit(cls, rows: Floats, zscores: ZScores, seed: int) -> Outliers:
        """The three for which `rows` are normal; the forest depends on `seed`."""
        seen = _seen(rows, zscores)
        return cls(zscores, IsolationForest(random_state=seed).fit(seen), PCA(EXPLAINED, svd_solver="full").fit(seen))

    def votes(self, matrix: Floats) -> dict[str, Floats]:
        """What each says of each row; larger is stranger."""
        rows = checked(matrix, self.zscores.inputs)
        seen = _seen(rows, self.zscores)
        lost = seen - self.components.inverse_transform(self.components.transform(seen))
        return {
            "isolation_forest": -np.asarray(self.forest.score_samples(seen)),
            "principal_components": np.asarray((lost**2).sum(axis=1)),
            "ecod": self.zscores.features(self.zscores.scaling.apply(rows)).sum(axis=1),
        }


def _seen(rows: Floats, zscores: ZScores) -> Floats:
    return np.clip(np.nan_to_num(zscores.scaling.apply(rows)), -FURTHEST_SEEN, FURTHEST_SEEN)
