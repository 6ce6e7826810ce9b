"""A bank changes its files: what changed is an event and a warning, what cannot be read any more is quarantined."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl_assets_tests.bank import HEADER, Platform, line
from etl_assets_tests.conftest import fresh_platform

MONDAY = date(2026, 3, 2)
TUESDAY = MONDAY + timedelta(days=1)
WARNING = "the_header_is_as_before"
LENIENT = {"max_quarantined_share": 1}


def events(platform: Platform) -> list[tuple[object, ...]]:
    rows = platform.table("schema_events", order='"business_date", "column"')
    return [(row["business_date"], row["kind"], row["column"], row["was"], row["is"]) for row in rows]


def parquet(amounts: pa.Array) -> bytes:
    sink, count = io.BytesIO(), len(amounts)
    columns = {name: pa.array([f"{name}{n}" for n in range(count)]) for name in ("id", "card", "shop")}
    at = pa.array(["02.03.2026 10:00:00"] * count)
    pq.write_table(pa.table(columns | {"at": at, "amount": amounts}), sink)
    return sink.getvalue()


@pytest.fixture
def parquet_platform(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Platform]:
    deliveries = {"format": "parquet", "csv": {}}
    columns = {
        **{name: {"source": source} for name, source in (("transaction_id", "id"), ("account_id", "card"))},
        "counterparty_id": {"source": "shop"},
        "event_at": {"source": "at", "formats": ["%d.%m.%Y %H:%M:%S"]},
        "amount": {"source": "amount", "decimal_mark": "."},
    }
    with fresh_platform(request, tmp_path, deliveries=deliveries, columns=columns, batch_rules=LENIENT) as platform:
        yield platform


def test_a_header_that_stays_warns_nobody(platform: Platform) -> None:
    for day in (MONDAY, TUESDAY):
        platform.deliver(day, HEADER + line(day.day, day))
    platform.run(MONDAY, TUESDAY, layers=("daily",))
    assert platform.errors() == ""
    assert events(platform) == []
    assert WARNING not in {name for name, _ in platform.failed_checks("raw_transactions")}


def test_a_new_column_is_kept_and_announced(platform: Platform) -> None:
    platform.deliver(MONDAY, HEADER + line(1, MONDAY))
    platform.deliver(TUESDAY, HEADER.replace("\n", ";note\n") + line(2, TUESDAY).replace("\n", ";n\n"))
    platform.run(MONDAY, TUESDAY, layers=("daily",))
    assert platform.errors() == ""
    assert events(platform) == [(TUESDAY, "added", "note", None, "text")]
    assert (WARNING, TUESDAY.isoformat()) in platform.failed_checks("raw_transactions")
    assert (WARNING, MONDAY.isoformat()) not in platform.failed_checks("raw_transactions")
    extras = [row["_extra"] for row in platform.table("raw_transactions", order="business_date")]
    assert [extra and json.loads(str(extra)) for extra in extras] == [None, {"note": "n"}]
    assert len(platform.table("cleaned_transactions")) == 2


def test_amounts_that_became_text_are_announced_and_those_that_do_not_parse_quarantined(
    parquet_platform: Platform,
) -> None:
    platform = parquet_platform
    platform.deliver(MONDAY, parquet(pa.array([-12.5, -1.25])))
    platform.deliver(TUESDAY, parquet(pa.array(["-12.50", "12,50 EUR"])))
    platform.run(MONDAY, TUESDAY, layers=("daily",))
    assert events(platform) == [(TUESDAY, "retyped", "amount", "double", "string")]
    assert (WARNING, TUESDAY.isoformat()) in platform.failed_checks("raw_transactions")
    quarantined = platform.table("quarantined_transactions")
    assert [(row["business_date"], row["value"]) for row in quarantined if row["disposition"] == "invalid"] == [
        (TUESDAY, "12,50 EUR")
    ]
    assert "amount_is_" in str(quarantined[-1]["reasons"])
