"""A failed promise about a day that the restatement of another day has mended is seen to be kept, without a run."""

from collections.abc import Collection
from datetime import date

import dagster as dg
from dagster import DagsterInstance

from etl_assets.assets.tenant import Tenant
from etl_assets.audit import PROMISES, violations
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse

ACROSS_DAYS = tuple(promise for promise in PROMISES if promise.name == "transaction_key_is_unique")
VERDICTS_TO_READ = 500


def recheck(instance: DagsterInstance, warehouse: PostgresWarehouse, tenant: Tenant, days: Collection[date]) -> None:
    """Each of the days whose last verdict is a failure and that breaks the promise no more has passed it.

    Both days of a repeated key fail the check and only one of them runs again: the other would stay red for ever.
    """
    for promise in ACROSS_DAYS:
        key = dg.AssetCheckKey(tenant.key(promise.table), promise.name)
        failed = _failed(instance, key) & set(days)
        counts = violations(warehouse, tenant.spec, promise, failed) if failed else {}
        for day in sorted(failed):
            if counts[day] == 0:
                instance.report_runless_asset_event(
                    dg.AssetCheckEvaluation(
                        asset_key=key.asset_key,
                        check_name=key.name,
                        passed=True,
                        partition=day.isoformat(),
                        description="kept since a day near it was restated",
                        metadata={"violations": 0},
                    )
                )


def _failed(instance: DagsterInstance, key: dg.AssetCheckKey) -> set[date]:
    records = instance.event_log_storage.get_asset_check_execution_history(key, limit=VERDICTS_TO_READ)
    latest = {record.partition: record.status.value for record in reversed(records) if record.status.value != "PLANNED"}
    return {date.fromisoformat(day) for day, status in latest.items() if day and status == "FAILED"}
