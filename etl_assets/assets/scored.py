"""Scored transactions: how strange each row is, why, and by which model.

How a row is scored belongs to `models/`; which version judges a business date to `judges.py`.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.alert_seal import sealed
from etl_assets.assets.alerts import alerts_of
from etl_assets.assets.judges import Judges
from etl_assets.assets.pictures import score_histogram
from etl_assets.assets.tenant import Tenant, days_of, never_published, without
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.slices import Partial
from etl_assets.io_managers.targets import Drift, Mode, Target
from etl_assets.learning_tables import alerts_table
from etl_assets.resources import ModelRegistry
from etl_assets.tables import scored_table

CODE_VERSION = "1"
UPSTREAM = "featured_transactions"


def scored_transactions(tenant: Tenant) -> dg.AssetsDefinition:
    """The asset that scores each business date with the version in force on it, and issues its alerts.

    Both in one step: a score that was restated must not leave people without the alert that it was the first to give.
    """
    spec, table, told = tenant.spec, scored_table(tenant.spec), alerts_table(tenant.spec)
    week = dg.TimeWindowPartitionMapping(allow_nonexistent_upstream_partitions=True)

    @dg.multi_asset(
        name=f"{spec.institution}__{table.name}",
        ins={
            "featured": tenant.rows_of(UPSTREAM),
            "model": dg.AssetIn(tenant.key("autoencoder"), partition_mapping=week, dagster_type=dg.Nothing),
        },
        outs={table.name: tenant.out(table, CODE_VERSION), told.name: tenant.out(told, CODE_VERSION, Mode.KEEP)},
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def scored(
        context: dg.AssetExecutionContext, warehouse: PostgresWarehouse, registry: ModelRegistry, featured: pa.Table
    ) -> Iterator[dg.Output[Partial]]:
        days = days_of(context)
        refused = never_published(warehouse, tenant.key(UPSTREAM), days)
        sealed(warehouse, Target(spec.institution, told, drift=Drift.ADD))
        judges = Judges(tenant, warehouse, registry)
        tables = [_scored_day(tenant, featured, judges, day) for day in days]
        for day, rows in zip(days, tables, strict=True):
            context.add_asset_metadata(_described(rows, tenant), tenant.key(table.name), day.isoformat())
        rows = without(pa.concat_tables(tables), refused)
        yield dg.Output(Partial(rows, refused), output_name=table.name)
        alerts = alerts_of(rows, tenant, CODE_VERSION, context.run.run_id)
        yield dg.Output(Partial(alerts, refused), output_name=told.name)

    return scored


def _scored_day(tenant: Tenant, featured: pa.Table, judges: Judges, day: date) -> pa.Table:
    table = scored_table(tenant.spec)
    rows = featured.filter(pc.equal(featured["business_date"], day))
    if rows.num_rows == 0:
        return table.empty()
    values = tenant.inputs(rows)
    judge = judges.on(day, values)
    scores = judge.score(values)
    threshold = 1 - tenant.spec.alert_budget.share
    columns = {
        "score": scores.score,
        "is_flagged": scores.score >= threshold,
        "threshold": np.full(rows.num_rows, threshold),
        "zscore_score": judge.baseline(values).score,
        "reasons": scores.reasons_json(tenant.features),
        "model_version": pa.repeat(judge.version, rows.num_rows),
        "model_run_id": pa.repeat(pa.scalar(judge.run_id, pa.string()), rows.num_rows),
    }
    for name, column in columns.items():
        rows = rows.append_column(name, pa.array(column))
    return table.conform(rows.select(table.schema.names))


def _described(rows: pa.Table, tenant: Tenant) -> dict[str, Any]:
    if rows.num_rows == 0:
        return {"flagged": 0}
    return {
        "flagged": pc.sum(rows["is_flagged"]).as_py(),
        "model_version": rows["model_version"][0].as_py(),
        "score_histogram": score_histogram(rows["score"].to_numpy(), 1 - tenant.spec.alert_budget.share),
    }
