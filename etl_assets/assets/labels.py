"""Confirmed labels: what was known about fraud, on the day on which it was known.

Which label is known when belongs to `transforms/confirmations.py`; what features make of it to `transforms/labels.py`.
"""

from datetime import timedelta

import dagster as dg
import pyarrow as pa

from etl_assets.assets.tenant import Tenant, days_of
from etl_assets.learning_tables import confirmed_labels_table
from etl_assets.restatement.decision import history_days
from etl_assets.spec.learning import Labels
from etl_assets.transforms.confirmations import Clock, confirmations

CODE_VERSION = "1"
UPSTREAM = "cleaned_transactions"


def confirmed_labels(tenant: Tenant, labels: Labels) -> dg.AssetsDefinition:
    """The asset that holds, for each day, the labels that became known on it.

    A day of payments that was refused has no labels so far, and holds up nothing: once it is published, what follows
    from it is restated like all that depends on it.
    """
    spec, table, wait = tenant.spec, confirmed_labels_table(tenant.spec), timedelta(days=labels.known_after_days)
    history = tenant.rows_of(UPSTREAM, history_days(spec) + wait.days, -wait.days)

    @dg.multi_asset(
        name=f"{spec.institution}__{table.name}",
        ins={"cleaned": history},
        outs={table.name: tenant.out(table, CODE_VERSION)},
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def confirmed(context: dg.AssetExecutionContext, cleaned: pa.Table) -> pa.Table:
        days = days_of(context)
        clock = Clock(spec.time_zone, labels.known_after_days)
        rows = confirmations(cleaned, days[0] - wait, days[-1] - wait, clock)
        return table.conform(rows.select(table.schema.names))

    return confirmed
