"""What a delivery is beside the others, whatever the order in which they were read."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_assets.deliveries.provenance import code_version, due_at, public
from etl_assets.deliveries.states import is_late, stated

MONDAY = date(2026, 3, 2)
NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
BASE = {"problem": None, "state": None, "is_late": False, "due_at": None, "records_read": 4, "control_lines": 1}


def row(path: str, content: str, hour: int = 0, **changes: Any) -> dict[str, Any]:
    """A delivery of `content`, whose rows are its first letter, some hours after the first one."""
    at = NOON + timedelta(hours=hour)
    known = {"_delivery_id": f"{path}{content}", "path": path, "content_sha256": content, "content_digest": content[:1]}
    return {**BASE, **known, "business_date": MONDAY, "delivered_at": at, "first_read_at": NOON} | changes


def states(*rows: dict[str, Any]) -> list[str]:
    return [row["state"] for row in stated(rows)]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([row("a", "x1"), row("a", "y1", 1)], ["read", "corrected"]),
        ([row("a", "x1"), row("a", "x2", 1)], ["read", "resaved"]),
        ([row("a", "x1"), row("b", "x1", 1)], ["read", "redelivered"]),
        ([row("a", "x1"), row("b", "x2", 1)], ["read", "redelivered"]),
        ([row("a", "x1"), row("a", "y1", 1), row("a", "x2", 2)], ["read", "corrected", "resaved"]),
        ([row("a", "x1", content_digest=None), row("a", "x2", 1, content_digest=None)], ["read", "corrected"]),
        ([row("a", "x1", is_late=True), row("a", "y1", 1, is_late=True)], ["late", "corrected"]),
        ([row("a", "x1", records_read=1), row("b", "x1", 1, records_read=1)], ["empty", "empty"]),
        ([row("a", "x1", problem="cut off"), row("a", "y1", 1)], ["rejected", "read"]),
        ([row("a", "x1", problem="more", state="partial"), row("b", "x1", 1)], ["partial", "read"]),
        ([row("a", "x1", state="partial")], ["read"]),
    ],
)
def test_a_delivery_is_told_from_what_came_before(rows: list[dict[str, Any]], expected: list[str]) -> None:
    assert states(*rows) == expected


ANY_ROW = st.builds(
    row,
    st.sampled_from("ab"),
    st.sampled_from(["x1", "x2", "y1"]),
    st.integers(0, 5),
    problem=st.none() | st.just("cut off"),
)


@settings(deadline=None)
@given(st.lists(ANY_ROW, max_size=5, unique_by=lambda r: r["_delivery_id"]), st.randoms())
def test_the_order_of_reading_makes_no_difference(rows: list[dict[str, Any]], shuffler: Any) -> None:
    shuffled = shuffler.sample(rows, len(rows))
    assert stated(shuffled) == stated(rows) == stated(stated(rows))


def test_late_is_what_comes_at_its_due_time_or_after_its_date_was_read() -> None:
    due = due_at(MONDAY, "America/Sao_Paulo", 1)
    assert due == datetime(2026, 3, 4, 3, tzinfo=UTC)
    assert is_late(row("a", "x1", due_at=due, delivered_at=due), {})
    assert not is_late(row("a", "x1", due_at=due, delivered_at=due - timedelta(seconds=1)), {})
    assert not is_late(row("a", "x1"), {MONDAY: NOON})
    assert is_late(row("a", "x1", 1, due_at=None), {MONDAY: NOON})
    assert not is_late(row("a", "x1", 1), {MONDAY + timedelta(days=1): NOON})


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("s3://bucket/prefix", "s3://bucket/prefix"),
        ("sftp://user:secret@host:22/in?key=secret", "sftp://host:22/in"),
        ("/data/in#1?x", "/data/in#1?x"),
    ],
)
def test_an_address_is_told_without_its_secrets(address: str, expected: str) -> None:
    assert public(address) == expected


def test_the_code_version_says_what_was_deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ETL_CODE_VERSION", raising=False)
    released = code_version()
    monkeypatch.setenv("ETL_CODE_VERSION", "abc1234")
    assert code_version() == f"{released}+abc1234"
