"""Rows of a small bank for tests of features: a few accounts and shops, hours with ties, deliveries that lag."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
from hypothesis import strategies as st

FIRST = date(2026, 3, 20)
MIDNIGHT = datetime(2026, 3, 20, tzinfo=UTC)
SCHEMA = pa.schema(
    [
        ("business_date", pa.date32()),
        ("event_at", pa.timestamp("us", "UTC")),
        ("account_id", pa.string()),
        ("counterparty_id", pa.string()),
        ("amount", pa.decimal128(24, 4)),
        ("currency", pa.string()),
        ("n", pa.int64()),
        ("_delivery_id", pa.string()),
        ("_row_number", pa.int64()),
    ]
)
Row = dict[str, object]
HOURS = st.one_of(st.integers(0, 6), st.integers(0, 24 * 34))
rows_of_a_bank = st.lists(
    st.fixed_dictionaries(
        {
            "hours": HOURS,
            "micros": st.sampled_from([0, 1, 999_999, 1_000_000, 3_599_999_999]),
            "late_days": st.sampled_from([0, 0, 0, 1, 3]),
            "account_id": st.sampled_from(["a", "b", None]),
            "counterparty_id": st.sampled_from(["s", "t", None]),
            "amount": st.decimals(Decimal(-2000), Decimal(500), places=2),
            "currency": st.sampled_from(["EUR", "EUR", "CHF"]),
        }
    ),
    max_size=25,
)


def table(rows: Sequence[Row]) -> pa.Table:
    """Cleaned rows as the kernel gets them; `n` numbers them so that they can be found again."""
    full = [
        {
            "n": n,
            "_delivery_id": "d",
            "_row_number": n,
            "event_at": (at := MIDNIGHT + timedelta(hours=row["hours"], microseconds=row["micros"])),  # type: ignore[arg-type]
            "business_date": at.date() + timedelta(days=row["late_days"]),  # type: ignore[arg-type]
            **{name: row[name] for name in ("account_id", "counterparty_id", "amount", "currency")},
        }
        for n, row in enumerate(rows)
    ]
    return pa.Table.from_pylist(full, schema=SCHEMA)


def row(hours: float, amount: str = "-10.00", *, late_days: int = 0, account: str = "a", shop: str | None = "s") -> Row:
    return {
        "hours": hours,
        "micros": 0,
        "late_days": late_days,
        "account_id": account,
        "counterparty_id": shop,
        "amount": Decimal(amount),
        "currency": "EUR",
    }
