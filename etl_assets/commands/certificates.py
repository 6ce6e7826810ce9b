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
OLDEST, NEWEST = date(1, 1, 1), date(9999, 12, 30)


def certificates(
    institution: str,
    first: First = None,
    last: Last = None,
    *,
    differing: Annotated[bool, typer.Option(help="Only those that say anything else than equal.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the latest certificate of each day of each mirror: both warehouses hold the same rows, or which differ."""
    spec = institutions._found(institution)  # noqa: SLF001  the same program
    warehouse = institutions._warehouse()  # noqa: SLF001
    rows = [] if warehouse is None else _latest(warehouse, spec.institution, first, last)
    shown = [row for row in rows if row["verdict"] != "equal"] if differing else rows
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
    if late := _late(warehouse, spec):
        console.print(
            f"[yellow]{late} published days of a table are late[/yellow]: not certified equal as they are now."
        )


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


def _late(warehouse: PostgresWarehouse, spec: InstitutionSpec) -> int:
    from etl_assets.assets.tenant import Tenant
    from etl_assets.mirroring.evidence import Evidence

    return len(Evidence(warehouse, Tenant(spec)).late())


def _print(rows: list[dict[str, Any]]) -> None:
    table = Table("business date", "table", "verdict", *COUNTS.values(), "columns that differ", "checked")
    for row in rows:
        colour = "green" if row["verdict"] == "equal" else "red"
        said = f"[{colour}]{row['verdict'].replace('_', ' ')}[/{colour}]"
        counts = (f"{row[name]:,}" for name in COUNTS)
        at = f"{row['checked_at']:%Y-%m-%d %H:%M}"
        table.add_row(str(row["business_date"]), row["table_name"], said, *counts, escape(row["columns_differ"]), at)
    if rows:
        console.print(table)
    for row in rows:
        if (keys := row["differing_keys"]) != "[]":
            console.print(f"{row['business_date']} {row['table_name']}: {escape(keys)}", soft_wrap=True)
