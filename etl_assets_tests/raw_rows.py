"""Raw tables for tests: a delivery is a day, an id and its rows, each row saying only what is unusual in it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.tables import raw_table
from etl_assets.transforms.cleaning import Verdict, clean

DAY = date(2024, 3, 6)
GOOD = {
    "transaction_id": "T1",
    "account_id": "A1",
    "counterparty_id": "M1",
    "event_at": "2024-03-05 12:00:00",
    "amount": "-12.50",
    "currency": "EUR",
}


def delivery(
    spec: InstitutionSpec,
    *rows: Mapping[str, Any],
    on: date = DAY,
    name: str = "d1",
    hour: int = 0,
) -> pa.Table:
    """The raw rows of one delivery; column names may be source columns or lineage."""
    table = raw_table(spec)
    lineage = {
        "business_date": on,
        "_delivery_id": f"{name}@{on}",
        "_file": f"{name}.csv",
        "_delivered_at": datetime.combine(on, datetime.min.time(), UTC) + timedelta(hours=hour),
    }
    filled = [GOOD | lineage | {"_row_number": line, **row} for line, row in enumerate(rows, start=2)]
    return pa.table({c.name: pa.array([row.get(c.name) for row in filled], c.type) for c in table.columns})


def cleaned(spec: InstitutionSpec, *deliveries: pa.Table, on: date = DAY, until: date | None = None) -> Verdict:
    return clean(pa.concat_tables(deliveries), spec, on, until or on)


def only_row(spec: InstitutionSpec, **row: Any) -> dict[str, Any]:
    """What became of a single row: its published or its quarantined form."""
    verdict = cleaned(spec, delivery(spec, row))
    (found,) = verdict.published.to_pylist() + verdict.quarantined.to_pylist()
    return dict(found)


def reasons(spec: InstitutionSpec, **row: Any) -> list[str]:
    """Why a single row is not published; nothing where it is."""
    found = only_row(spec, **row).get("reasons")
    return found.split(",") if found else []
