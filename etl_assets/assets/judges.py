"""What scores a business date: the version that the promotion log put in force, or z-scores before the first one.

Each version is loaded once per run. A range and its days one by one meet the same judge.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import pyarrow as pa

from etl_assets.assets.tenant import Tenant
from etl_assets.deliveries.ledger import Ledger, in_force
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.resources import ModelRegistry
from models.baselines import ZScores
from models.calibration import Floats
from models.scorer import Scorer
from models.scoring import Scores

COLD_START = "cold_start"


@dataclass(frozen=True)
class Judge:
    """A scorer with its version and training run, and the z-scores beside it."""

    version: str
    run_id: str | None
    score: Callable[[Floats], Scores]
    baseline: Callable[[Floats], Scores]


@dataclass(frozen=True)
class Judges:
    """The judge of each date of one institution."""

    tenant: Tenant
    warehouse: PostgresWarehouse
    registry: ModelRegistry

    @cached_property
    def promotions(self) -> pa.Table:
        """The promotion log as it is when the run begins: a promotion during the run changes none of its dates."""
        return Ledger(self.warehouse, self.tenant.spec.institution).promotions()

    @cached_property
    def loaded(self) -> dict[str, Scorer]:
        """The versions that the run has needed so far."""
        return {}

    def on(self, day: date, values: Floats) -> Judge:
        """What scores `day`, whose rows are `values`.

        At cold start a day is compared with itself: in the first weeks every window still fills up, and next to
        the days before, all of today's traffic would look strange.
        """
        if (found := in_force(self.promotions, day)) is None:
            baseline = ZScores.fit(values, self.tenant.features)
            return Judge(COLD_START, None, baseline.score, baseline.score)
        version, run_id = found
        if version not in self.loaded:
            name = f"{self.tenant.spec.institution}.autoencoder"
            self.loaded[version] = self.registry.open().load(name, version, self.tenant.features)
        scorer = self.loaded[version]
        return Judge(version, run_id, scorer.score, scorer.zscores.score)
