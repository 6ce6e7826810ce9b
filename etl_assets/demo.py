"""The main job on simulated deliveries: simulate, backfill what is missing, and show what came of it.

A showcase for people. The platform itself knows nothing of the simulator or its truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import dagster as dg
import polars as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from etl_assets import report
from etl_assets.backfill import LayerRun, Request, planned
from etl_assets.definitions import DEMO_INSTITUTIONS, build_definitions, load_institutions
from etl_assets.demo_mirrors import show_certificates
from etl_assets.institution_spec import InstitutionSpec
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.side_by_side import run_side_by_side
from etl_assets.simulator import simulate

PROGRESS = (
    SpinnerColumn(),
    TextColumn("{task.description:<24}"),
    BarColumn(),
    MofNCompleteColumn(),
    TextColumn("steps"),
    TimeElapsedColumn(),
)
DAYS = 45
TOP = 100


@dataclass(frozen=True)
class Result:
    """What the demo found for one institution."""

    spec: InstitutionSpec
    account: dict[str, int]
    version: str
    precision_at_top: float
    baseline_at_top: float
    frauds: int
    ranked: pl.DataFrame


def run(console: Console, deliveries: Path, warehouse: PostgresWarehouse) -> list[LayerRun]:
    """Every institution's deliveries went through the whole chain and the summary is printed. Returns failed runs."""
    with console.status(f"Writing {DAYS} days of deliveries of three institutions ..."):
        simulate(deliveries, DAYS)
    specs = load_institutions(DEMO_INSTITUTIONS)
    failed = _backfill_all(console, specs)
    _show(console, [_result(warehouse, spec, deliveries) for spec in specs])
    show_certificates(console, warehouse, specs)
    return failed


def _backfill_all(console: Console, specs: list[InstitutionSpec]) -> list[LayerRun]:
    requests = [
        Request(spec.institution, spec.start_date, spec.start_date + timedelta(days=DAYS - 1), only_missing=True)
        for spec in specs
    ]
    steps = _steps(requests)
    if not steps:
        console.print("Every partition is there already; nothing to run.")
        return []
    with Progress(*PROGRESS, console=console) as progress:
        task = progress.add_task("Backfill", total=steps)
        runs = run_side_by_side(DEMO_INSTITUTIONS, requests, lambda _: progress.advance(task))
    return [run for run in runs if run.error]


def _steps(requests: list[Request]) -> int:
    definitions = build_definitions(DEMO_INSTITUTIONS)
    with dg.DagsterInstance.from_config(".") as instance:
        return sum(run.steps for request in requests for run in planned(definitions, instance, request))


def _result(warehouse: PostgresWarehouse, spec: InstitutionSpec, deliveries: Path) -> Result:
    ranked = report.ranked(warehouse, spec)
    frauds = pl.read_csv(deliveries / "truth" / f"{spec.institution}.csv", try_parse_dates=False, infer_schema=False)
    is_fraud = _marked(ranked, frauds, spec)
    return Result(
        spec,
        report.row_account(warehouse, spec),
        report.latest_version(warehouse, spec),
        float(is_fraud.head(TOP).mean() or 0.0),
        float(is_fraud.gather(ranked["zscore_score"].arg_sort(descending=True).head(TOP)).mean() or 0.0),
        int(is_fraud.sum()),
        ranked,
    )


def _marked(ranked: pl.DataFrame, frauds: pl.DataFrame, spec: InstitutionSpec) -> pl.Series:
    """Whether each row is a fraud of the simulator; without an id, one of the same account, time and amount."""
    by = [name for name in ("account_id", "transaction_id") if name in ranked.columns and getattr(spec.columns, name)]
    event_at = pl.col("event_at").dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    rows = ranked.select(*by, event_at, pl.col("amount").cast(pl.Float64).round(2))
    keys = [*by, "event_at", "amount"]
    known = frauds.select(*by, "event_at", pl.col("amount").cast(pl.Float64).round(2)).unique()
    return rows.join(known.with_columns(is_fraud=True), on=keys, how="left", maintain_order="left")[
        "is_fraud"
    ].fill_null(value=False)


def _show(console: Console, results: list[Result]) -> None:
    headings = ("institution", "read", "published", "invalid", "duplicate", "superseded", "control")
    title = f"Every row is accounted for; frauds among the {TOP} highest scores, beside those of z-scores"
    table = Table(*headings, "model", "scorer", "z-scores", "frauds", title=title)
    for r in results:
        counts = [f"{r.account[name]:,}" for name in report.COUNTS]
        table.add_row(
            r.spec.institution,
            *counts,
            r.version,
            f"{r.precision_at_top:.2f}",
            f"{r.baseline_at_top:.2f}",
            str(r.frauds),
        )
    console.print(table)
    strange = [s for r in results for s in report.strangest(r.ranked, r.spec, TOP)]
    console.print("[bold]The ten strangest transactions, and why[/bold]")
    for s in sorted(strange, key=lambda s: -s.score)[:10]:
        console.print(f"  {s.institution}  {s.event_at}  {s.amount}  score {s.score:.5f}")
        for reason in s.reasons:
            console.print(f"      {reason}", style="dim")
