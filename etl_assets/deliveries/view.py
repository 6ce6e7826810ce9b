"""The ledger as a person asks for it: deliveries with their row account, the newest first. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from etl_assets.io_managers.postgres.schema import qualified
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.ledger_tables import DELIVERIES
from etl_assets.tables import ROW_ACCOUNT

COUNTS = ("published", "invalid", "duplicate", "superseded")
FIRST, LAST = date(1, 1, 1), date(9999, 12, 31)


@dataclass(frozen=True)
class Wanted:
    """Which deliveries are asked for: of these business dates, in this state, at most so many."""

    first: date | None = None
    last: date | None = None
    state: str | None = None
    limit: int = 30


def ledger_rows(warehouse: PostgresWarehouse, institution: str, wanted: Wanted) -> list[dict[str, Any]]:
    """The deliveries with their row account; its counts are null where the date was never published."""
    if not warehouse.exists(institution, DELIVERIES.name):
        return []
    has_account = warehouse.exists(institution, ROW_ACCOUNT.name)
    counts = ", ".join(f"a.{name}" if has_account else f"NULL::bigint AS {name}" for name in COUNTS)
    account = f"LEFT JOIN {qualified(institution, ROW_ACCOUNT.name)} a USING (_delivery_id)" if has_account else ""
    found = warehouse.fetch(
        f"""SELECT d.*, {counts} FROM {qualified(institution, DELIVERIES.name)} d {account}
            WHERE d.business_date BETWEEN $1 AND $2 AND ($3 = '' OR d.state = $3)
            ORDER BY d.business_date DESC, d.delivered_at DESC, d.path LIMIT {int(wanted.limit)}""",
        (wanted.first or FIRST, wanted.last or LAST, wanted.state or ""),
    )
    rows: list[dict[str, Any]] = found.to_pylist()
    return rows
