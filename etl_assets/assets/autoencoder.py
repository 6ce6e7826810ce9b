"""The weekly model: trained on business dates before its week, registered, and put in force from its first day.

What a model is belongs to `models/`; this file decides which rows it sees and records the decision.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.assets.matrices import known_labels, labels
from etl_assets.assets.pictures import loss_curve
from etl_assets.assets.tenant import Tenant, days_of
from etl_assets.deliveries.ledger import Ledger
from etl_assets.institution_spec import InstitutionSpec
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.resources import ModelRegistry
from etl_assets.tables import featured_table
from models.training import report, train

CODE_VERSION = "1"
SEED = 7


@dataclass(frozen=True)
class Outcome:
    """What became of one week's training: the row of the promotion log, and what Dagster shows."""

    decision: Mapping[str, str | None]
    metadata: Mapping[str, Any]


def autoencoder(tenant: Tenant) -> dg.AssetsDefinition:
    """The asset that trains, registers and promotes one version per week."""
    spec = tenant.spec
    mapping = dg.TimeWindowPartitionMapping(-spec.training.weeks, -1, allow_nonexistent_upstream_partitions=True)

    @dg.asset(
        key=tenant.key("autoencoder"),
        description="The anomaly model of a week, trained on the weeks before it and registered in MLflow.",
        ins={"featured": dg.AssetIn(tenant.key(featured_table(spec).name), partition_mapping=mapping)},
        kinds={"pytorch", "mlflow"},
        code_version=CODE_VERSION,
        backfill_policy=dg.BackfillPolicy.single_run(),
        **tenant.common(tenant.weeks),
    )
    def train_weeks(
        context: dg.AssetExecutionContext, warehouse: PostgresWarehouse, registry: ModelRegistry, featured: pa.Table
    ) -> None:
        for monday in days_of(context):
            outcome = _train_week(tenant, registry, featured, monday)
            Ledger(warehouse, spec.institution).decide(monday, outcome.decision, context.run.run_id)
            context.add_asset_metadata(outcome.metadata, partition_key=monday.isoformat())

    return train_weeks


def _train_week(tenant: Tenant, registry: ModelRegistry, featured: pa.Table, monday: date) -> Outcome:
    learnt, later = split(featured, tenant.spec, monday)
    if (reason := too_little(learnt, tenant.spec)) is not None:
        return Outcome({"outcome": "refused", "reason": reason}, {"outcome": "refused", "reason": reason})
    confirmed = known_labels(learnt, known_before(tenant.spec, monday))
    trained = train(tenant.inputs(learnt), tenant.features, seed=SEED, is_fraud=confirmed)
    share = tenant.spec.alert_budget.share
    figures = report(trained.scorer, tenant.inputs(later), labels(later), alert_share=share, outliers=trained.outliers)
    registered = registry.open().register(
        f"{tenant.spec.institution}.autoencoder",
        trained.scorer,
        figures,
        trained.params,
        trained.loss_curve,
        {"week": monday.isoformat()},
        trained.held_out_curve,
    )
    decision = {
        "outcome": "promoted",
        "reason": f"trained on {learnt.num_rows} rows, measured on the {later.num_rows} of the week after them",
        "model_version": registered.version,
        "model_run_id": registered.run_id,
    }
    curve = loss_curve(trained.loss_curve, trained.held_out_curve)
    measured = {f"measured_{name}": value for name, value in figures.items()}
    return Outcome(decision, {**decision, **trained.params, **measured, "training_curve": curve})


def too_little(learnt: pa.Table, spec: InstitutionSpec) -> str | None:
    """Why the rows are too few to learn from, or None: few days teach that the third weekday is an outbreak."""
    days = pc.count_distinct(learnt["business_date"]).as_py()
    if learnt.num_rows >= spec.training.min_rows and days >= spec.training.min_days:
        return None
    return (
        f"{learnt.num_rows} rows of {days} days to learn from where {spec.training.min_rows} rows of "
        f"{spec.training.min_days} days are needed; what was in force stays"
    )


def split(featured: pa.Table, spec: InstitutionSpec, monday: date) -> tuple[pa.Table, pa.Table]:
    """Rows to learn from, in time order, and the later rows to measure on: the last week before `monday`."""
    first, last = monday - timedelta(weeks=spec.training.weeks), monday - timedelta(weeks=1)
    day = featured["business_date"]
    is_learnt = pc.and_(pc.greater_equal(day, first), pc.less(day, last))
    is_later = pc.and_(pc.greater_equal(day, last), pc.less(day, monday))
    by_time = [(name, "ascending") for name in ("event_at", "business_date", *spec.identity)]
    return featured.filter(is_learnt).sort_by(by_time), featured.filter(is_later)


def known_before(spec: InstitutionSpec, monday: date) -> date:
    """The business dates before this one have labels that were known when the week began.

    One that was confirmed later could not be known to the model of that week, and is not used by it either.
    """
    return monday - timedelta(days=spec.labels.known_after_days if spec.labels else 0)
