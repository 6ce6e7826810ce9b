"""The command line to the certificates: which days of which tables are in Snowflake as they are in PostgreSQL."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from etl_assets.commands import institutions
from etl_assets.commands.hints import program
from etl_assets.commands.institutions import AsJson, First, Last
from etl_assets.terminal import terminal

if TYPE_CHECKING:
    from etl_assets.institution_spec import InstitutionSpec
    from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse

console = terminal(160)
COUNTS = {
    "rows_in_postgres": "PostgreSQL",
    "rows_in_snowflake": "Snowflake",
    "rows_missing": "missing",
    "rows_extra": "extra",
    "rows_changed": "changed",
}
SHOWN_DAYS = 5
OLDEST, NEWEST = date(1, 1, 1), date(9999, 12, 30)


def certificates(
    institution: str,
    first: First = None,
    last: Last = None,
    *,
    differing: Annotated[bool, typer.Option(help="Only those that do not say equal of the rows of now.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the latest certificate of each day of each mirror: both warehouses hold the same rows, or which differ."""
    spec = institutions._found(institution)  # noqa: SLF001  the same program
    warehouse = institutions._warehouse()  # noqa: SLF001
    late = set() if warehouse is None else _late(warehouse, spec)
    found = [] if warehouse is None else _latest(warehouse, spec.institution, first, last)
    rows = [
        row | {"is_late": (row["table_name"], row["business_date"]) in late}
        for row in found
        if row["table_name"] in spec.snowflake.tables
    ]
    shown = [row for row in rows if row["verdict"] != "equal" or row["is_late"]] if differing else rows
    if as_json:
        print(json.dumps(shown, default=str, indent=1))  # noqa: T201
        return
    if not rows:
        console.print(f"No day of {spec.institution} has a certificate; a run of its mirrors gives them:")
        console.print(f"{program()} backfill {spec.institution} FIRST LAST")
        return
    _print(shown)
    equal = sum(row["verdict"] == "equal" for row in rows)
    console.print(f"{equal} of {len(rows)} certificates say equal.")
    _print_late(late)


def _latest(
    warehouse: PostgresWarehouse, institution: str, first: datetime | None, last: datetime | None
) -> list[dict[str, Any]]:
    from etl_assets.io_managers.slices import Dimension, Part, Slice
    from etl_assets.reconciliation.certificate_log import latest

    days = Part("asked for", first.date() if first else OLDEST, last.date() + timedelta(1) if last else NEWEST)
    rows: list[dict[str, Any]] = latest(
        warehouse, institution, Slice((Dimension("business_date", (days,)),))
    ).to_pylist()
    return rows


def _late(warehouse: PostgresWarehouse, spec: InstitutionSpec) -> set[tuple[str, date]]:
    from etl_assets.assets.tenant import Tenant
    from etl_assets.mirroring.evidence import Evidence

    return {(part.table, part.day) for part in Evidence(warehouse, Tenant(spec)).late()}


def _print_late(late: set[tuple[str, date]]) -> None:
    """By table the first days that are not certified equal as they are now, such as those that no run has mirrored."""
    for table in sorted({name for name, _ in late}):
        days = sorted(day for name, day in late if name == table)
        more = f" and {len(days) - SHOWN_DAYS} more" if len(days) > SHOWN_DAYS else ""
        shown = ", ".join(map(str, days[:SHOWN_DAYS]))
        console.print(f"[yellow]late[/yellow] {table}: {shown}{more}", soft_wrap=True)


def _in_colour(verdict: str, *, is_late: bool) -> str:
    if verdict != "equal":
        return f"[red]{verdict.replace('_', ' ')}[/red]"
    return "[yellow]equal, late[/yellow]" if is_late else "[green]equal[/green]"


def _print(rows: list[dict[str, Any]]) -> None:
    table = Table("business date", "table", "verdict", *COUNTS.values(), "columns that differ", "checked")
    for row in rows:
        said = _in_colour(row["verdict"], is_late=row["is_late"])
        counts = (f"{row[name]:,}" for name in COUNTS)
        at = f"{row['checked_at']:%Y-%m-%d %H:%M}"
        table.add_row(str(row["business_date"]), row["table_name"], said, *counts, escape(row["columns_differ"]), at)
    if rows:
        console.print(table)
    for row in rows:
        if (keys := row["differing_keys"]) != "[]":
            console.print(f"{row['business_date']} {row['table_name']}: {escape(keys)}", soft_wrap=True)
