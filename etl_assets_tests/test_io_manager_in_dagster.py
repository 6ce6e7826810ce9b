"""Ranges in one run of two assets, one of which refuses days.

Windows, keys, frames, metadata, events and what was never written have files of their own beside this one.
"""

from datetime import date

import dagster as dg
import pandas as pd
import polars as pl
import pyarrow as pa

from etl_assets.contracts import Table
from etl_assets.io_managers.asset_metadata import table_metadata
from etl_assets.io_managers.postgres.io_manager import PostgresIOManager
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.slices import WHOLE, Partial, daily_slice
from etl_assets.io_managers.targets import Target
from etl_assets_tests.payments import AT, MONDAY, PAYMENTS, TUESDAY, payments, stored, write

MAY_MISS = {"allow_missing_partitions": True}
BERLIN_DAYS = dg.DailyPartitionsDefinition("2026-03-02", timezone="Europe/Berlin", end_date="2026-04-05")


def platform(warehouse: PostgresWarehouse, refused: dict[str, str]) -> dg.Definitions:
    """An asset that writes one row per day, and one that reads it a day back, through the I/O manager."""

    @dg.asset(
        key=["bank", "payments"],
        partitions_def=BERLIN_DAYS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        metadata=table_metadata(PAYMENTS),
    )
    def upstream(context: dg.AssetExecutionContext) -> Partial:
        kept = [date.fromisoformat(key) for key in context.partition_keys if key not in refused]
        return Partial(pa.concat_tables([payments(MONDAY), *(payments(day, 1) for day in kept)]), refused)

    copied = Table("copied", "Copied.", PAYMENTS.columns, PAYMENTS.key, "day")
    window = dg.TimeWindowPartitionMapping(-1, 0, allow_nonexistent_upstream_partitions=True)

    @dg.asset(
        key=["bank", "copied"],
        ins={"rows": dg.AssetIn(["bank", "payments"], partition_mapping=window, metadata=MAY_MISS)},
        partitions_def=BERLIN_DAYS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        metadata=table_metadata(copied),
    )
    def downstream(context: dg.AssetExecutionContext, rows: pl.DataFrame) -> pd.DataFrame:
        days = {date.fromisoformat(key) for key in context.partition_keys}
        frame = rows.filter(pl.col("day").is_in(list(days))).with_columns(note=pl.lit(f"{len(rows)} in window"))
        return frame.to_arrow().to_pandas(date_as_object=True)

    manager = PostgresIOManager(url=warehouse.url)
    return dg.Definitions(assets=[upstream, downstream], resources={"io_manager": manager})


def run_range(
    definitions: dg.Definitions, instance: dg.DagsterInstance, first: str, last: str
) -> dg.ExecuteInProcessResult:
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    job = definitions.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(instance=instance, tags=tags, raise_on_error=False)


def test_a_range_over_the_clock_change_counts_every_day_once(warehouse: PostgresWarehouse) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert run_range(platform(warehouse, {}), instance, "2026-03-27", "2026-03-31").success
        events = instance.fetch_materializations(dg.AssetKey(["bank", "payments"]), limit=10).records
    counts = {e.partition_key: e.asset_materialization.metadata["dagster/partition_row_count"].value for e in events}
    assert counts == {f"2026-03-{day}": 1 for day in range(27, 32)}
    assert warehouse.read_slice(Target("bank", PAYMENTS), WHOLE).num_rows == 5


def test_a_refused_day_keeps_its_rows_and_is_not_recorded_as_materialised(warehouse: PostgresWarehouse) -> None:
    days = daily_slice("day", [date(2026, 3, 4)])
    warehouse.write(AT, days, payments(date(2026, 3, 4), 77), "before")
    with dg.DagsterInstance.ephemeral() as instance:
        result = run_range(platform(warehouse, {"2026-03-04": "too bad"}), instance, "2026-03-03", "2026-03-05")
        assert result.success
        materialised = instance.get_materialized_partitions(dg.AssetKey(["bank", "payments"]))
    assert materialised == {"2026-03-03", "2026-03-05"}
    assert stored(warehouse, date(2026, 3, 4)) == [(date(2026, 3, 4), 77)]
    assert warehouse.refused("bank", "payments") == {"2026-03-04": "too bad"}


def test_a_later_success_clears_the_refusal(warehouse: PostgresWarehouse) -> None:
    slice_ = daily_slice("day", [MONDAY])
    warehouse.write(AT, slice_, payments(MONDAY), "one", refused={"2026-03-03": "too bad"})
    assert warehouse.refused("bank", "payments") == {"2026-03-03": "too bad"}
    write(warehouse, payments(TUESDAY, 1), TUESDAY)
    assert warehouse.refused("bank", "payments") == {}


def test_a_run_whose_partitions_are_all_refused_fails(warehouse: PostgresWarehouse) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        result = run_range(platform(warehouse, {"2026-03-04": "too bad"}), instance, "2026-03-04", "2026-03-04")
        assert "nothing was published. 2026-03-04: too bad" in str(result.failure_data_for_node("bank__payments"))
        assert instance.get_materialized_partitions(dg.AssetKey(["bank", "payments"])) == set()
