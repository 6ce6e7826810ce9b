"""One sensor per institution: a delivery that lies still in the folder is carried from raw to scored, with no click.

The shell round `arrivals.py`: lists the folder, asks the ledger, hands the decision to Dagster. What a late or
corrected day D changes in D+1 and after is not requested here: those rows are there and only stale, and restating
them once is declarative automation's part.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import dagster as dg

from etl_assets.arrivals import Calendar, Decision, Known, Memory, Request, Seen, requests_for
from etl_assets.assets.tenant import Tenant
from etl_assets.institution_spec import InstitutionSpec
from etl_assets.io_managers.postgres import PostgresWarehouse
from etl_assets.ledger import Ledger
from etl_assets.sources.listing import listed

RUNS_PER_TICK = 10
SECONDS_BETWEEN_TICKS = 30
TAG = "etl_assets/institution"


def arrivals(tenant: Tenant, job: Any) -> dg.SensorDefinition:
    """The sensor that launches `job` for each business date whose files are new or corrected.

    Stopped until a person starts it, and Dagster remembers that: loading the code on a laptop or in CI, or adding a
    tenant whose YAML nobody has tried yet, must not launch runs. A folder that cannot be listed fails the tick with
    the reason and leaves the cursor: taken for an empty one it would look like a bank that delivered nothing.
    """
    spec = tenant.spec

    @dg.sensor(
        name=f"{spec.institution}__arrivals",
        description=f"Carries each delivery of {spec.institution} from raw to scored once it is complete.",
        job=job,
        minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        tags={TAG: spec.institution},
    )
    def tick(context: dg.SensorEvaluationContext, warehouse: PostgresWarehouse) -> dg.SensorResult:
        listing = _listing(spec)
        known = _known(Ledger(warehouse, spec.institution), listing)
        decision = requests_for(listing, Memory.read(context.cursor), known, _calendar(tenant), RUNS_PER_TICK)
        context.log.info(decision.in_words())
        return _result(decision, spec.institution)

    return tick


def _listing(spec: InstitutionSpec) -> list[Seen]:
    return [Seen(f.business_date, f.relative_path, f.size_bytes, f.delivered_at) for f in listed(spec)]


def _known(ledger: Ledger, listing: Sequence[Seen]) -> Known:
    known: dict[str, dict[tuple[int, datetime], str]] = defaultdict(dict)
    if not listing:
        return known
    days = [seen.business_date for seen in listing]
    for row in ledger.versions(min(days), max(days)).to_pylist():
        known[row["path"]][row["size_bytes"], row["delivered_at"]] = row["state"]
    return known


def _calendar(tenant: Tenant) -> Calendar:
    last = tenant.days.get_last_partition_key()
    return Calendar(tenant.spec.start_date, None if last is None else date.fromisoformat(last))


def _result(decision: Decision, institution: str) -> dg.SensorResult:
    return dg.SensorResult(
        run_requests=[_run_request(request, institution) for request in decision.requests],
        skip_reason=None if decision.requests else decision.in_words(),
        cursor=decision.memory.write(),
    )


def _run_request(request: Request, institution: str) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=request.run_key,
        partition_key=request.business_date.isoformat(),
        tags={TAG: institution, "etl_assets/deliveries": str(len(request.fresh))},
    )
