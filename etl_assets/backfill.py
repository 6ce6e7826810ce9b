"""A date range of one institution, run layer by layer: one run per partitioning, in the order of the graph.

One run cannot mix daily and weekly partitions, and scores need the versions that the weekly run puts in force. The
mirrors come last, in a run of their own: one that fails leaves everything before it complete.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Any

import dagster as dg
from dagster import DagsterInstance

from etl_assets.institution import LAYERS, MIRRORS
from etl_assets.resources import UNCONFIGURED, snowflake_is_configured

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
OnStep = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """The business dates of one institution that shall be there; `only_missing` leaves alone what is."""

    institution: str
    first: date
    last: date
    only_missing: bool = False


@dataclass(frozen=True)
class Planned:
    """A run to be: a layer's job over an unbroken range of its partitions."""

    job: dg.JobDefinition
    layer: str
    first: str
    last: str

    @property
    def steps(self) -> int:
        return len(self.job.nodes)


@dataclass(frozen=True)
class LayerRun:
    """One run of one layer, and what made it fail if it did."""

    institution: str
    layer: str
    first: str
    last: str
    run_id: str
    error: str | None


def planned(definitions: dg.Definitions, instance: DagsterInstance, request: Request) -> list[Planned]:
    """The runs that the request needs, in order.

    Above a layer that runs, every later layer runs for the whole range, missing or not: a new model makes the
    old scores of its weeks stale.
    """
    plan: list[Planned] = []
    for layer in _layers(definitions, request.institution):
        job = definitions.resolve_job_def(f"{request.institution}__{layer}")
        done = _materialised(job, instance) if request.only_missing and not plan else frozenset[str]()
        plan += [Planned(job, layer, *span) for span in spans(_keys(job, request), done)]
    return plan


def left_out(definitions: dg.Definitions, institution: str) -> str | None:
    """Why the institution's mirrors are in no plan, for people; None where they are, or where it has none."""
    has_mirrors = definitions.get_repository_def().has_job(f"{institution}__{MIRRORS}")
    return UNCONFIGURED if has_mirrors and not snowflake_is_configured() else None


def backfill(plan: Sequence[Planned], instance: DagsterInstance, on_step: OnStep) -> Iterator[LayerRun]:
    """Each run of the plan has ended; a failed one is told, and the next goes on with the days that were published."""
    for run in plan:
        yield _run(run, instance, on_step)


def spans(keys: Sequence[str], done: Collection[str]) -> list[tuple[str, str]]:
    """First and last key of each unbroken range of `keys` that is not done."""
    ranges = [list(group) for is_missing, group in groupby(keys, key=lambda key: key not in done) if is_missing]
    return [(group[0], group[-1]) for group in ranges]


def _layers(definitions: dg.Definitions, institution: str) -> list[str]:
    """Those that the institution has and that can run here."""
    jobs = definitions.get_repository_def()
    there = [layer for layer in LAYERS if jobs.has_job(f"{institution}__{layer}")]
    return [layer for layer in there if layer != MIRRORS or snowflake_is_configured()]


def _keys(job: dg.JobDefinition, request: Request) -> list[str]:
    first, partitions = request.first, job.partitions_def
    if isinstance(partitions, dg.WeeklyPartitionsDefinition):
        first -= timedelta(days=first.weekday())
    return [key for key in partitions.get_partition_keys() if first.isoformat() <= key <= request.last.isoformat()]


def _materialised(job: dg.JobDefinition, instance: DagsterInstance) -> frozenset[str]:
    keys = job.asset_layer.selected_asset_keys
    return frozenset.intersection(*(frozenset(instance.get_materialized_partitions(key)) for key in keys))


def _run(run: Planned, instance: DagsterInstance, on_step: OnStep) -> LayerRun:
    tags = {"dagster/asset_partition_range_start": run.first, "dagster/asset_partition_range_end": run.last}
    job = run.job.with_hooks({_told(on_step)})
    result = job.execute_in_process(run_config=QUIET, instance=instance, tags=tags, raise_on_error=False)
    error = None if result.success else _error(result)
    institution = job.name.removesuffix(f"__{run.layer}")
    return LayerRun(institution, run.layer, run.first, run.last, result.run_id, error)


def _error(result: dg.ExecuteInProcessResult) -> str:
    failures = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    return "; ".join(dict.fromkeys(map(_in_words, failures))) or "the run failed before its first step"


def _in_words(failure: Any) -> str:
    """The failure's own description, or the message of what the step raised; never a traceback."""
    if failure.user_failure_data is not None and failure.user_failure_data.description:
        return failure.user_failure_data.description
    raised = failure.error.cause or failure.error
    return raised.message.strip()


def _told(on_step: OnStep) -> dg.HookDefinition:
    @dg.success_hook(name="step_is_done")
    def hook(context: dg.HookContext) -> None:
        on_step(context.op.name)

    return hook
