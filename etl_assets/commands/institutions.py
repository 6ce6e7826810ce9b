"""The commands for the person who adds an institution: first YAML, trial, ledger, schema. Printing, no decisions."""

from __future__ import annotations

import json
import os
import re
import secrets
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from etl_assets.commands.hints import program
from etl_assets.institution_spec import SpecRefused, load_spec
from etl_assets.terminal import Terminal, terminal

if TYPE_CHECKING:
    from etl_assets.institution_spec import InstitutionSpec
    from etl_assets.onboarding.draft import Draft

console = terminal(160)
OWN_FOLDER = "institutions"
EXAMPLES = Path(__file__).parents[1] / "simulator" / "institutions"  # importing definitions.py would load every tenant
NAME = r"[a-z][a-z0-9_]{0,47}"
SampleFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="A delivered file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Day = Annotated[
    datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="Its business date, if its name says none.")
]
First = Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First business date.")]
Last = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last business date.")]


def add_to(app: typer.Typer) -> None:
    """The commands are commands of the program."""
    for command in (init, check, deliveries, schema):
        app.command()(command)


def init(
    sample: SampleFile,
    name: Annotated[str | None, typer.Option(help="The institution's name; by default made from the file's.")] = None,
    currency: Annotated[str | None, typer.Option(help="The currency of every row, such as EUR.")] = None,
    time_zone: Annotated[str | None, typer.Option(help="The zone of the times, such as Europe/London.")] = None,
    owner: Annotated[str | None, typer.Option(help="Who is told: team:NAME or an e-mail address.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Where to write; by default ETL_INSTITUTIONS.")] = None,
    *,
    force: Annotated[bool, typer.Option(help="Write over a file that is there.")] = False,
) -> None:
    """Read a sample and write a first YAML: guesses proven on the sample, and what they leave open as questions."""
    from etl_assets.onboarding.first_yaml import Answers, default_name, first_draft, spec_of
    from etl_assets.onboarding.yaml_writing import yaml_text

    called = name or default_name(sample)
    if not re.fullmatch(NAME, called):
        raise SpecRefused(
            f"{called!r} is no name of an institution; expected small letters, digits and _: --name bank_x"
        )
    target = (folder or _own_folder()) / f"{called}.yaml"
    if target.exists() and not force:
        raise SpecRefused(f"{target} is there already; --force writes over it, --name gives another name")
    draft = first_draft(sample, Answers(called, currency, time_zone, owner))
    spec = spec_of(draft)
    target.parent.mkdir(parents=True, exist_ok=True)
    schema_file = target.parent / "institution.schema.json"
    schema_file.write_text(_schema_text(), encoding="utf-8")
    heading = f"# yaml-language-server: $schema={schema_file.name}\n# Written by `etl-assets init` from {sample.name}."
    target.write_text(yaml_text(draft, heading), encoding="utf-8")
    load_spec(target)
    _report(draft, sample, spec, target)


def check(
    institution: Annotated[str, typer.Argument(help="Its name, or the path of a YAML.")],
    sample: SampleFile,
    day: Day = None,
    rows: Annotated[int, typer.Option(min=0, help="How many of the first records to show.")] = 3,
    *,
    as_json: AsJson = False,
) -> None:
    """Show what a run would make of a file: what maps where, which rows would be quarantined and why. Writes nothing.

    Exit code 1 if a row would be quarantined or the file refused.
    """
    from etl_assets.commands.institutions_view import print_preview
    from etl_assets.onboarding.preview import preview

    spec = _found(institution)
    _have_a_token_key(spec)
    found = preview(sample, spec, day.date() if day else None, rows)
    if as_json:
        print(json.dumps(asdict(found), default=str, indent=1))  # noqa: T201
    else:
        print_preview(found, spec)
        if found.is_clean and found.names_its_date:
            again = f"{spec.institution} {found.business_date} {found.business_date}"
            console.print(f"\nTo take it in: {program()} backfill {again}", soft_wrap=True)
    raise typer.Exit(0 if found.is_clean else 1)


def deliveries(
    institution: str,
    first: First = None,
    last: Last = None,
    state: Annotated[str | None, typer.Option(help="Only those in this state, such as rejected.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 30,
    *,
    as_json: AsJson = False,
) -> None:
    """Show the ledger: every delivery, its state, and what became of each of its records."""
    from etl_assets.commands.institutions_view import print_ledger
    from etl_assets.deliveries.view import Wanted, ledger_rows

    spec = _found(institution)
    warehouse = _warehouse()
    wanted = Wanted(first.date() if first else None, last.date() if last else None, state, limit)
    rows = [] if warehouse is None else ledger_rows(warehouse, spec.institution, wanted)
    if as_json:
        print(json.dumps(rows, default=str, indent=1))  # noqa: T201
        return
    if not rows:
        console.print(
            f"No delivery of {spec.institution} is in the ledger" + (f" with state {state}." if state else ".")
        )
        console.print(f"{program()} backfill {spec.institution} FIRST LAST takes deliveries in.")
        return
    print_ledger(rows)


def schema(
    to: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Where to write it; by default printed.")] = None,
) -> None:
    """Print or write the JSON Schema of an institution's YAML, by which editors complete and explain it."""
    if to is None:
        print(_schema_text(), end="")  # noqa: T201
        return
    to.write_text(_schema_text(), encoding="utf-8")
    console.print(f"{to} is written; the first line of a YAML beside it: # yaml-language-server: $schema={to.name}")


def _schema_text() -> str:
    from etl_assets.spec.json_schema import json_schema_text

    return json_schema_text()


def _own_folder() -> Path:
    return Path(os.environ.get("ETL_INSTITUTIONS") or OWN_FOLDER)


def _found(institution: str) -> InstitutionSpec:
    """The spec at this path or of this name, first among the person's own, then among the demo's."""
    if institution.endswith((".yaml", ".yml")):
        return load_spec(Path(institution))
    folders = dict.fromkeys((_own_folder(), EXAMPLES))
    files = [file for folder in folders for file in sorted(folder.glob("*.yaml"))]
    for file in sorted(files, key=lambda file: file.stem != institution):
        if file.stem == institution or f"institution: {institution}\n" in file.read_text(encoding="utf-8"):
            return load_spec(file)
    where = " or ".join(str(folder) for folder in folders)
    there = ", ".join(dict.fromkeys(file.stem for file in files))
    raise SpecRefused(f"no institution {institution!r} in {where}; there are {there}")


def _have_a_token_key(spec: InstitutionSpec) -> None:
    """Tokens can be shown: those of a run, or with a key for this look only, where none is set."""
    from etl_assets.sources.tokens import VARIABLE

    if not spec.personal_data.is_named or os.environ.get(VARIABLE):
        return
    os.environ[VARIABLE] = _of_env_file(VARIABLE) or ""
    if not os.environ[VARIABLE]:
        os.environ[VARIABLE] = secrets.token_hex(32)
        Terminal(stderr=True).print(f"{VARIABLE} is not set; the tokens shown are of no use later", soft_wrap=True)


def _warehouse() -> Any:
    """The warehouse of the environment or of `.env`; None where there is none yet. Starts nothing."""
    from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse

    url = os.environ.get("ETL_WAREHOUSE_URL") or _of_env_file("ETL_WAREHOUSE_URL")
    return PostgresWarehouse(url=url) if url else None


def _of_env_file(variable: str) -> str | None:
    from dotenv import dotenv_values

    return dotenv_values(".env").get(variable) if Path(".env").exists() else None


def _report(draft: Draft, sample: Path, spec: InstitutionSpec, target: Path) -> None:
    """What was guessed, what becomes of the sample under it, and what to do next are printed."""
    from etl_assets.commands.institutions_view import print_account, print_guesses
    from etl_assets.onboarding.preview import preview

    print_guesses(draft, target)
    _have_a_token_key(spec)
    console.print()
    print_account(preview(sample, spec))
    console.print(f"\nNow answer the questions in {target}, then:", soft_wrap=True)
    if not os.environ.get("ETL_INSTITUTIONS"):
        console.print(f"  export ETL_INSTITUTIONS={target.parent.resolve()}", soft_wrap=True)
    console.print(f"  {program()} check {spec.institution} {sample}", soft_wrap=True)
