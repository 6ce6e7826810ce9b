"""The command line: doors to what the other modules do, with messages for people and exit codes for scripts."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from etl_assets import environment
from etl_assets.commands import certificates as cli_certificates
from etl_assets.commands import institutions as cli_institutions
from etl_assets.commands import quarantine as cli_quarantine
from etl_assets.commands.hints import program
from etl_assets.embedded import postgres as embedded_postgres
from etl_assets.embedded import snowflake as embedded_snowflake
from etl_assets.embedded.postgres_files import PostgresUnavailable
from etl_assets.embedded.snowflake import SnowflakeUnavailable
from etl_assets.institution_spec import SpecRefused
from etl_assets.terminal import fault, terminal

if TYPE_CHECKING:
    from etl_assets.backfill import LayerRun
    from etl_assets.institution_spec import InstitutionSpec
    from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(cli_quarantine.app, name="quarantine")
cli_institutions.add_to(app)
app.command()(cli_certificates.certificates)
console = terminal(120, highlight=True)
Day = Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"])]


@app.callback()
def platform() -> None:
    """A platform for bank and card transactions that accounts for every row."""


@app.command()
def demo() -> None:
    """Simulate 45 days of deliveries, run the whole chain, show what came of it."""
    from etl_assets import demo as showcase

    began = monotonic()
    variables = _prepared()
    console.print(f"PostgreSQL answers ({monotonic() - began:.0f} s)")
    failed = showcase.run(console, Path(variables["ETL_DELIVERIES"]), _warehouse())
    console.print(f"\nDone in {monotonic() - began:.0f} s. What to open next:")
    console.print("  make dev     the same in the Dagster UI, with MLflow beside it")
    console.print('  psql "$(grep ^ETL_WAREHOUSE_URL= .env | cut -d= -f2-)"     the tables', soft_wrap=True)
    console.print("  make stop    stops both databases, which still run;   make clean    removes everything")
    _exit(failed)


@app.command()
def backfill(
    institution: str,
    first: Day,
    last: Day,
    *,
    only_missing: Annotated[bool, typer.Option(help="Leave alone the partitions that are materialised.")] = False,
) -> None:
    """Run FIRST .. LAST of one institution: one run per partitioning, raw to scored, then its mirrors."""
    import dagster as dg

    from etl_assets.backfill import Request, left_out, planned
    from etl_assets.backfill import backfill as run_backfill
    from etl_assets.definitions import build_definitions

    spec = _spec(institution)
    _prepared()
    request = Request(spec.institution, first.date(), last.date(), only_missing)
    runs = []
    with dg.DagsterInstance.from_config(".") as instance, console.status("Starting ...") as status:
        definitions = build_definitions()
        plan = planned(definitions, instance, request)
        if not plan and not only_missing:
            raise typer.BadParameter(
                f"{institution} has no business date in {first:%Y-%m-%d} .. {last:%Y-%m-%d}: "
                f"its calendar begins on {spec.start_date} and ends yesterday"
            )
        for run in run_backfill(plan, instance, lambda step: status.update(f"done: {step}")):
            runs.append(run)
            outcome = "[red]failed[/red]" if run.error else "ok"
            console.print(f"{run.layer:<7} {run.first} .. {run.last}  {outcome}  run {run.run_id}")
        if why := left_out(definitions, spec.institution):
            console.print(f"mirrors skipped; {why}")
    console.print(f"What became of each delivery: {program()} deliveries {spec.institution}", highlight=False)
    _exit([run for run in runs if run.error])


@app.command()
def up() -> None:
    """Start PostgreSQL and Snowflake if none are given and write the .env that plain `dagster dev` reads."""
    _prepared()
    console.print("The databases answer; .env is written. Now: dagster dev")


@app.command()
def dev() -> None:
    """Open the Dagster UI and MLflow, until interrupted."""
    from etl_assets.servers import serve

    variables = _prepared()
    raise typer.Exit(serve(console, variables))


@app.command()
def dictionary(institution: str) -> None:
    """Print the data dictionary of an institution's tables as Markdown."""
    from etl_assets.dictionary import all_tables

    print("\n\n".join(table.dictionary() for table in all_tables(_spec(institution))))  # noqa: T201


@app.command()
def stop() -> None:
    """Stop the embedded PostgreSQL and Snowflake; their data stay."""
    embedded_snowflake.stop(environment.state_folder() / "snowflake")
    embedded_postgres.stop(environment.state_folder())


@app.command()
def clean() -> None:
    """Stop the embedded PostgreSQL and Snowflake and remove their data."""
    embedded_snowflake.destroy(environment.state_folder() / "snowflake")
    embedded_postgres.destroy(environment.state_folder())


def main() -> None:
    """The program's entry: a mistake in the configuration or an unreachable server is a message, not a traceback."""
    try:
        app()
    except Exception as error:
        if (message := _explained(error)) is None:
            raise
        _fail(message)


def _explained(error: Exception) -> str | None:
    """What a person can act on. Imported late, for `--help` and `check` need neither Dagster nor torch."""
    if isinstance(error, (SpecRefused, environment.SettingMissing, PostgresUnavailable, SnowflakeUnavailable)):
        return str(error)
    from etl_assets.io_managers.errors import Permanent, Unavailable

    if isinstance(error, Permanent):
        return str(error.description)
    from models.registry import RegistryUnavailable

    return str(error) if isinstance(error, (Unavailable, RegistryUnavailable)) else None


def _spec(institution: str) -> InstitutionSpec:
    from etl_assets.definitions import institutions_folder, load_institutions

    specs = {spec.institution: spec for spec in load_institutions(institutions_folder())}
    if institution not in specs:
        own = Path(cli_institutions.OWN_FOLDER).resolve()
        is_own = not os.environ.get("ETL_INSTITUTIONS") and (own / f"{institution}.yaml").exists()
        raise SpecRefused(
            f"no institution {institution!r} in {institutions_folder()}; there are {', '.join(specs)}"
            + (f"\nIt is in {own}: export ETL_INSTITUTIONS={own}" if is_own else "")
        )
    return specs[institution]


def _prepared() -> dict[str, str]:
    from etl_assets.resources import ModelRegistry

    variables = environment.prepare(environment.state_folder())
    ModelRegistry(
        tracking_uri=variables["ETL_MLFLOW_URL"], artifact_root=variables["ETL_MLFLOW_ARTIFACTS"]
    ).open().prepare()
    return variables


def _warehouse() -> PostgresWarehouse:
    from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse

    return PostgresWarehouse(url=environment.variable("ETL_WAREHOUSE_URL"))


def _exit(failed: list[LayerRun]) -> None:
    for run in failed:
        failed_run = f"{run.institution} {run.layer} {run.first} .. {run.last}"
        console.print(f"[red]{failed_run}[/red]: {escape(run.error or '')}", soft_wrap=True)
    raise typer.Exit(1 if failed else 0)


def _fail(message: str) -> None:
    fault(message)
    sys.exit(2)
