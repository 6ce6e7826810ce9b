"""Cleaned and quarantined transactions with their row account: three tables from one verdict.

How values are parsed, rules judged and duplicates found belongs to `transforms/`.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.assets.tenant import Tenant, days_of, never_published, without
from etl_assets.deliveries.ledger import Ledger
from etl_assets.deliveries.row_account import records_published
from etl_assets.deliveries.states import replaced
from etl_assets.institution_spec import InstitutionSpec
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.slices import Partial
from etl_assets.repair.repairs import Repairs
from etl_assets.tables import QUARANTINED, ROW_ACCOUNT, cleaned_table
from etl_assets.transforms.batches import Batch, judged
from etl_assets.transforms.corrections import corrected
from etl_assets.verdicts import verdicts_on

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
        ins={"raw": tenant.rows_of("raw_transactions", horizon, horizon, in_any_order=True)},
        outs={t.name: tenant.out(t, CODE_VERSION) for t in (table, QUARANTINED, ROW_ACCOUNT)},
        check_specs=[check],
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def cleaned(
        context: dg.AssetExecutionContext, warehouse: PostgresWarehouse, raw: pa.RecordBatchReader
    ) -> Iterator[dg.Output[Partial | None] | dg.AssetCheckEvaluation]:
        days = days_of(context)
        near_days = _with_horizon(days, horizon)
        near = Ledger(warehouse, spec.institution).deliveries(near_days)
        corrections = Repairs(warehouse, spec.institution).in_force(near_days[0], near_days[-1])
        rows = (corrected(pa.Table.from_batches([batch]), corrections, spec) for batch in raw)
        expected_rows, old = pc.sum(near["records_read"]).as_py() or 0, replaced(near.to_pylist())
        with verdicts_on(rows, spec, days, expected_rows, old) as verdicts:
            batches = judged(
                verdicts.records, verdicts.invalid, spec.batch_rules, days, _history(warehouse, spec, days[0])
            )
            yield from _evaluations(check, batches)
            refused = never_published(warehouse, tenant.key("raw_transactions"), days)
            refused |= {batch.day.isoformat(): batch.problem for batch in batches if batch.problem}
            deliveries = near.filter(pc.is_in(near["business_date"], pa.array(days)))
            outputs = {
                table.name: verdicts.published.reader(lambda rows: without(rows, refused)),
                QUARANTINED.name: verdicts.quarantined.reader(lambda rows: without(rows, refused)),
                ROW_ACCOUNT.name: without(verdicts.account.rows(deliveries), refused),
            }
            for name, rows_out in outputs.items():
                yield dg.Output(Partial(rows_out, refused), output_name=name)
        yield dg.Output(None, output_name=check.get_python_identifier())

    return cleaned


def _with_horizon(days: Sequence[date], horizon: int) -> list[date]:
    first, last = days[0] - timedelta(horizon), days[-1] + timedelta(horizon)
    return [first + timedelta(n) for n in range((last - first).days + 1)]


def _history(warehouse: PostgresWarehouse, spec: InstitutionSpec, first: date) -> dict[date, int]:
    """Records of the dates before the run, as far back as the volume of a date is compared."""
    volume = spec.batch_rules.volume
    if volume is None:
        return {}
    return records_published(warehouse, spec.institution, first - timedelta(weeks=volume.weeks), first - timedelta(1))


def _evaluations(check: dg.AssetCheckSpec, batches: Sequence[Batch]) -> Iterator[dg.AssetCheckEvaluation]:
    """One evaluation per business date: a single result for a range would be stored without a partition."""
    for batch in batches:
        yield dg.AssetCheckEvaluation(
            asset_key=check.asset_key,
            check_name=check.name,
            passed=batch.problem is None and batch.warning is None,
            severity=dg.AssetCheckSeverity.WARN if batch.problem is None else dg.AssetCheckSeverity.ERROR,
            partition=batch.day.isoformat(),
            description=batch.problem or batch.warning,
            metadata={"records": batch.records, "invalid": batch.invalid, "invalid_share": batch.invalid_share},
        )
