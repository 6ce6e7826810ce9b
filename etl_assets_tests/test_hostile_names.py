"""Titles and file names that somebody else chose: SQL, terminals and editors take them for words, never for orders."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from etl_assets.deliveries.view import Wanted, ledger_rows
from etl_assets.repair.questions import Filter, Quarantine
from etl_assets.restatement.contents import Contents
from etl_assets_tests.bank import Platform
from etl_assets_tests.conftest import fresh_platform

DAY = date(2026, 3, 2)
NEXT = DAY + timedelta(days=1)
LONG = "Ärger mit dem Betrag, der in der Spalte daneben steht; 63 Bytes sind für einen Namen zu wenig"
TITLES = {
    "transaction_id": 'a"b',
    "account_id": "100 %",
    "counterparty_id": "$1",
    "event_at": "%s' OR 1=1 --",
    "amount": "{amount}\\",
}


def hostile(number: int, day: date, **fields: str) -> str:
    """A row with the key of the number; the titles of its fields are not its own fault."""
    values = {"account_id": "c1", "counterparty_id": "s1", "amount": "-12.50"} | fields
    event_at = f"{day} 10:{number // 60 % 60:02}:{number % 60:02}"
    row = (f"t{number}", values["account_id"], values["counterparty_id"], event_at, values["amount"])
    return ",".join((*row, "odd")) + "\n"


def header() -> str:
    spelt = [LONG if name == "counterparty_id" else title for name, title in TITLES.items()]
    return ",".join('"' + title.replace('"', '""') + '"' for title in (*spelt, "{und'eclared}%s\"")) + "\n"


@pytest.fixture(scope="module")
def platform(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Two days, the second with a correction of the first, a repeated row, and one that is wrong."""
    columns: dict[str, Any] = {name: {"source": title} for name, title in TITLES.items()}
    columns["counterparty_id"]["aliases"] = [LONG]
    columns["event_at"]["formats"] = ["%Y-%m-%d %H:%M:%S"]
    columns["amount"]["decimal_mark"] = "."
    overrides = {
        "columns": columns,
        "deliveries": {},
        "key": ["account_id", "transaction_id"],
        "duplicate_horizon_days": 2,
        "pass_through": [],
    }
    with fresh_platform(request, tmp_path_factory.mktemp("deliveries"), **overrides) as platform:
        rows = "".join(hostile(n, DAY) for n in range(40))
        platform.deliver(DAY, header() + rows)
        again = hostile(3, DAY) + hostile(4, DAY, amount="-99.00") + hostile(5, NEXT, amount="x", account_id="c2")
        platform.deliver(NEXT, header() + again + "".join(hostile(100 + n, NEXT) for n in range(40)))
        platform.run(DAY, NEXT, layers=("daily", "scores"))
        assert platform.errors() == ""
        yield platform


def test_every_layer_and_every_check_runs_on_hostile_titles(platform: Platform) -> None:
    accounts = platform.table("row_account", ("published", "invalid", "duplicate", "superseded"))
    assert [tuple(row.values()) for row in accounts] == [(39, 0, 0, 1), (41, 1, 1, 0)]
    assert len(platform.table("scored_transactions")) == 80
    assert platform.failed_checks("cleaned_transactions") == set()
    assert platform.failed_checks("raw_transactions") == set()


def test_a_restatement_asks_for_hostile_keys(platform: Platform) -> None:
    contents = Contents(platform.warehouse, platform.spec)
    assert contents.disagreeing([NEXT], contents.notes()) == set()
    assert set(contents.look([DAY, NEXT], {})) == {DAY, NEXT}


def test_a_quarantined_row_is_shown_under_hostile_titles(platform: Platform) -> None:
    quarantine = Quarantine(platform.warehouse, platform.spec)
    (row,) = quarantine.rows(Filter(disposition="invalid")).to_pylist()
    assert (row["column_name"], row["value"]) == (TITLES["amount"], "x")
    (raw,) = quarantine.delivered([(row["_delivery_id"], row["_row_number"])]).to_pylist()
    assert raw[TITLES["account_id"]] == "c2"
    assert quarantine.rows(Filter(reason="' OR true --")).num_rows == 0
    assert quarantine.rows(Filter(file="%")).num_rows == 0


def test_the_ledger_knows_hostile_titles(platform: Platform) -> None:
    rows = ledger_rows(platform.warehouse, platform.spec.institution, Wanted(None, None, "' OR true --", 10))
    assert rows == []
