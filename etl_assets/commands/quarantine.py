"""The command line to the quarantine: list, show, export, replay, withdraw."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from etl_assets.commands.hints import program

if TYPE_CHECKING:
    import dagster as dg

    from etl_assets.repair.questions import Filter, Quarantine
    from etl_assets.repair.replay import Plan, Wish

app = typer.Typer(no_args_is_help=True, help="What is not published and why; correct it and run it again.")
First = Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First business date.")]
Last = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last business date.")]
Reason = Annotated[str | None, typer.Option(help="Only rows with this reason, by its name.")]
Disposition = Annotated[str | None, typer.Option(help="invalid, duplicate or superseded.")]
File = Annotated[str | None, typer.Option(help="Only rows of the delivered file of this name.")]
Why = Annotated[str, typer.Option(help="Why, for the audit trail.")]
Who = Annotated[str | None, typer.Option(help="Who asks for it; by default the user of this machine.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would become of each row.")]


@app.command("list")
def list_(
    institution: str,
    first: First = None,
    last: Last = None,
    reason: Reason = None,
    disposition: Disposition = None,
    file: File = None,
    limit: Annotated[int, typer.Option(min=0, help="How many rows to show below the counts.")] = 20,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Count quarantined rows by date, disposition and reason, then name the first of them."""
    from etl_assets.commands import quarantine_screens as screen

    quarantine, which = _quarantine(institution), _filter(first, last, reason, disposition, file)
    counts, rows = quarantine.counts(which).to_pylist(), quarantine.rows(which, limit).to_pylist()
    if as_json:
        screen.for_programs(counts, rows)
    else:
        screen.overview(counts, rows, which, institution)


@app.command()
def show(
    institution: str,
    delivery_id: str,
    row_number: int,
    *,
    reveal: Annotated[bool, typer.Option(help="Decrypt a record that could not be split.")] = False,
) -> None:
    """Show one record: as delivered, what is wrong with it, its corrections, and the row that it repeats."""
    from etl_assets.commands import quarantine_screens as screen
    from etl_assets.repair.repairs import Repairs

    quarantine, key = _quarantine(institution), (delivery_id, row_number)
    raw = quarantine.delivered([key]).to_pylist()
    if not raw:
        _fail(f"no line {row_number} of delivery {delivery_id!r} was delivered by {institution}")
    judged = quarantine.of([key]).to_pylist()
    with _as_messages():
        screen.record("as delivered", raw[0], quarantine.spec, reveal=reveal)
    screen.record("in quarantine", judged[0] if judged else {"": "no: it is published, or was never judged"})
    for correction in Repairs(quarantine.warehouse, institution).history(key):
        screen.record("correction", correction)
    for row in judged:
        repeated = (row["repeats_delivery_id"], row["repeats_row_number"])
        for other in quarantine.delivered([repeated]).to_pylist() if repeated[0] else []:
            screen.record(f"the record that makes it {row['disposition']}", other)


@app.command()
def export(
    institution: str,
    to: Annotated[Path, typer.Argument(metavar="FILE", help="The CSV file to write.")],
    first: First = None,
    last: Last = None,
    reason: Reason = None,
    disposition: Disposition = "invalid",
    file: File = None,
) -> None:
    """Write quarantined records to a CSV file to correct in a spreadsheet and give back to `replay`."""
    from etl_assets.commands import quarantine_screens as screen
    from etl_assets.repair.correction_file import written
    from etl_assets.repair.corrections_asked import exported

    quarantine = _quarantine(institution)
    rows = list(exported(quarantine, _filter(first, last, reason, disposition, file)))
    to.write_text(written(rows, list(quarantine.spec.declared)), encoding="utf-8", newline="")
    again = f"{program()} quarantine replay {institution} --corrections {to} --why ..."
    screen.say(f"{len(rows)} records in {to}; correct them, then: {again}")


@app.command()
def replay(
    institution: str,
    why: Why,
    corrections: Annotated[Path | None, typer.Option(help="The corrected file of `export`.")] = None,
    first: First = None,
    last: Last = None,
    reason: Reason = None,
    who: Who = None,
    *,
    dry_run: DryRun = False,
) -> None:
    """Run again what changed: the records of a corrections file, or the rows that a changed rule now lets through."""
    from etl_assets.repair.correction_file import read
    from etl_assets.repair.questions import Filter
    from etl_assets.repair.replay import of_file, of_rule

    quarantine, wish = _quarantine(institution, runs=True), _wish(who, why)
    which = _filter(first, last, reason, None, None)
    if corrections is not None and which != Filter():
        raise typer.BadParameter("a corrections file says itself which rows are meant; leave the filters out")
    with _as_messages():
        if corrections is None:
            plan = of_rule(quarantine, which, wish)
        else:
            file = read(corrections.name, corrections.read_bytes(), list(quarantine.spec.declared))
            plan = of_file(quarantine, file, wish)
    _perform(plan, dry_run=dry_run)


@app.command()
def withdraw(
    institution: str, delivery_id: str, row_number: int, why: Why, who: Who = None, *, dry_run: DryRun = False
) -> None:
    """Take back the corrections of one record and run its day again with what was delivered."""
    from etl_assets.repair.replay import of_withdrawal

    quarantine = _quarantine(institution, runs=True)
    with _as_messages():
        plan = of_withdrawal(quarantine, (delivery_id, row_number), _wish(who, why))
    _perform(plan, dry_run=dry_run)


def _quarantine(institution: str, *, runs: bool = False) -> Quarantine:
    """Of one of the institutions that are deployed, if something `runs`: loading all of them takes seconds."""
    from etl_assets import cli, environment
    from etl_assets.commands import institutions
    from etl_assets.repair.questions import Quarantine

    spec = cli._spec(institution) if runs else institutions._found(institution)  # noqa: SLF001  the same program
    environment.prepare(environment.state_folder())
    return Quarantine(cli._warehouse(), spec)  # noqa: SLF001


@contextmanager
def _platform() -> Iterator[tuple[Callable[[], dg.Definitions], dg.DagsterInstance]]:
    import dagster as dg

    from etl_assets import cli
    from etl_assets.definitions import build_definitions

    cli._prepared()  # noqa: SLF001
    with dg.DagsterInstance.from_config(".") as instance:
        yield build_definitions, instance


def _perform(plan: Plan, *, dry_run: bool) -> None:
    from etl_assets.commands import quarantine_screens as screen
    from etl_assets.repair.replay import perform

    screen.judgement(plan)
    if dry_run or plan.changes_nothing:
        return
    with _platform() as (definitions, instance):
        ended = perform(plan, definitions, instance, screen.run_ended)
    screen.say(f"replay {ended.replay_id}: {ended.rows_published} of {ended.rows_asked} rows are published now")
    if ended.problem:
        _fail(ended.problem)


def _filter(
    first: datetime | None, last: datetime | None, reason: str | None, disposition: str | None, file: str | None
) -> Filter:
    from etl_assets.repair.questions import Filter

    return Filter(first and first.date(), last and last.date(), reason, disposition, file)


def _wish(who: str | None, why: str) -> Wish:
    from etl_assets.repair.replay import Wish

    if not why.strip():
        _fail("--why is empty; the audit trail says why")
    return Wish(who or getpass.getuser(), why)


@contextmanager
def _as_messages() -> Iterator[None]:
    """A refusal is a message and exit code 1, not a traceback."""
    from etl_assets.repair.correction_file import FileRefused
    from etl_assets.sources.tokens import NotRevealed

    try:
        yield
    except (FileRefused, NotRevealed, OSError) as error:
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    from etl_assets.commands import quarantine_screens as screen

    screen.fail(message)
    raise typer.Exit(1)
