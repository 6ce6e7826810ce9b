"""One sensor per institution: what a late or corrected day has made stale runs again, and only that, once.

The shell round `restatement/decision.py`: reads what the tables say, asks Dagster which runs there
were, hands over requests.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

from etl_assets.assets.featured import LABELS
from etl_assets.assets.tenant import Tenant
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.restatement.contents import CLEANED, RAW, Contents, Notes
from etl_assets.restatement.decision import (
    Outcome,
    Restatement,
    Verdict,
    around,
    chunk,
    restatements,
    suspects,
    verdict,
)
from etl_assets.restatement.rechecks import recheck
from etl_assets.run_outcomes import INSTITUTION_TAG as TAG

SECONDS_BETWEEN_TICKS = 30
ROWS_PER_TICK = 1_000_000
RESTATES = "etl_assets/restates"
FEATURED, SCORED = "featured_transactions", "scored_transactions"
RESTATED = {
    "restated_rows": (CLEANED, "quarantined_transactions", "row_account"),
    "restated_scores": (LABELS, FEATURED, SCORED, "alerts"),
}
MADE_WITH = {LABELS: FEATURED, "alerts": SCORED}
ENDED = (DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED)
UNFINISHED = [status for status in DagsterRunStatus if status not in ENDED]


def restating_jobs(tenant: Tenant, job: Callable[[Tenant, str, Sequence[str]], Any]) -> list[Any]:
    """The rows of days that others correct, and the features and scores that have seen them."""
    return [job(tenant, name, assets) for name, assets in RESTATED.items()]


def restating(tenant: Tenant, jobs: Sequence[Any]) -> dg.SensorDefinition:
    """The sensor that launches `jobs` for the days that depend on a late or corrected one.

    It acts when nothing of the institution is running: ten corrected files are ten runs and then one restatement.
    Stopped until a person starts it, like the arrivals.
    """
    spec = tenant.spec

    @dg.sensor(
        name=f"{spec.institution}__restatements",
        description=f"Runs again, once, what a late or corrected delivery of {spec.institution} has made stale.",
        jobs=jobs,
        minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        tags={TAG: spec.institution},
    )
    def tick(context: dg.SensorEvaluationContext, warehouse: PostgresWarehouse) -> dg.SensorResult:
        if running := unfinished(context.instance, spec.institution, mirrors=False):
            return dg.SensorResult(skip_reason=f"waiting for runs of {spec.institution} to end: {running}")
        contents = Contents(warehouse, spec)
        notes = contents.notes()
        if (mark := _mark(notes)) == context.cursor:
            return dg.SensorResult(skip_reason="nothing was written since the last look")
        return Tick(tenant, contents, notes, context.instance).result(mark)

    return tick


@dataclass(frozen=True)
class Tick:
    """One look at the tables of an institution in which something was written."""

    tenant: Tenant
    contents: Contents
    notes: Notes
    instance: DagsterInstance

    def result(self, mark: str) -> dg.SensorResult:
        """What to run; `mark` is the cursor once nothing is left to do. Rows come before the features that see them."""
        for step in (self._look, self._compare, self._features):
            if (said := step()) is not None:
                return said
        return dg.SensorResult(skip_reason="nothing is stale", cursor=mark)

    def _look(self) -> dg.SensorResult | None:
        """Every cleaned day is known as it is now; of a long history some at each tick."""
        known, _ = self.contents.known()
        written = self.notes[CLEANED]
        new = {day: note for day, note in written.items() if day not in known or known[day].written_at != note.at}
        now = chunk(new, ROWS_PER_TICK)
        self.contents.remember(self.contents.look(now, known), {})
        return _to_go(len(new) - len(now), "to look at")

    def _compare(self) -> dg.SensorResult | None:
        """Every raw day is compared with the cleaned days around it, or those that disagree run again first."""
        _, compared = self.contents.known()
        new = {day: note for day, note in self.notes[RAW].items() if compared.get(day) != note.at}
        now = chunk(new, ROWS_PER_TICK)
        days = self.contents.disagreeing(now, self.notes)
        causes = [(day, max(new[day].at for day in now)) for day in days]
        if said := self._asked(restatements("restated_rows", causes, self.notes[CLEANED])):
            return said
        self.contents.remember({}, {day: new[day].at for day in now})
        horizon = self.tenant.spec.duplicate_horizon_days
        recheck(self.instance, self.contents.warehouse, self.tenant, around(now, horizon, horizon))
        return _to_go(len(new) - len(now), "to compare with the days around them")

    def _features(self) -> dg.SensorResult | None:
        known, _ = self.contents.known()
        spec, tables = self.tenant.spec, (self.notes[FEATURED], self.notes[SCORED])
        found = [suspect for published in tables for suspect in suspects(spec, known, published)]
        began = self._began({suspect.written.run_id for suspect in found})
        causes = [(suspect.day, suspect.changed_at) for suspect in found if suspect.is_stale(began)]
        return self._asked(restatements("restated_scores", causes, self.notes[FEATURED]))

    def _asked(self, plan: Sequence[Restatement]) -> dg.SensorResult | None:
        """The requests of the plan, or a wait; None where there is nothing that may still run."""
        earlier = {wanted: self._earlier(wanted) for wanted in plan}
        found = {wanted: verdict(outcomes, datetime.now(UTC)) for wanted, outcomes in earlier.items()}
        requests = [self._request(w, len(earlier[w])) for w, said in found.items() if said is Verdict.ASK]
        if requests:
            return dg.SensorResult(run_requests=requests)
        if Verdict.WAIT in found.values():
            return dg.SensorResult(skip_reason="a restatement failed; it is tried again after a pause")
        return None

    def _request(self, wanted: Restatement, attempt: int) -> dg.RunRequest:
        institution, (first, last) = self.tenant.spec.institution, (str(wanted.days[0]), str(wanted.days[-1]))
        published = [
            name
            for name in RESTATED[wanted.layer]
            if any(day in self.notes[MADE_WITH.get(name, name)] for day in wanted.days)
            and (name != LABELS or self.tenant.spec.labels)
        ]
        return dg.RunRequest(
            run_key=f"{wanted.key}:{attempt}",
            job_name=f"{institution}__{wanted.layer}",
            asset_selection=[self.tenant.key(name) for name in published]
            if wanted.layer == "restated_scores"
            else None,
            tags={
                "dagster/asset_partition_range_start": first,
                "dagster/asset_partition_range_end": last,
                TAG: institution,
                RESTATES: wanted.key,
            },
        )

    def _earlier(self, wanted: Restatement) -> list[Outcome]:
        records = self.instance.get_run_records(RunsFilter(tags={RESTATES: wanted.key}))
        return [
            Outcome(r.dagster_run.status is DagsterRunStatus.SUCCESS, _instant(r.end_time) or r.update_timestamp)
            for r in records
        ]

    def _began(self, run_ids: Collection[str]) -> dict[str, datetime]:
        records = self.instance.get_run_records(RunsFilter(run_ids=sorted(run_ids))) if run_ids else []
        return {r.dagster_run.run_id: at for r in records if (at := _instant(r.start_time)) is not None}


def unfinished(instance: DagsterInstance, institution: str, *, mirrors: bool = True) -> int:
    """Runs of the institution that have not ended, whoever launched them.

    Without those of its mirrors nothing in PostgreSQL waits for a Snowflake that does not answer.
    """
    runs = instance.get_runs(RunsFilter(statuses=UNFINISHED))
    left_out = "" if mirrors else f"{institution}__mirrors"
    return sum(_is_of(run, institution) for run in runs if run.job_name != left_out)


def _is_of(run: dg.DagsterRun, institution: str) -> bool:
    selected = run.asset_selection or ()
    return (
        run.tags.get(TAG) == institution
        or run.job_name.startswith(f"{institution}__")
        or any(key.path[0] == institution for key in selected)
    )


def _mark(notes: Notes) -> str:
    """Other notes, other mark."""
    written = [note for table in notes.values() for note in table.values()]
    newest = max((note.at for note in written), default=None)
    return f"{newest} {len(written)} {sum(note.is_refused for note in written)}"


def _to_go(days: int, what: str) -> dg.SensorResult | None:
    return dg.SensorResult(skip_reason=f"{days} days {what}") if days else None


def _instant(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
