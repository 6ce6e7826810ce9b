"""Backfills of several institutions at once, one process each: tenants share no tables, so nothing waits for another.

Each process has its own instance and connections; the parent only counts steps and gathers what failed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextvars import ContextVar
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from time import sleep

import dagster as dg

from etl_assets.backfill import LayerRun, Request, backfill, planned
from etl_assets.definitions import build_definitions

POLL_S = 0.1
_TOLD: ContextVar[SimpleQueue[str]] = ContextVar("steps that are done")


def run_side_by_side(folder: Path, requests: Sequence[Request], on_step: Callable[[str], None]) -> list[LayerRun]:
    """Every request's runs have ended, as many institutions at once as there are processors.

    Started fresh rather than forked: threads and connections of the parent would be half there in a fork.
    Raises: BrokenProcessPool where a process was killed; what it had published stays published.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(["etl_assets.definitions"])
    told: SimpleQueue[str] = context.SimpleQueue()
    workers = min(len(requests), os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, context, _introduce, (told,)) as pool:
        pending = [pool.submit(_run, folder, request) for request in requests]
        while not all(future.done() for future in pending) or not told.empty():
            while not told.empty():
                on_step(told.get())
            sleep(POLL_S)
        return [run for future in pending for run in future.result()]


def _introduce(told: SimpleQueue[str]) -> None:
    _TOLD.set(told)


def _run(folder: Path, request: Request) -> list[LayerRun]:
    with dg.DagsterInstance.from_config(".") as instance:
        plan = planned(build_definitions(folder), instance, request)
        return list(backfill(plan, instance, _TOLD.get().put))
