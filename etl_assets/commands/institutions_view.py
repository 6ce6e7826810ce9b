"""How guesses, previews and the ledger look in a terminal. Printing only; what is shown was found before."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.markup import escape
from rich.table import Table

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.onboarding.draft import Draft
from etl_assets.onboarding.preview import DISPOSITIONS, Preview, Record
from etl_assets.onboarding.yaml_writing import in_one_line
from etl_assets.terminal import terminal

console = terminal(160)
COLOURS = {"proven": "green", "likely": "cyan", "open": "yellow"}
STATES = {"rejected": "red", "late": "yellow", "partial": "yellow", "empty": "yellow"}
COUNTS = ("records_read", "published", *DISPOSITIONS, "control_lines")
LONGEST = 40
WIDE = 150


def print_guesses(draft: Draft, target: Path) -> None:
    """Each guess with its reason and certainty, then what a person must answer."""
    table = _table("field", "guess", "sure", "why", title=escape(str(target)))
    for guess in draft.guesses:
        colour = COLOURS[guess.certainty]
        cells = (".".join(guess.place), in_one_line(guess.value), guess.why)
        place, value, why = map(escape, cells)
        table.add_row(place, value, f"[{colour}]{guess.certainty}[/{colour}]", why)
    console.print(table)
    console.print(f"\n{len(draft.questions)} questions, as comments in the file too:")
    for place, question in draft.questions:
        console.print(f"  [yellow]{escape(place)}[/yellow]  {escape(question)}", soft_wrap=True)


def print_preview(found: Preview, spec: InstitutionSpec) -> None:
    """The row account, the first records side by side with what they become, and those quarantined."""
    print_account(found)
    if found.problem is not None:
        return
    _print_first(found, spec)
    if found.quarantined:
        _print_quarantined(found)
    if found.unread:
        console.print(f"\nNobody reads: {escape(', '.join(found.unread))}", soft_wrap=True)


def print_account(found: Preview) -> None:
    """What becomes of the records, in numbers, and why of those that are not published."""
    if found.problem is not None:
        console.print(f"[red]The file is refused:[/red] {escape(found.problem)}", soft_wrap=True)
        return
    counts = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in found.account.items())
    console.print(f"[bold]{escape(found.file)}[/bold], business date {found.business_date}: {counts}", soft_wrap=True)
    if not found.names_its_date:
        console.print("[yellow]Its name states no business date: a run would pass it over.[/yellow]")
    for reason, count in found.reasons.items():
        console.print(f"  [red]{count:,}[/red] {escape(reason)}")
    if found.too_many:
        console.print(f"[red]A run would keep the whole day back:[/red] {escape(found.too_many)}", soft_wrap=True)


def _print_first(found: Preview, spec: InstitutionSpec) -> None:
    table = _table("column", "from", *(f"line {record.line}" for record in found.first), title="The first records")
    names = [*spec.columns.mapped, *spec.pass_through, *(["is_fraud"] if spec.labels else [])]
    for name in names:
        column = spec.labels if name == "is_fraud" else spec.columns.mapped.get(name)
        titles = [spellings[0] for _, spellings in column.readers()] if column is not None else [name]
        cells = [_cell(record, name, titles, ZoneInfo(spec.time_zone)) for record in found.first]
        table.add_row(name, escape(", ".join(titles)) or "(fixed)", *cells)
    console.print(table)


def _cell(record: Record, name: str, titles: list[str], zone: ZoneInfo) -> str:
    delivered = " ".join(record.delivered.get(title) or "" for title in titles)
    if record.published is None:
        blamed = record.column in titles
        return f"[red]{escape(_short(delivered))}[/red]" if blamed else f"[dim]{escape(_short(delivered))}[/dim]"
    value = record.published.get(name)
    shown = "" if value is None else f"{value.astimezone(zone)}" if isinstance(value, datetime) else f"{value}"
    same = shown == delivered or not titles
    return escape(_short(shown)) if same else f"{escape(_short(shown))} [dim]← {escape(_short(delivered))}[/dim]"


def _print_quarantined(found: Preview) -> None:
    of_all = sum(found.account[name] for name in DISPOSITIONS)
    table = _table("line", "why", "column", "value", title=f"Quarantined ({len(found.quarantined)} of {of_all:,})")
    for record in found.quarantined:
        cells = (", ".join(record.reasons), record.column or "", _short(record.value or ""))
        table.add_row(str(record.line), *map(escape, cells))
    console.print(table)


def print_ledger(rows: list[dict[str, Any]]) -> None:
    """What became of each delivery; under them, why the rejected ones were."""
    if console.width >= WIDE:
        _print_ledger_table(rows)
    else:
        _print_ledger_lines(rows)
    for row in rows:
        if row["problem"]:
            console.print(f"[red]{escape(row['path'])}[/red]: {escape(row['problem'])}", soft_wrap=True)


def _print_ledger_table(rows: list[dict[str, Any]]) -> None:
    table = _table("business date", "file", "state", "read", "attempt", *(n.replace("_", " ") for n in COUNTS))
    for row in rows:
        numbers = ("" if row[name] is None else f"{row[name]:,}" for name in COUNTS)
        when = f"{row['read_at']:%Y-%m-%d %H:%M}"
        table.add_row(str(row["business_date"]), escape(row["path"]), _state(row), when, str(row["attempt"]), *numbers)
    console.print(table)


def _print_ledger_lines(rows: list[dict[str, Any]]) -> None:
    """Two lines per delivery: eleven columns in a narrow terminal leave none of them readable."""
    for row in rows:
        again = f", attempt {row['attempt']}" if row["attempt"] > 1 else ""
        console.print(
            f"{row['business_date']}  {_state(row)} {row['read_at']:%Y-%m-%d %H:%M}{again}  {escape(row['path'])}",
            soft_wrap=True,
        )
        read, *fates = ((name, row[name]) for name in COUNTS if row[name] is not None)
        became = " + ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in fates)
        console.print(f"            {read[1]:,} records read{f' = {became}' if became else ''}", soft_wrap=True)


def _state(row: dict[str, Any]) -> str:
    colour = STATES.get(row["state"], "green")
    return f"[{colour}]{row['state']}[/{colour}]"


def _table(*titles: str, title: str | None = None) -> Table:
    """A table that breaks what is too wide for the terminal and cuts nothing off: half a pattern says nothing."""
    table = Table(title=title, title_justify="left")
    for name in titles:
        table.add_column(name, overflow="fold")
    return table


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
