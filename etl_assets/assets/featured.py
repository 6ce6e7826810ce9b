"""Featured transactions: the model's inputs of every cleaned row, from what was known before it.

What a feature is belongs to `feature_groups.py`, how it is computed to `transforms/features.py`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import dagster as dg
import pyarrow as pa

from etl_assets.assets.tenant import Tenant, days_of, never_published, without
from etl_assets.io_managers.postgres.schema import qualified
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.slices import Partial, range_slice
from etl_assets.io_managers.targets import Drift, Target
from etl_assets.restatement.decision import FEATURE_WINDOW_DAYS, history_days
from etl_assets.tables import LINEAGE, cleaned_table, featured_table
from etl_assets.transforms.features import features_in_pieces, stretches_of

CODE_VERSION = "2"
UPSTREAM, LABELS = "cleaned_transactions", "confirmed_labels"


@dataclass(frozen=True)
class Cleaned:
    """The cleaned rows of one institution, as far as features look at them."""

    tenant: Tenant
    warehouse: PostgresWarehouse

    def counts(self, days: Sequence[date]) -> dict[date, int]:
        """How many rows each of the days has that has any."""
        at = qualified(self.tenant.spec.institution, UPSTREAM)
        asked = f"SELECT business_date, count(*) AS n FROM {at} WHERE business_date BETWEEN $1 AND $2 GROUP BY 1"  # noqa: S608
        found = self.warehouse.fetch(asked, (days[0], days[-1]))
        counts = dict(zip(found["business_date"].to_pylist(), found["n"].to_pylist(), strict=True))
        return {day: counts[day] for day in days if day in counts}

    def rows(self, first: date, last: date) -> pa.Table:
        """The rows of the days, by day and time."""
        table = cleaned_table(self.tenant.spec)
        wanted = {*featured_table(self.tenant.spec).schema.names, *(column.name for column in LINEAGE)}
        columns = [name for name in table.schema.names if name in wanted]
        target = Target(self.tenant.spec.institution, table, drift=Drift.ADD)
        return self.warehouse.read_slice(target, range_slice("business_date", first, last), columns, must_exist=False)


def featured_transactions(tenant: Tenant) -> dg.AssetsDefinition:
    """The asset that computes features of its business dates over the history that they may see.

    It reads a stretch of days at a time, and not its whole input: two years of a large institution are no table for
    a machine's memory.
    """
    spec, table = tenant.spec, featured_table(tenant.spec)
    upstream = tenant.window(history_days(spec))
    labels = {"labels": tenant.rows_of(LABELS, FEATURE_WINDOW_DAYS)} if tenant.has_label_features else {}

    @dg.multi_asset(
        name=f"{spec.institution}__{table.name}",
        ins={"_": dg.AssetIn(tenant.key(UPSTREAM), partition_mapping=upstream, dagster_type=dg.Nothing), **labels},
        outs={table.name: tenant.out(table, CODE_VERSION)},
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def featured(
        context: dg.AssetExecutionContext, warehouse: PostgresWarehouse, **known: pa.Table
    ) -> Iterator[dg.Output[Partial]]:
        days = days_of(context)
        refused = never_published(warehouse, tenant.key(UPSTREAM), days)
        cleaned = Cleaned(tenant, warehouse)
        batches = features_in_pieces(
            cleaned.rows,
            tenant.features,
            stretches_of(cleaned.counts(days)),
            history_days=history_days(spec),
            time_zone=spec.time_zone,
            **known,
        )
        rows = (without(pa.Table.from_batches([batch]), refused).select(table.schema.names) for batch in batches)
        reader = pa.RecordBatchReader.from_batches(
            table.schema, (batch for part in rows for batch in part.to_batches())
        )
        yield dg.Output(Partial(reader, refused), output_name=table.name)

    return featured
