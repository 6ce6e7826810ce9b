"""A record of a file that is gone, or that can be read no more, is in the tables or in the ledger's reasons."""

from __future__ import annotations

import gzip
import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from etl_assets.audit import PROMISES, violations
from etl_assets_tests.bank import HEADER, Platform, line
from etl_assets_tests.conftest import fresh_platform

MONDAY = date(2026, 3, 2)
JUNK = "no header at all\n"
ACCOUNT = ("file", "records_read", "published", "superseded", "control_lines")
(BALANCES,) = (promise for promise in PROMISES if promise.name == "row_account_balances")


def good(first: int = 0, count: int = 20, amount: str = "-12,50") -> str:
    return HEADER + "".join(line(first + n, MONDAY, amount=amount) for n in range(count))


def ran(platform: Platform) -> str:
    platform.run(MONDAY, layers=("daily",))
    return platform.errors()


def account(platform: Platform) -> list[tuple[object, ...]]:
    rows = platform.table("row_account", ACCOUNT, "file, records_read")
    return [tuple(row.values()) for row in rows]


def is_balanced(platform: Platform) -> bool:
    return violations(platform.warehouse, platform.spec, BALANCES, [MONDAY]) == {MONDAY: 0}


def test_a_file_that_was_overwritten_while_its_date_was_refused_says_that_nothing_of_it_is_there(
    platform: Platform,
) -> None:
    platform.deliver(MONDAY, good(), "_a")
    platform.deliver(MONDAY, JUNK, "_b")
    assert "transactions_20260302_b.csv" in ran(platform)
    platform.deliver(MONDAY, good(amount="-1,00"), "_a", hour=3)
    platform.deliver(MONDAY, good(100), "_b", hour=3)
    assert not ran(platform)
    assert is_balanced(platform)
    rows = platform.table("deliveries", ("path", "state", "records_read", "problem"), "path, state")
    assert [(row["state"], row["records_read"]) for row in rows] == [("read", 21), ("rejected", 0)] * 2
    assert "nothing of it is in the tables" in str(rows[1]["problem"])


def test_rows_of_a_file_that_is_refused_when_read_again_and_then_archived_stay_published(platform: Platform) -> None:
    path = platform.deliver(MONDAY, good(), "_a")
    ran(platform)
    right = platform.spec
    wrong = right.deliveries.csv.model_copy(update={"separator": ","})
    platform.spec = right.model_copy(update={"deliveries": right.deliveries.model_copy(update={"csv": wrong})})
    assert "column 'at' is missing" in ran(platform)
    assert is_balanced(platform)
    platform.spec = right
    path.unlink()
    platform.deliver(MONDAY, good(100), "_b", hour=7)
    assert not ran(platform)
    assert is_balanced(platform)
    assert account(platform) == [
        ("transactions_20260302_a.csv", 21, 20, 0, 1),
        ("transactions_20260302_b.csv", 21, 20, 0, 1),
    ]


def test_a_date_with_two_files_that_are_none_names_both(platform: Platform) -> None:
    for suffix in ("_a", "_b"):
        platform.deliver(MONDAY, JUNK, suffix)
    said = ran(platform)
    assert "transactions_20260302_a.csv" in said
    assert "transactions_20260302_b.csv" in said


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_compressed_file_is_taken_in_like_any_other(
    request: pytest.FixtureRequest, tmp_path: Path, encoding: str
) -> None:
    deliveries = {
        "csv": {"separator": ";", "encoding": encoding},
        "file_name": r"transactions_(?P<business_date>\d{8})\.csv\.gz",
    }
    with fresh_platform(request, tmp_path, deliveries=deliveries) as platform:
        path = platform.spec.folder / "transactions_20260302.csv.gz"
        path.write_bytes(gzip.compress(good().encode(encoding)))
        at = datetime(2026, 3, 3, 2, tzinfo=UTC).timestamp()
        os.utime(path, (at, at))
        assert not ran(platform)
        assert account(platform) == [("transactions_20260302.csv.gz", 21, 20, 0, 1)]
