"""What became of the runs that an institution's sensor asked for, as Dagster's instance remembers them.

Asking only; what follows from it belongs to `deliveries/repeats.py`.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, timedelta

import dagster as dg
from dagster import DagsterEventType, DagsterInstance, RunRecord

from etl_assets.deliveries.repeats import Outcome, Run

INSTITUTION_TAG, FILES_TAG = "etl_assets/institution", "etl_assets/files"
FAILURE_TAG, PARTITION_TAG = "etl_assets/failure", "dagster/partition"
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
REMEMBERED, MOST_FAILURES = timedelta(days=2), 200
ENDS = {
    dg.DagsterRunStatus.SUCCESS: Outcome.DONE,
    dg.DagsterRunStatus.CANCELED: Outcome.REFUSED,  # by a person, who knows why
}


def outcomes(instance: DagsterInstance, institution: str, now: datetime) -> list[Run]:
    """Every run of files that a run of the last days failed on, oldest first; empty while nothing fails."""
    since, whose = now - REMEMBERED, {INSTITUTION_TAG: institution}
    failed = instance.get_run_records(
        dg.RunsFilter(tags=whose, statuses=[dg.DagsterRunStatus.FAILURE], created_after=since), limit=MOST_FAILURES
    )
    files = {record.dagster_run.tags.get(FILES_TAG, "") for record in failed} - {""}
    if not files:
        return []
    tags: dict[str, str | Sequence[str]] = {**whose, FILES_TAG: sorted(files)}
    records = instance.get_run_records(dg.RunsFilter(tags=tags, created_after=since), ascending=True)
    return [_run(instance, record) for record in records if PARTITION_TAG in record.dagster_run.tags]


def ended(instance: DagsterInstance, institution: str, files: Collection[str]) -> Counter[str]:
    """By files: how many runs of them are over.

    Who asks for the same files again wants another run. Under the same key Dagster drops it without a word: a file
    that was away when its run came, and is back as it was, would be requested for ever and never read.
    """
    if not files:
        return Counter()
    tags: dict[str, str | Sequence[str]] = {INSTITUTION_TAG: institution, FILES_TAG: sorted(files)}
    runs = instance.get_runs(dg.RunsFilter(tags=tags, statuses=ENDED))
    return Counter(run.tags[FILES_TAG] for run in runs)


def _run(instance: DagsterInstance, record: RunRecord) -> Run:
    run = record.dagster_run
    is_failed = run.status is dg.DagsterRunStatus.FAILURE
    outcome = _verdict(instance, run) if is_failed else ENDS.get(run.status, Outcome.OPEN)
    ended_at = record.update_timestamp if record.end_time is None else datetime.fromtimestamp(record.end_time, UTC)
    return Run(date.fromisoformat(run.tags[PARTITION_TAG]), run.tags[FILES_TAG], outcome, ended_at)


def _verdict(instance: DagsterInstance, run: dg.DagsterRun) -> Outcome:
    """Whether a step refused. Looked up in the run's events once, then a tag that people see too."""
    if (known := run.tags.get(FAILURE_TAG)) is not None:
        return Outcome(known)
    steps = (event.dagster_event for event in instance.all_logs(run.run_id, of_type=DagsterEventType.STEP_FAILURE))
    is_refused = any(step is not None and step.step_failure_data.user_failure_data is not None for step in steps)
    verdict = Outcome.REFUSED if is_refused else Outcome.FAILED
    instance.add_run_tags(run.run_id, {FAILURE_TAG: verdict.value})
    return verdict
