"""Raw transactions: every record of the day's deliveries, as delivered.

What is taken in belongs to `deliveries/intake.py`, how a file is read to `sources/`.
"""

from collections.abc import Iterator, Sequence
from datetime import date

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.assets.tenant import Tenant, days_of, without
from etl_assets.deliveries.intake import Intake, taken_in
from etl_assets.deliveries.ledger import Ledger
from etl_assets.deliveries.schema_log import SchemaLog
from etl_assets.institution_spec import InstitutionSpec, SpecRefused
from etl_assets.io_managers.errors import Permanent, Unavailable
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.slices import Partial, daily_slice
from etl_assets.io_managers.targets import Drift, Target
from etl_assets.run_outcomes import FILES_TAG
from etl_assets.sources.listing import ListingFailed, ListingRefused
from etl_assets.tables import raw_table

CODE_VERSION = "1"


def raw_transactions(tenant: Tenant) -> dg.AssetsDefinition:
    """The asset that takes in the deliveries of its business dates."""
    spec, table = tenant.spec, raw_table(tenant.spec)

    @dg.multi_asset(
        name=f"{spec.institution}__{table.name}",
        outs={table.name: tenant.out(table, CODE_VERSION)},
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def raw(context: dg.AssetExecutionContext, warehouse: PostgresWarehouse) -> Iterator[dg.Output[Partial]]:
        days = days_of(context)
        with _delivered(spec, days) as intake:
            if FILES_TAG in context.run.tags and not (intake.reads or intake.refused):
                _refuse_vanished(Ledger(warehouse, spec.institution), days)
            _keep(warehouse, intake, days)
            Ledger(warehouse, spec.institution).record(intake.reads, context.run.run_id)
            SchemaLog(warehouse, spec).record(context.run.run_id)
            refused = intake.refused
            rows = intake.rows.reader(lambda rows: without(rows, refused))
            yield dg.Output(Partial(rows, refused), output_name=table.name)

    return raw


def _delivered(spec: InstitutionSpec, days: Sequence[date]) -> Intake:
    try:
        return taken_in(spec, days)
    except (SpecRefused, ListingRefused) as error:
        raise Permanent(str(error)) from error
    except ListingFailed as error:
        raise Unavailable(str(error)) from error


def _refuse_vanished(ledger: Ledger, days: Sequence[date]) -> None:
    """A run that was asked for because of files has some: without, it would publish a day on which nobody paid."""
    if not ledger.deliveries(days).num_rows:
        raise Unavailable(
            "the files that this run was asked to read are no longer there: nothing was written; put them back, and "
            "the sensor asks for them again"
        )


def _keep(warehouse: PostgresWarehouse, intake: Intake, days: Sequence[date]) -> None:
    """Rows of deliveries that are no longer in the folder are kept: archived or overwritten, they stay delivered.

    Also of one that was refused when it was read again: its rows are published. Of one whose date was refused from
    the start there are none, and the ledger says so, since nobody could account for its records.
    """
    spec, ledger = intake.spec, Ledger(warehouse, intake.spec.institution)
    found = {read.delivery_id for read in intake.reads}
    known = without(ledger.deliveries(days), intake.refused)
    gone = {d["_delivery_id"]: d for d in known.to_pylist() if d["_delivery_id"] not in found}
    if not gone:
        return
    target, slice_ = Target(spec.institution, raw_table(spec), drift=Drift.ADD), daily_slice("business_date", days)
    kept: set[str] = set()
    for batch in warehouse.read_batches(target, slice_, must_exist=False):
        rows = pa.Table.from_batches([batch])
        rows = rows.filter(pc.is_in(rows["_delivery_id"], pa.array(sorted(gone))))
        kept.update(rows["_delivery_id"].unique().to_pylist())
        intake.rows.add(rows)
    ledger.give_up([name for name, d in gone.items() if name not in kept and d["records_read"] > d["control_lines"]])
