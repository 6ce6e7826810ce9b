"""What the demo shows of Snowflake: for each table, what both warehouses hold and how many days are certified equal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from etl_assets.assets.tenant import Tenant
from etl_assets.institution_spec import InstitutionSpec
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.mirroring.evidence import Evidence
from etl_assets.reconciliation.certificate_log import latest
from etl_assets.resources import UNCONFIGURED, snowflake_is_configured


def show_certificates(console: Console, warehouse: PostgresWarehouse, specs: Sequence[InstitutionSpec]) -> None:
    """One line per mirrored table, or why nothing is mirrored."""
    if not snowflake_is_configured():
        console.print(UNCONFIGURED)
        return
    headings = ("institution", "table", "days", "rows in PostgreSQL", "rows in Snowflake", "certified equal")
    table = Table(*headings, title="Every table is in Snowflake too, with a certificate per day")
    for spec in specs:
        given = latest(warehouse, spec.institution).to_pylist()
        evidence = Evidence(warehouse, Tenant(spec))
        published, late = evidence.published(), Counter(part.table for part in evidence.late())
        for name in spec.snowflake.tables:
            rows = [row for row in given if row["table_name"] == name]
            table.add_row(spec.institution, name, *_counts(rows, len(published[name]), late[name]))
    console.print(table)


def _counts(rows: Sequence[dict[str, Any]], days: int, late: int) -> tuple[str, ...]:
    both = (f"{sum(row[f'rows_in_{side}'] for row in rows):,}" for side in ("postgres", "snowflake"))
    colour = "red" if late else "green"
    return (str(days), *both, f"[{colour}]{days - late} of {days}[/{colour}]")
