"""A date range of one institution, run layer by layer: one run per partitioning, in the order of the graph.

One run cannot mix daily and weekly partitions, and scores need the versions that the weekly run puts in force.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Any

import dagster as dg
from dagster import DagsterInstance

LAYERS = ("daily", "weekly", "scores")
OnStep = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """The business dates of one institution that shall be there; `only_missing` leaves alone what is."""

    institution: str
    first: date
    last: date
    only_missing: bool = False


@dataclass(frozen=True)
class LayerRun:
    """One run of one layer, and what made it fail if it did."""

    institution: str
    layer: str
    first: str
    last: str
    run_id: str
    error: str | None


def backfill(
    definitions: dg.Definitions, instance: DagsterInstance, request: Request, on_step: OnStep
) -> Iterator[LayerRun]:
    """Each layer of the range has run; a failed one is told, and the next runs for the days that were published."""
    for layer in LAYERS:
        job = definitions.resolve_job_def(f"{request.institution}__{layer}")
        for span in spans(job, instance, request):
            yield _run(job.with_hooks({_told(on_step)}), instance, layer, span)


def steps(definitions: dg.Definitions, instance: DagsterInstance, request: Request) -> int:
    """How many steps the backfill will take."""
    jobs = [definitions.resolve_job_def(f"{request.institution}__{layer}") for layer in LAYERS]
    return sum(len(job.nodes) * len(spans(job, instance, request)) for job in jobs)


def spans(job: dg.JobDefinition, instance: DagsterInstance, request: Request) -> list[tuple[str, str]]:
    """First and last partition of each unbroken range that the layer has to run."""
    first = request.first
    partitions = job.partitions_def
    if isinstance(partitions, dg.WeeklyPartitionsDefinition):
        first -= timedelta(days=first.weekday())
    keys = [key for key in partitions.get_partition_keys() if first.isoformat() <= key <= request.last.isoformat()]
    done = _materialised(job, instance) if request.only_missing else frozenset[str]()
    runs = groupby(keys, key=lambda key: key not in done)
    ranges = [list(group) for is_missing, group in runs if is_missing]
    return [(group[0], group[-1]) for group in ranges]


def _materialised(job: dg.JobDefinition, instance: DagsterInstance) -> frozenset[str]:
    keys = job.asset_layer.selected_asset_keys
    return frozenset.intersection(*(frozenset(instance.get_materialized_partitions(key)) for key in keys))


def _run(job: dg.JobDefinition, instance: DagsterInstance, layer: str, span: tuple[str, str]) -> LayerRun:
    tags = {"dagster/asset_partition_range_start": span[0], "dagster/asset_partition_range_end": span[1]}
    result = job.execute_in_process(instance=instance, tags=tags, raise_on_error=False)
    institution = job.name.removesuffix(f"__{layer}")
    return LayerRun(institution, layer, *span, result.run_id, None if result.success else _error(result))


def _error(result: dg.ExecuteInProcessResult) -> str:
    failures = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    return "; ".join(_in_words(data) for data in failures) or "the run failed before its first step"


def _in_words(failure: Any) -> str:
    """The failure's own description, or the message of the innermost cause; never a traceback."""
    if failure.user_failure_data is not None and failure.user_failure_data.description:
        return failure.user_failure_data.description
    error = failure.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error else "unknown"


def _told(on_step: OnStep) -> dg.HookDefinition:
    @dg.success_hook(name="step_is_done")
    def hook(context: dg.HookContext) -> None:
        on_step(context.op.name)

    return hook
