"""The mirrors: tables of an institution a second time, in Snowflake, each a node of the graph of its own.

What is read is what PostgreSQL has published, never what made it: a mirror can be late, and cannot be another table.
How the rows get there belongs to the I/O manager, whether they are the same to `mirroring/checks.py`.
"""

from collections.abc import Collection, Iterator
from datetime import date, timedelta

import dagster as dg
import pyarrow as pa

from etl_assets.assets.tenant import SNOWFLAKE, Tenant, never_published, without
from etl_assets.contracts import Table
from etl_assets.dictionary import all_tables
from etl_assets.institution_spec import InstitutionSpec
from etl_assets.io_managers.asset_metadata import table_metadata
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.slices import Partial

CODE_VERSION = "1"
IO_MANAGER = "snowflake_io"
RETRIES, RETRY_DELAY_S = 1, 5.0
AS_PUBLISHED = {"allow_missing_partitions": True, "in_any_order": True}


def mirrored_tables(spec: InstitutionSpec) -> list[Table]:
    """The tables that the institution has in Snowflake too, in the order of the graph."""
    return [table for table in all_tables(spec) if table.name in spec.snowflake.tables]


def mirror(tenant: Tenant, table: Table) -> dg.AssetsDefinition:
    """The asset that has a table's published days in Snowflake too.

    A retry is for a connection that was lost; an outage is outlasted by the sensor, which tries again for ever.
    """
    twin = tenant.key(table.name)

    @dg.multi_asset(
        name=f"{tenant.spec.institution}__{table.name}__mirror",
        ins={"rows": dg.AssetIn(twin, metadata=AS_PUBLISHED)},
        outs={table.name: dg.AssetOut.from_spec(_spec(tenant, table), io_manager_key=IO_MANAGER)},
        pool=f"snowflake/{tenant.spec.institution}/{table.name}",
        retry_policy=dg.RetryPolicy(RETRIES, RETRY_DELAY_S),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def mirrored(
        context: dg.AssetExecutionContext, warehouse: PostgresWarehouse, rows: pa.RecordBatchReader
    ) -> Iterator[dg.Output[Partial]]:
        refused = unpublished(warehouse, twin, context.partition_keys)
        yield dg.Output(Partial(_of_other_days(rows, refused), refused), output_name=table.name)

    return mirrored


def _spec(tenant: Tenant, table: Table) -> dg.AssetSpec:
    """As Dagster shows it; late if nothing was mirrored for longer than the YAML allows."""
    hours = tenant.spec.snowflake.fresh_within_hours
    return dg.AssetSpec(
        tenant.mirror(table.name),
        description=f"{table.description} The same rows as in PostgreSQL, in Snowflake.",
        metadata=table_metadata(table) | {"schema": tenant.spec.institution, "schema_drift": "add"},
        code_version=CODE_VERSION,
        kinds={"snowflake"},
        freshness_policy=dg.FreshnessPolicy.time_window(timedelta(hours=hours)),
        **tenant.common(tenant.days) | {"group_name": f"{tenant.spec.institution}_{SNOWFLAKE}"},
    )


def unpublished(warehouse: PostgresWarehouse, twin: dg.AssetKey, days: Collection[str]) -> dict[str, str]:
    """The days that PostgreSQL has no published rows of, with the reason.

    A day that was refused after it had been published keeps its rows there, and so does its mirror.
    """
    why = warehouse.refused(*twin.path)
    missing = never_published(warehouse, twin, sorted(date.fromisoformat(day) for day in days))
    return {day: f"{said}: {why[day]}" if day in why else said for day, said in missing.items()}


def _of_other_days(rows: pa.RecordBatchReader, refused: Collection[str]) -> pa.RecordBatchReader:
    """As they come. A day that is published while the run goes on is one for the next run."""
    kept = (without(pa.Table.from_batches([batch]), refused) for batch in rows)
    return pa.RecordBatchReader.from_batches(rows.schema, (batch for table in kept for batch in table.to_batches()))
