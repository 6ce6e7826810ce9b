"""One sensor per institution: what PostgreSQL has and Snowflake has not is mirrored, with no click, outage or not.

The shell round `decision.py`: reads what the tables say, asks Dagster which runs there were, hands over one request.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster import DagsterInstance, RunsFilter

from etl_assets.assets.tenant import Tenant
from etl_assets.automation import ENDED, UNFINISHED, unfinished
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.mirroring.checks import checks_of
from etl_assets.mirroring.decision import ATTEMPTS, Ended, Late, again_at, next_work, works
from etl_assets.mirroring.evidence import Evidence
from etl_assets.resources import UNCONFIGURED, snowflake_is_configured

MIRRORS = "mirrors"
TAG, KEY_TAG = "etl_assets/mirrors", "etl_assets/mirrors_key"
SECONDS_BETWEEN_TICKS = 30
RUNS_TO_READ = 20
DAYS_TO_NAME = 5


def catching_up(tenant: Tenant, job: Any) -> dg.SensorDefinition:
    """The sensor that launches `job` for the days that a mirror lacks, or has otherwise than PostgreSQL.

    Stopped until a person starts it, like the arrivals.
    """
    institution = tenant.spec.institution

    @dg.sensor(
        name=f"{institution}__{MIRRORS}",
        description=f"Mirrors in Snowflake what {institution} has published, and catches up after an outage.",
        job=job,
        minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        tags={TAG: institution},
    )
    def tick(context: dg.SensorEvaluationContext, warehouse: PostgresWarehouse) -> dg.SensorResult:
        if not snowflake_is_configured():
            return dg.SensorResult(skip_reason=UNCONFIGURED)
        if running := max(unfinished(context.instance, institution), _mirroring(context.instance, tenant)):
            return dg.SensorResult(skip_reason=f"waiting for runs of {institution} to end: {running}")
        found = Evidence(warehouse, tenant).late()
        if left := in_words([part for part in found if part.is_left]):
            context.log.error(left)
        asked = _asked(list(_ended(context.instance, institution)), tenant, found)
        if isinstance(asked, dg.RunRequest):
            return dg.SensorResult(run_requests=[asked])
        return dg.SensorResult(skip_reason="; ".join(filter(None, (asked, left))) or "every mirror is up to date")

    return tick


def in_words(left: Sequence[Late]) -> str:
    """Which days differ however often they are mirrored; empty if none does."""
    if not left:
        return ""
    shown = ", ".join(f"{part.table} {part.day}" for part in left[:DAYS_TO_NAME])
    more = f" and {len(left) - DAYS_TO_NAME} more" if len(left) > DAYS_TO_NAME else ""
    return (
        f"left to people, still different after {ATTEMPTS} runs: {shown}{more}; see the check mirror_equals_postgres, "
        "mend the cause and materialise the day by hand"
    )


def _asked(ended: Sequence[Ended], tenant: Tenant, found: Sequence[Late]) -> dg.RunRequest | str | None:
    """The request for the next work, or why it waits; None where there is none."""
    work = next_work(found, [run.key for run in ended])
    if work is None:
        return None
    wait_until = again_at(ended, {possible.key for possible in works(found)})
    if wait_until is not None and wait_until > datetime.now(UTC):
        days = f"{len(work.days)} days from {work.days[0]} on are" if len(work.days) > 1 else f"{work.days[0]} is"
        return f"{days} late in Snowflake; tried again at {wait_until:%H:%M:%S} UTC"
    return dg.RunRequest(
        asset_selection=[tenant.mirror(table) for table in work.tables],
        asset_check_keys=checks_of(tenant, work.tables),
        tags={
            "dagster/asset_partition_range_start": str(work.days[0]),
            "dagster/asset_partition_range_end": str(work.days[-1]),
            TAG: tenant.spec.institution,
            KEY_TAG: work.key,
        },
    )


def _mirroring(instance: DagsterInstance, tenant: Tenant) -> int:
    """Unfinished runs that write a mirror, in whichever job: who clicks on an asset has one of no institution."""
    mirrors = {tenant.mirror(table) for table in tenant.spec.snowflake.tables}
    runs = instance.get_runs(RunsFilter(statuses=UNFINISHED))
    return sum(not mirrors.isdisjoint(run.asset_selection or ()) for run in runs)


def _ended(instance: DagsterInstance, institution: str) -> Iterator[Ended]:
    """The last runs of the institution's mirrors that have ended, whoever asked for them, newest first."""
    mirroring = RunsFilter(job_name=f"{institution}__{MIRRORS}", statuses=list(ENDED))
    for record in instance.get_run_records(mirroring, limit=RUNS_TO_READ):
        run = record.dagster_run
        at = datetime.fromtimestamp(record.end_time, UTC) if record.end_time else record.update_timestamp
        yield Ended(run.is_success, run.tags.get(KEY_TAG), at)
