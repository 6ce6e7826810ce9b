"""Featured transactions: the model's inputs of every cleaned row, from what was known before it.

What a feature is belongs to `feature_groups.py`, how it is computed to `transforms/features.py`.
"""

from collections.abc import Iterator

import dagster as dg
import pyarrow as pa

from etl_assets.assets.tenant import Tenant, days_of, never_published, without
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.slices import Partial
from etl_assets.restatement.decision import FEATURE_WINDOW_DAYS
from etl_assets.tables import featured_table
from etl_assets.transforms.features import compute_features

CODE_VERSION = "1"
UPSTREAM = "cleaned_transactions"


def featured_transactions(tenant: Tenant) -> dg.AssetsDefinition:
    """The asset that computes features of its business dates over the history that they may see."""
    spec, table = tenant.spec, featured_table(tenant.spec)

    @dg.multi_asset(
        name=f"{spec.institution}__{table.name}",
        ins={"cleaned": tenant.rows_of(UPSTREAM, FEATURE_WINDOW_DAYS + spec.max_lateness_days)},
        outs={table.name: tenant.out(table, CODE_VERSION)},
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def featured(
        context: dg.AssetExecutionContext, warehouse: PostgresWarehouse, cleaned: pa.Table
    ) -> Iterator[dg.Output[Partial]]:
        days = days_of(context)
        refused = never_published(warehouse, tenant.key(UPSTREAM), days)
        rows = compute_features(cleaned, tenant.features, days[0], days[-1], spec.time_zone)
        rows = rows.select(table.schema.names)
        yield dg.Output(Partial(without(rows, refused), refused), output_name=table.name)

    return featured
