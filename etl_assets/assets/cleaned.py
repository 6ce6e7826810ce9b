"""Cleaned and quarantined transactions with their row account: three tables from one verdict.

How values are parsed, rules judged and duplicates found belongs to `transforms/`.
"""

from collections.abc import Iterator, Sequence

import dagster as dg
import pyarrow as pa

from etl_assets.assets.tenant import Tenant, days_of, never_published, without
from etl_assets.io_managers.postgres import PostgresWarehouse
from etl_assets.io_managers.slices import Partial
from etl_assets.ledger import Ledger, row_account
from etl_assets.tables import QUARANTINED, ROW_ACCOUNT, cleaned_table
from etl_assets.transforms.batches import Batch, judged
from etl_assets.transforms.cleaning import clean

CODE_VERSION = "1"
SHARE_CHECK = "share_quarantined_is_under_limit"


def cleaned_transactions(tenant: Tenant) -> dg.AssetsDefinition:
    """The asset that publishes valid rows, keeps the others with their reasons, and accounts for all of them."""
    spec, table = tenant.spec, cleaned_table(tenant.spec)
    horizon = spec.duplicate_horizon_days
    check = dg.AssetCheckSpec(
        SHARE_CHECK,
        asset=tenant.key(table.name),
        description="The share of invalid records allows publishing; a day above the limit keeps its old rows.",
        partitions_def=tenant.days,
    )

    @dg.multi_asset(
        name=f"{spec.institution}__{table.name}",
        ins={"raw": tenant.rows_of("raw_transactions", horizon, horizon)},
        outs={t.name: tenant.out(t, CODE_VERSION) for t in (table, QUARANTINED, ROW_ACCOUNT)},
        check_specs=[check],
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def cleaned(
        context: dg.AssetExecutionContext, warehouse: PostgresWarehouse, raw: pa.Table
    ) -> Iterator[dg.Output[Partial | None] | dg.AssetCheckEvaluation]:
        days = days_of(context)
        verdict = clean(raw, spec, days[0], days[-1])
        batches = judged(raw, verdict.quarantined, spec.batch_rules, days)
        yield from _evaluations(check, batches)
        refused = never_published(warehouse, tenant.key("raw_transactions"), days)
        refused |= {batch.day.isoformat(): batch.problem for batch in batches if batch.problem}
        deliveries = Ledger(warehouse, spec.institution).deliveries(days)
        account = row_account(verdict.published, verdict.quarantined, deliveries)
        for name, rows in zip((table.name, QUARANTINED.name, ROW_ACCOUNT.name), (*verdict, account), strict=True):
            yield dg.Output(Partial(without(rows, refused), refused), output_name=name)
        yield dg.Output(None, output_name=check.get_python_identifier())

    return cleaned


def _evaluations(check: dg.AssetCheckSpec, batches: Sequence[Batch]) -> Iterator[dg.AssetCheckEvaluation]:
    """One evaluation per business date: a single result for a range would be stored without a partition."""
    for batch in batches:
        yield dg.AssetCheckEvaluation(
            asset_key=check.asset_key,
            check_name=check.name,
            passed=batch.problem is None,
            partition=batch.day.isoformat(),
            description=batch.problem,
            metadata={"records": batch.records, "invalid": batch.invalid, "invalid_share": batch.invalid_share},
        )
