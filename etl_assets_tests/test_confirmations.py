"""A label is known days after the payment, at one moment, on one business date, and never before it was delivered."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_assets.transforms.confirmations import Clock, confirmations

BERLIN = "Europe/Berlin"
DAY = date(2026, 3, 20)
SCHEMA = pa.schema(
    [
        ("business_date", pa.date32()),
        ("transaction_id", pa.string()),
        ("account_id", pa.string()),
        ("counterparty_id", pa.string()),
        ("event_at", pa.timestamp("us", "UTC")),
        ("amount", pa.decimal128(24, 4)),
        ("currency", pa.string()),
        ("is_fraud", pa.bool_()),
    ]
)
Row = dict[str, object]


def payment(number: int, day: date, at: datetime, spend: str = "20", *, is_fraud: bool | None = None) -> Row:
    return {
        "business_date": day,
        "transaction_id": str(number),
        "account_id": "a",
        "counterparty_id": "c",
        "event_at": at,
        "amount": -Decimal(spend),
        "currency": "EUR",
        "is_fraud": is_fraud,
    }


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def confirmed(rows: list[Row], day: date, days: int = 7, zone: str = BERLIN) -> pa.Table:
    return confirmations(pa.Table.from_pylist(rows, SCHEMA), day, day, Clock(zone, days))


def test_a_label_is_known_so_many_days_after_the_payment_at_the_same_local_time() -> None:
    (label,) = confirmed([payment(1, DAY, noon(DAY), is_fraud=False)], DAY).to_pylist()
    assert label["known_at"] == datetime(2026, 3, 27, 12, tzinfo=UTC)
    (label,) = confirmed([payment(1, DAY, noon(DAY), is_fraud=False)], DAY, days=10).to_pylist()
    # Clocks went forward in between: 13:00 in Berlin was noon in UTC, and is an hour earlier there now.
    assert label["known_at"] == datetime(2026, 3, 30, 11, tzinfo=UTC)
    assert (label["business_date"], label["transaction_date"]) == (date(2026, 3, 30), DAY)


def test_a_row_that_came_late_is_confirmed_after_it_came() -> None:
    event = noon(DAY - timedelta(days=5))
    (label,) = confirmed([payment(1, DAY, event, is_fraud=True)], DAY, days=1).to_pylist()
    assert label["known_at"] == datetime(2026, 3, 20, 23, tzinfo=UTC)
    assert label["business_date"] == DAY + timedelta(days=1)


def test_what_is_undecided_and_what_is_history_are_no_labels() -> None:
    before = DAY - timedelta(days=1)
    rows = [payment(1, DAY, noon(DAY)), payment(2, before, noon(before), is_fraud=True)]
    assert confirmed(rows, DAY).num_rows == 0


def test_a_fraud_is_explained_where_its_amount_was_strange_for_its_account() -> None:
    days = [DAY - timedelta(days=n) for n in range(20, 0, -1)]
    history = [payment(n, day, noon(day), str(20 + n % 3)) for n, day in enumerate(days)]
    frauds = [
        payment(100, DAY, noon(DAY), "900", is_fraud=True),
        payment(101, DAY, noon(DAY), "21", is_fraud=True),
        payment(102, DAY, noon(DAY), "900", is_fraud=False),
    ]
    found = confirmed(history + frauds, DAY).sort_by("transaction_id")
    assert found["is_explained"].to_pylist() == [True, False, False]


def test_a_source_without_accounts_explains_nothing() -> None:
    rows = pa.Table.from_pylist([payment(1, DAY, noon(DAY), "900", is_fraud=True)], SCHEMA).drop_columns(["account_id"])
    assert confirmations(rows, DAY, DAY, Clock(BERLIN, 7))["is_explained"].to_pylist() == [False]


@given(
    minutes=st.integers(0, 4 * 24 * 60),
    late=st.integers(0, 3),
    days=st.integers(0, 400),
    zone=st.sampled_from([BERLIN, "America/New_York", "Pacific/Apia", "UTC"]),
)
def test_a_label_belongs_to_the_day_of_its_payment_and_the_days_that_it_took(
    minutes: int, late: int, days: int, zone: str
) -> None:
    event = datetime(2026, 3, 27, tzinfo=UTC) + timedelta(minutes=minutes)
    day = event.astimezone(ZoneInfo(zone)).date() + timedelta(days=late)
    (label,) = confirmed([payment(1, day, event, is_fraud=True)], day, days, zone).to_pylist()
    assert label["business_date"] == day + timedelta(days=days)
    assert label["known_at"] >= event


@pytest.mark.parametrize("verdict", [True, False])
def test_no_label_is_without_an_answer(verdict: bool) -> None:  # noqa: FBT001  a parameter of the test
    found = confirmed([payment(1, DAY, noon(DAY), is_fraud=verdict)], DAY)
    assert (found["is_fraud"].to_pylist(), found["is_explained"].null_count) == ([verdict], 0)
