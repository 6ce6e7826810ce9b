"""What Dagster's bookkeeping costs per asset partition when 60 days of one bank run as one run.

    python bench/dagster_overhead.py [--days 60] [--rounds 3] [--json FILE]

The platform's own daily layer with all its checks, on a PostgreSQL of its own and a bank of three rows a day: what is
left of the run's wall time after asset bodies, checks and the I/O manager is bookkeeping. Each round runs every setting
once, each figure is the median of the rounds. `slope` is how much longer the whole run is per asset partition than a
run of one day: bodies and I/O manager included, so it can only be too high. `single` are the events that were stored
one by one, `cpu` is this process's own time. `pooled and batched` is the platform as it is.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit
from uuid import uuid4

import dagster as dg
from main_job import server
from rich.console import Console
from rich.table import Table

from etl_assets import environment
from etl_assets.backfill import Request, backfill, planned
from etl_assets.definitions import build_definitions
from etl_assets.embedded import postgres as embedded_postgres
from etl_assets.io_managers.postgres.io_manager import PostgresIOManager

PROJECT = Path(__file__).parents[1]
BATCH_SIZE = "DAGSTER_EVENT_BATCH_SIZE"
FIRST, ROWS_A_DAY = date(2026, 3, 2), 3
BANK = """
institution: small_bank
description: A bank of three payments a day.
owners: [team:benchmarks]
start_date: 2026-03-02
time_zone: Europe/Berlin
deliveries: { folder: "${ETL_DELIVERIES}/small_bank", file_name: 'payments_(?P<business_date>\\d{8})\\.csv' }
columns:
  transaction_id: { source: id }
  account_id: { source: card }
  counterparty_id: { source: shop }
  event_at: { source: at, formats: ["%Y-%m-%dT%H:%M:%S"] }
  amount: { source: amount }
  currency: { fixed: EUR }
"""
PLAIN_STORAGE = "{storage: {postgres: {postgres_url: {env: ETL_DAGSTER_URL}}}, telemetry: {enabled: false}}"


@dataclass(frozen=True)
class Setting:
    """A way to run: the command line's held connections or plain storage, and how many events are stored at once."""

    name: str
    is_pooled: bool
    batch_size: int


@dataclass(frozen=True)
class Overhead:
    """One run's cost in ms per asset partition; the storage's share is part of the bookkeeping."""

    bookkeeping: float
    storage: float
    io_manager: float
    bodies: float
    wall: float
    cpu: float
    single: float


PLATFORM = Setting("pooled and batched", is_pooled=True, batch_size=int(environment.TUNING[BATCH_SIZE]))
KINDS = (("untuned", False, 0), ("pooled", True, 0), ("batched", False, PLATFORM.batch_size))
SETTINGS = (*(Setting(*kind) for kind in KINDS), PLATFORM)


class Clock:
    """Seconds and calls by name; of calls within calls of the same name only the outermost counts."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.cpu_seconds: dict[str, float] = defaultdict(float)
        self.calls: dict[str, int] = defaultdict(int)
        self._running: set[str] = set()

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        if name in self._running:
            return (yield)
        self._running.add(name)
        began, cpu_began = perf_counter(), process_time()
        try:
            yield
        finally:
            self.seconds[name] += perf_counter() - began
            self.cpu_seconds[name] += process_time() - cpu_began
            self._running.discard(name)

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*args: object, **kwargs: object) -> object:
            self.calls[function.__name__] += 1
            with self.running(name):
                return function(*args, **kwargs)

        return timed

    def timed_body(self, body: Callable[..., Iterator[object]]) -> Callable[..., Iterator[object]]:
        """The generator `body`, its own time measured: what Dagster does with each of its events is not."""

        @functools.wraps(body)
        def timed(*args: object, **kwargs: object) -> Iterator[object]:
            events = body(*args, **kwargs)
            while True:
                with self.running("bodies"):
                    event = next(events, None)
                if event is None:
                    return
                yield event

        return timed

    def timed_decorator(self, decorator: Callable[..., Any]) -> Callable[..., Any]:
        return lambda **settings: lambda body: decorator(**settings)(self.timed_body(body))


def overhead_ms_per_partition(days: int = 60, setting: Setting = PLATFORM, rounds: int = 3) -> float:
    """Dagster's bookkeeping in ms per asset partition of a run of `days` days, the median on a server of its own."""
    with small_bank(days) as institutions:
        measured(institutions, 1, setting)
        return median(measured(institutions, days, setting).bookkeeping for _ in range(rounds))


@contextmanager
def small_bank(days: int) -> Iterator[Path]:
    """The folder of institutions with one bank in it, delivered; a server and the platform's settings beside it."""
    with server() as state:
        (state / "dagster.yaml").write_text((PROJECT / "dagster.yaml").read_text())
        (state / "plain.yaml").write_text(PLAIN_STORAGE)
        deliveries, institutions = state / "deliveries" / "small_bank", state / "institutions"
        deliveries.mkdir(parents=True)
        institutions.mkdir()
        (institutions / "small_bank.yaml").write_text(BANK)
        for day in (FIRST + timedelta(days=n) for n in range(days)):
            rows = "".join(f"{day:%Y%m%d}{n},c{n},s{n},{day}T10:00:0{n},-12.50\n" for n in range(ROWS_A_DAY))
            (deliveries / f"payments_{day:%Y%m%d}.csv").write_text("id,card,shop,at,amount\n" + rows)
        yield institutions


def measured(institutions: Path, days: int, setting: Setting) -> Overhead:
    """What the daily layer of `days` days cost as one run, on a Dagster database that knows nothing yet."""
    clock = Clock()
    with ExitStack() as stack:
        stack.enter_context(patch.dict(os.environ, {BATCH_SIZE: str(setting.batch_size), **_fresh_database()}))
        opened = dg.DagsterInstance.from_config(".", "dagster.yaml" if setting.is_pooled else "plain.yaml")
        instance = stack.enter_context(opened)
        for storage in (instance.event_log_storage, instance.run_storage):
            _time_storage(storage, clock)
        stack.enter_context(_timed_platform(clock))
        request = Request("small_bank", FIRST, FIRST + timedelta(days=days - 1))
        daily = planned(build_definitions(institutions), instance, request)[0]
        clock.calls.clear()
        clock.seconds.clear()
        with clock.running("wall"):
            errors = [run.error for run in backfill([daily], instance, lambda _: None) if run.error]
        assert not errors, errors
        return _per_partition(clock, len(daily.job.asset_layer.selected_asset_keys) * days)


def _fresh_database() -> dict[str, str]:
    name = f"dagster_{uuid4().hex[:8]}"
    embedded_postgres.databases(environment.variable("ETL_POSTGRES_URL"), [name])
    url = urlsplit(environment.variable("ETL_DAGSTER_URL"))
    return {"ETL_DAGSTER_URL": url._replace(path=f"/{name}").geturl()}


def _time_storage(storage: Any, clock: Clock) -> None:
    for name in (name for name in dir(type(storage)) if not name.startswith("_")):
        if callable(getattr(type(storage), name)):
            setattr(storage, name, clock.timed("storage", getattr(storage, name)))


@contextmanager
def _timed_platform(clock: Clock) -> Iterator[None]:
    """Assets, checks and I/O managers defined in the block tell the clock when they work."""
    with ExitStack() as stack:
        for decorator in ("multi_asset", "multi_asset_check"):
            stack.enter_context(patch.object(dg, decorator, clock.timed_decorator(getattr(dg, decorator))))
        for method in ("handle_output", "load_input"):
            timed = clock.timed("io_manager", getattr(PostgresIOManager, method))
            stack.enter_context(patch.object(PostgresIOManager, method, timed))
        yield


def _per_partition(clock: Clock, partitions: int) -> Overhead:
    ms = {name: clock.seconds[name] * 1_000 / partitions for name in ("wall", "storage", "io_manager", "bodies")}
    bookkeeping = ms["wall"] - ms["io_manager"] - ms["bodies"]
    cpu = clock.cpu_seconds["wall"] * 1_000 / partitions
    return Overhead(bookkeeping, cpu=cpu, single=clock.calls["store_event"] / partitions, **ms)


def figures(days: int, rounds: int) -> dict[str, dict[str, float]]:
    """Per setting the medians of all figures, the settings taking turns."""
    runs: dict[str, list[dict[str, float]]] = defaultdict(list)
    with small_bank(days) as institutions:
        measured(institutions, days, PLATFORM)
        for setting in SETTINGS * rounds:
            one, many = (measured(institutions, n, setting) for n in (1, days))
            slope = (many.wall * days - one.wall) / (days - 1)
            runs[setting.name].append({**asdict(many), "slope": slope})
    return {name: {figure: median(r[figure] for r in rows) for figure in rows[0]} for name, rows in runs.items()}


def show(found: dict[str, dict[str, float]], days: int) -> None:
    title = f"ms per asset partition, {days} days in one run, every check on"
    table = Table("setting", *found[PLATFORM.name], title=title)
    for setting, values in found.items():
        table.add_row(setting, *(f"{value:.1f}" for value in values.values()))
    Console(width=120).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    found = figures(chosen.days, chosen.rounds)
    show(found, chosen.days)
    own = found[PLATFORM.name]
    headline = {"overhead_ms_per_partition": own["bookkeeping"], "io_manager_ms_per_partition": own["io_manager"]}
    if chosen.json:
        chosen.json.write_text(json.dumps({**headline, "settings": found}, indent=2))


if __name__ == "__main__":
    main()
