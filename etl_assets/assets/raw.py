"""Raw transactions: every record of the day's deliveries, as delivered.

What a file is and how it is read belongs to `sources/`.
"""

from collections.abc import Iterator, Sequence
from datetime import date

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.assets.tenant import Tenant, days_of, without
from etl_assets.contracts import Table
from etl_assets.institution_deliveries import FolderUnset
from etl_assets.institution_spec import InstitutionSpec
from etl_assets.io_managers.errors import Permanent, Unavailable
from etl_assets.io_managers.postgres import PostgresWarehouse
from etl_assets.io_managers.slices import Partial, daily_slice
from etl_assets.io_managers.targets import Target
from etl_assets.ledger import Ledger, Read
from etl_assets.sources.listing import Delivery, ListingFailed, ListingRefused, fetched, listed
from etl_assets.sources.reading import DeliveryRejected, read_delivery
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
        reads, tables = _read_all(_delivered(spec, days), spec, table)
        Ledger(warehouse, spec.institution).record(reads, context.run.run_id)
        refused = {r.business_date.isoformat(): r.problem for r in reads if r.problem is not None}
        tables.append(_kept(warehouse, spec, table, days, {r.delivery_id for r in reads}))
        rows = pa.concat_tables(tables)
        yield dg.Output(Partial(without(rows, refused), refused), output_name=table.name)

    return raw


def _delivered(spec: InstitutionSpec, days: Sequence[date]) -> Iterator[tuple[Delivery, bytes]]:
    try:
        yield from fetched(spec, [found for found in listed(spec) if found.business_date in set(days)])
    except (FolderUnset, ListingRefused) as error:
        raise Permanent(str(error)) from error
    except ListingFailed as error:
        raise Unavailable(str(error)) from error


def _read_all(
    deliveries: Iterator[tuple[Delivery, bytes]], spec: InstitutionSpec, table: Table
) -> tuple[list[Read], list[pa.Table]]:
    reads, tables = [], []
    for delivery, content in deliveries:
        try:
            reading = read_delivery(delivery.name, content, spec)
        except DeliveryRejected as error:
            reads.append(_entry(delivery, 0, 0, str(error)))
            continue
        reads.append(_entry(delivery, reading.records_read, reading.control_lines, None))
        tables.append(_with_lineage(reading.rows, delivery, table))
    return reads, tables


def _entry(delivery: Delivery, records_read: int, control_lines: int, problem: str | None) -> Read:
    return Read(
        delivery_id=delivery.delivery_id,
        business_date=delivery.business_date,
        path=delivery.relative_path,
        size_bytes=delivery.size_bytes,
        content_sha256=delivery.content_sha256,
        delivered_at=delivery.delivered_at,
        records_read=records_read,
        control_lines=control_lines,
        problem=problem,
    )


def _with_lineage(rows: pa.Table, delivery: Delivery, table: Table) -> pa.Table:
    constants = {
        "business_date": delivery.business_date,
        "_delivery_id": delivery.delivery_id,
        "_file": delivery.name,
        "_delivered_at": delivery.delivered_at,
    }
    for name, value in constants.items():
        kind = table.schema.field(name).type
        rows = rows.append_column(name, pa.repeat(pa.scalar(value, kind), rows.num_rows))
    return rows.select(table.schema.names).cast(table.schema)


def _kept(
    warehouse: PostgresWarehouse, spec: InstitutionSpec, table: Table, days: Sequence[date], found: set[str]
) -> pa.Table:
    """Rows of deliveries that are no longer in the folder: archived or overwritten, they stay delivered."""
    known = Ledger(warehouse, spec.institution).deliveries(days)
    gone = {d["_delivery_id"] for d in known.to_pylist() if d["state"] != "rejected"} - found
    if not gone:
        return table.empty()
    rows = warehouse.read_slice(Target(spec.institution, table), daily_slice("business_date", days), must_exist=False)
    return rows.filter(pc.is_in(rows["_delivery_id"], pa.array(sorted(gone))))
