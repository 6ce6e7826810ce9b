"""Preamble, footer and fixed width through the whole graph: a day is refused for a false footer, and healed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from etl_assets_tests.bank import HEADER, Platform, line
from etl_assets_tests.conftest import fresh_platform

MONDAY = date(2026, 3, 2)
FOOTER = {"pattern": r"TRAILER;(?P<rows>\d+);(?P<total>[-\d,]+)"}
FRAME = {"separator": ";", "preamble_lines": 2, "footer": FOOTER}
DELIVERIES: dict[str, Any] = {
    "folder": "deliveries",
    "file_name": r"transactions_(?P<business_date>\d{8}).*\.csv",
}
WIDTHS = {"id": 4, "card": 3, "shop": 3, "at": 19, "amount": 9}
BAD = "9;c1;s1\n"


def account(platform: Platform) -> list[tuple[object, ...]]:
    """File, records read, published, invalid and control lines of each delivery."""
    names = ("file", "records_read", "published", "invalid", "control_lines")
    return [tuple(row.values()) for row in platform.table("row_account", names, "file")]


def framed(records: str, rows: int, total: str) -> str:
    return f"Bank of Tests\nMonday's payments\n{HEADER}{records}TRAILER;{rows};{total}\n"


@pytest.fixture
def framed_bank(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Platform]:
    with fresh_platform(request, tmp_path, deliveries=DELIVERIES | {"csv": FRAME}) as platform:
        yield platform


@pytest.fixture
def fixed_width_bank(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Platform]:
    starts = [1 + sum(list(WIDTHS.values())[:i]) for i in range(len(WIDTHS))]
    columns = [{"name": n, "start": s, "width": w} for (n, w), s in zip(WIDTHS.items(), starts, strict=True)]
    fixed = {"columns": columns, "preamble_lines": 1, "footer": {"pattern": r"9+(?P<rows>\d{6})"}}
    with fresh_platform(
        request, tmp_path, deliveries=DELIVERIES | {"format": "fixed_width", "fixed_width": fixed}
    ) as platform:
        yield platform


def test_a_false_footer_refuses_its_day_by_name_until_the_whole_file_comes(framed_bank: Platform) -> None:
    records = "".join(line(number, MONDAY) for number in range(30))
    framed_bank.deliver(MONDAY, framed(records, 31, "-387,50"))
    framed_bank.run(MONDAY, layers=("daily",))
    assert "transactions_20260302.csv: the footer on line 34 expects 31 records, and the file has 30" in (
        framed_bank.errors()
    )
    assert "expects a total of -387.5, and the amounts sum to -375" in framed_bank.errors()
    assert [row["state"] for row in framed_bank.table("deliveries", ("state",))] == ["rejected"]
    framed_bank.deliver(MONDAY, framed(records + line(30, MONDAY) + BAD, 32, "-387,50"), suffix="_2")
    (framed_bank.spec.folder / "transactions_20260302.csv").unlink()
    framed_bank.run(MONDAY, layers=("daily",))
    assert framed_bank.errors() == ""
    assert account(framed_bank)[-1] == ("transactions_20260302_2.csv", 36, 31, 1, 4)
    assert framed_bank.failed_checks("row_account") == set()


def test_lines_of_fixed_width_are_published_or_quarantined_with_their_line(fixed_width_bank: Platform) -> None:
    fields = [line(number, MONDAY).strip().split(";") for number in range(30)]
    lines = ["".join(v.ljust(w) for v, w in zip(f, WIDTHS.values(), strict=True)) for f in fields]
    fixed_width_bank.deliver(MONDAY, "\n".join(["ID  CRDSHOP", *lines, lines[0][:-1], "99000031"]) + "\n")
    fixed_width_bank.run(MONDAY, layers=("daily",))
    assert fixed_width_bank.errors() == ""
    assert account(fixed_width_bank) == [("transactions_20260302.csv", 33, 30, 1, 2)]
    (bad,) = fixed_width_bank.table("quarantined_transactions", ("reasons", "_row_number"))
    assert bad == {"reasons": "record_cannot_be_split", "_row_number": 32}
    (published,) = fixed_width_bank.table("cleaned_transactions", ("count(*)", "sum(amount) AS total"))
    assert [str(value) for value in published.values()] == ["30", "-375.0000"]
