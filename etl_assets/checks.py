"""Asset checks: each promise of `audit.py` evaluated for every partition of a run, and the end of a partial one.

No SQL and no rules here; only Dagster's shape of them.
"""

from collections.abc import Iterator
from datetime import date

import dagster as dg

from etl_assets.assets.tenant import Tenant, days_to_check
from etl_assets.audit import PROMISES, Promise, violations
from etl_assets.io_managers.errors import Permanent
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse


def promises_kept(tenant: Tenant, table: str) -> dg.AssetChecksDefinition:
    """The checks of one table: every promise about it, one evaluation per business date.

    A single result for a range would be stored without a partition, and one bad day would hide behind it.
    """
    promises = {promise.name: promise for promise in PROMISES if promise.table == table}
    specs = [
        dg.AssetCheckSpec(name, asset=tenant.key(table), description=p.description, partitions_def=tenant.days)
        for name, p in promises.items()
    ]

    @dg.multi_asset_check(name=f"{tenant.spec.institution}__{table}_checks", specs=specs, can_subset=True)
    def checks(
        context: dg.AssetCheckExecutionContext, warehouse: PostgresWarehouse
    ) -> Iterator[dg.AssetCheckEvaluation]:
        if not (days := days_to_check(context, warehouse.written(tenant.spec.institution, table))):
            return
        for key in sorted(context.selected_asset_check_keys):
            promise = promises[key.name]
            for day, broken in violations(warehouse, tenant.spec, promise, days).items():
                yield _evaluation(key, promise, day, broken)

    return checks


def _evaluation(key: dg.AssetCheckKey, promise: Promise, day: date, broken: int) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=broken == 0,
        severity=dg.AssetCheckSeverity.WARN if promise.is_warning else dg.AssetCheckSeverity.ERROR,
        partition=day.isoformat(),
        description=promise.description if broken else None,
        metadata={"violations": broken},
    )


def every_partition_was_published(tenant: Tenant, table: str) -> dg.AssetChecksDefinition:
    """A run that refused some of its partitions fails at its end, after the good ones were published.

    Failing inside the asset's own step would keep the good partitions' downstream from running.
    """
    spec = dg.AssetCheckSpec(
        "every_partition_was_published",
        asset=tenant.key(table),
        description="No business date was refused at its last try; a run with a refused one fails and names it.",
        partitions_def=tenant.days,
    )

    @dg.multi_asset_check(name=f"{tenant.spec.institution}__{table}_published", specs=[spec], can_subset=True)
    def check(
        context: dg.AssetCheckExecutionContext, warehouse: PostgresWarehouse
    ) -> Iterator[dg.AssetCheckEvaluation]:
        refused = warehouse.refused(tenant.spec.institution, table)
        written = warehouse.written(tenant.spec.institution, table)
        here = {str(day): refused.get(str(day)) for day in days_to_check(context, {*refused, *written})}
        for day, why in here.items():
            yield dg.AssetCheckEvaluation(
                asset_key=spec.asset_key,
                check_name=spec.name,
                passed=why is None,
                partition=day,
                description=why,
            )
        if reasons := [f"{day}: {why}" for day, why in here.items() if why is not None]:
            raise Permanent(f"{tenant.spec.institution}/{table} refused " + "; ".join(reasons))

    return check
