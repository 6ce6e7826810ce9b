"""One sensor per institution: a delivery that lies still in the folder is carried from raw to scored, with no click.

The shell round `deliveries/arrivals.py`: lists the folder, asks the ledger and the runs, hands the decision to
Dagster. What a late or corrected day D changes in D+1 and after is not requested here: those rows are there and only
stale, and restating them once is the part of `automation.py`.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import accumulate
from typing import Any

import dagster as dg

from etl_assets.assets.tenant import Tenant
from etl_assets.deliveries.arrivals import Calendar, Decision, Kind, Known, Memory, Request, Seen, requests_for
from etl_assets.deliveries.ledger import Ledger
from etl_assets.deliveries.repeats import failures
from etl_assets.institution_spec import InstitutionSpec
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.run_outcomes import FILES_TAG, INSTITUTION_TAG, ended, outcomes
from etl_assets.sources.announcements import Announcements, Beside, announcements, files_beside
from etl_assets.sources.listing import Found, listed
from etl_assets.sources.manifests import promises_nothing

RUNS_PER_TICK = 10
SECONDS_BETWEEN_TICKS = 30
MANIFESTS_PER_TICK, LEAST_DATES = 2000, 2
TAG = INSTITUTION_TAG


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
        now = datetime.now(UTC)
        there = files_beside(spec)
        found = listed(spec)
        known = _known(Ledger(warehouse, spec.institution), found)
        days = _looked_at(spec, found, known, there)
        told = announcements(spec, found, there, now, days)
        decision = requests_for(
            [_seen(one, spec, told, is_looked_at=one.business_date in days) for one in found],
            Memory.read(context.cursor),
            known,
            _calendar(tenant),
            RUNS_PER_TICK,
            failures=failures(outcomes(context.instance, spec.institution, now)),
            now=now,
        )
        context.log.info(decision.in_words())
        made = ended(context.instance, spec.institution, [request.files for request in decision.requests])
        return _result(decision, made, spec.institution)

    return tick


def _seen(one: Found, spec: InstitutionSpec, told: Announcements, *, is_looked_at: bool) -> Seen:
    stated, doubt = told.stated.get(one.relative_path), told.doubts.get(one.relative_path)
    kind = Kind(doubt.kind) if doubt else None if is_looked_at else Kind.UNANNOUNCED
    return Seen(
        one.business_date,
        one.relative_path,
        one.size_bytes,
        one.delivered_at,
        is_announced=spec.deliveries.announces and kind is None,
        doubt=kind,
        is_promised=promises_nothing(stated, one.size_bytes, spec.columns.amount),
    )


def _looked_at(spec: InstitutionSpec, found: Sequence[Found], known: Known, there: Beside) -> frozenset[date]:
    """The dates with a file that the ledger does not hold; of those with manifests, as many as a tick has time for.

    First come those of which no manifest is missing, the oldest and the newest of them: a bank that began to write
    manifests last year has a long tail of dates without, which nobody can settle.
    """
    manifest, paths = spec.deliveries.manifest, defaultdict[date, set[str]](set)
    for one in found:
        if (one.size_bytes, one.delivered_at) not in known.get(one.relative_path, {}):
            name = spec.deliveries.beside(manifest.name, one.relative_path) if manifest else ""
            paths[one.business_date].add(name)
    if manifest is None:
        return frozenset(paths)
    whole = sorted(day for day, wanted in paths.items() if wanted <= there.keys())
    in_turn = [*whole[-1:], *whole[:-1], *sorted(paths.keys() - {*whole})]
    so_far = accumulate(len(paths[day] & there.keys()) for day in in_turn)
    many = [day for day, manifests in zip(in_turn, so_far, strict=True) if manifests <= MANIFESTS_PER_TICK]
    return frozenset([*in_turn[:LEAST_DATES], *many])


def _known(ledger: Ledger, listing: Sequence[Found]) -> Known:
    known: dict[str, dict[tuple[int, datetime], str]] = defaultdict(dict)
    if not listing:
        return known
    days = [seen.business_date for seen in listing]
    for row in ledger.versions(min(days), max(days)).to_pylist():
        known[row["path"]][row["size_bytes"], row["delivered_at"]] = row["state"]
    return known


def _calendar(tenant: Tenant) -> Calendar:
    last = tenant.days.get_last_partition_key()
    spec = tenant.spec
    return Calendar(
        spec.start_date,
        None if last is None else date.fromisoformat(last),
        spec.time_zone,
        spec.deliveries.late_after_days,
    )


def _result(decision: Decision, made: Mapping[str, int], institution: str) -> dg.SensorResult:
    asked = (replace(one, attempt=max(one.attempt, made.get(one.files, 0) + 1)) for one in decision.requests)
    return dg.SensorResult(
        run_requests=[_run_request(request, institution) for request in asked],
        skip_reason=None if decision.requests else decision.in_words(),
        cursor=decision.memory.write(),
    )


def _run_request(request: Request, institution: str) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=request.run_key,
        partition_key=request.business_date.isoformat(),
        tags={
            TAG: institution,
            FILES_TAG: request.files,
            "etl_assets/deliveries": str(len(request.fresh)),
            "etl_assets/attempt": str(request.attempt),
        },
    )
