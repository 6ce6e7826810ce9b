"""Asset checks of the mirrors: each day has a certificate, and what was delivered is accounted for in Snowflake too.

What a certificate rests on belongs to `reconciliation/`, the account's SQL to `row_account.py`; here is Dagster's
shape of them, one evaluation per business date.
"""

import json
from collections.abc import Collection, Iterator
from datetime import date

import dagster as dg
import pyarrow as pa

from etl_assets.assets.mirrored import RETRIES, RETRY_DELAY_S, mirrored_tables
from etl_assets.assets.tenant import Tenant, days_to_check
from etl_assets.contracts import Table
from etl_assets.io_managers.postgres.schema import qualified
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.slices import daily_slice
from etl_assets.io_managers.snowflake.names import identifier
from etl_assets.io_managers.targets import Drift, Target
from etl_assets.mirroring.evidence import account_of
from etl_assets.mirroring.row_account import ACCOUNT, counted, deliveries, violations
from etl_assets.reconciliation.certificate_log import remember
from etl_assets.reconciliation.certificates import Certificate, certify
from etl_assets.resources import Snowflake

EQUAL, ACCOUNTED = "mirror_equals_postgres", "records_read_are_accounted_for_in_snowflake"


def mirror_checks(tenant: Tenant) -> list[dg.AssetChecksDefinition]:
    """The checks of every mirror that the institution has."""
    tables = mirrored_tables(tenant.spec)
    accounts = [_accounted_for(tenant) for table in tables if table.name == ACCOUNT]
    return [*(_equals_postgres(tenant, table) for table in tables), *accounts]


def checks_of(tenant: Tenant, written: Collection[str]) -> list[dg.AssetCheckKey]:
    """The checks whose answer another write of these mirrors may change."""
    keys = [dg.AssetCheckKey(tenant.mirror(table), EQUAL) for table in written]
    is_accounted = ACCOUNT in tenant.spec.snowflake.tables and {ACCOUNT, *counted(tenant.spec)} & {*written}
    return [*keys, dg.AssetCheckKey(tenant.mirror(ACCOUNT), ACCOUNTED)] if is_accounted else keys


def _equals_postgres(tenant: Tenant, table: Table) -> dg.AssetChecksDefinition:
    spec = dg.AssetCheckSpec(
        EQUAL,
        asset=tenant.mirror(table.name),
        description="PostgreSQL and Snowflake hold the same rows: count, exact sums and a hash, computed in each.",
        partitions_def=tenant.days,
    )
    target = Target(tenant.spec.institution, table, drift=Drift.ADD)

    @dg.multi_asset_check(
        name=f"{tenant.spec.institution}__{table.name}__mirror_checks",
        specs=[spec],
        can_subset=True,
        retry_policy=dg.RetryPolicy(RETRIES, RETRY_DELAY_S),
    )
    def check(
        context: dg.AssetCheckExecutionContext, warehouse: PostgresWarehouse, snowflake: dg.ResourceParam[Snowflake]
    ) -> Iterator[dg.AssetCheckEvaluation]:
        days = days_to_check(context, warehouse.written(tenant.spec.institution, table.name))
        slice_ = daily_slice("business_date", days)
        compared = certify(warehouse, snowflake.open(), target, target, slice_) if days else []
        # A day that nobody has published is as empty there as here, which certifies nothing.
        certificates = [one for one in compared if one.source_written_at or one.rows_in_snowflake]
        remember(warehouse, tenant.spec.institution, certificates, context.run.run_id, account_of() or "")
        for certificate in certificates:
            yield _evaluation(spec.key, certificate)

    return check


def _evaluation(key: dg.AssetCheckKey, certificate: Certificate) -> dg.AssetCheckEvaluation:
    """Numbers and names of columns; which rows differ is for who may read them, in the certificate."""
    return dg.AssetCheckEvaluation(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=certificate.is_equal,
        partition=certificate.partition_key,
        description=None if certificate.is_equal else _in_words(key, certificate),
        metadata={
            "rows_in_postgres": certificate.rows_in_postgres,
            "rows_in_snowflake": certificate.rows_in_snowflake,
            "hash_in_postgres": certificate.hash_in_postgres,
            "hash_in_snowflake": certificate.hash_in_snowflake,
            "sums": dg.MetadataValue.json(json.loads(certificate.sums)),
            "rows_missing": certificate.rows_missing,
            "rows_extra": certificate.rows_extra,
            "rows_changed": certificate.rows_changed,
            "rows_not_compared": certificate.rows_not_compared,
            "columns_differ": ", ".join(certificate.columns_differ) or "none",
        },
    )


def _in_words(key: dg.AssetCheckKey, certificate: Certificate) -> str:
    """The verdict, and where the rows that differ are named."""
    day, verdict = certificate.partition_key, certificate.verdict.value.replace("_", " ")
    command = f"etl-assets certificates {key.asset_key.path[1]} --from {day} --to {day} --differing"
    return f"{verdict}; which rows: {command}"


def _accounted_for(tenant: Tenant) -> dg.AssetChecksDefinition:
    tables = counted(tenant.spec)
    spec = dg.AssetCheckSpec(
        ACCOUNTED,
        asset=tenant.mirror(ACCOUNT),
        description="Per delivery of PostgreSQL's account: records read = published + quarantined + control lines, "
        f"counted in Snowflake for {', '.join(tables) or 'the account alone'}.",
        additional_deps=[tenant.mirror(table) for table in tables],
        partitions_def=tenant.days,
    )

    @dg.multi_asset_check(
        name=f"{tenant.spec.institution}__mirror_is_accounted_for",
        specs=[spec],
        can_subset=True,
        retry_policy=dg.RetryPolicy(RETRIES, RETRY_DELAY_S),
    )
    def check(
        context: dg.AssetCheckExecutionContext, warehouse: PostgresWarehouse, snowflake: dg.ResourceParam[Snowflake]
    ) -> Iterator[dg.AssetCheckEvaluation]:
        published = warehouse.written(tenant.spec.institution, ACCOUNT)
        days = [day for day in days_to_check(context, published) if day.isoformat() in published]
        if not days:
            return
        name, there = (tenant.spec.institution, ACCOUNT), snowflake.open()
        broken = _by_day(there.fetch(violations(tenant.spec, days)))
        # Rows and account that are both gone, or both doubled, agree with each other.
        accounts = _by_day(there.fetch(deliveries(identifier(*name), days)))
        promised = _by_day(warehouse.fetch(deliveries(qualified(*name), days)))
        for day in days:
            yield _account(spec.key, day, broken.get(day) or abs(promised.get(day, 0) - accounts.get(day, 0)))

    return check


def _by_day(found: pa.Table) -> dict[date, int]:
    days, numbers = (column.to_pylist() for column in found.columns)
    return {day: int(number) for day, number in zip(days, numbers, strict=True)}


def _account(key: dg.AssetCheckKey, day: date, broken: int) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=broken == 0,
        partition=day.isoformat(),
        description=f"deliveries that are not accounted for: {broken}" if broken else None,
        metadata={"violations": broken},
    )
