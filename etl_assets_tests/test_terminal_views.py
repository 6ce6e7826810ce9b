"""What a person sees in a terminal of any width: nothing that is needed is cut off, and the next step can be copied."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from etl_assets.cli import _spec
from etl_assets.commands import institutions, institutions_view, quarantine_screens
from etl_assets.commands.hints import program
from etl_assets.institution_spec import SpecRefused, load_spec
from etl_assets.onboarding.draft import Draft, Guess
from etl_assets.repair.questions import Filter

PATTERN = r"government_procurement_card_transactions_(?P<business_date>\d{4}-\d{2}-\d{2})\.csv"
DELIVERY: dict[str, Any] = {
    "business_date": date(2026, 3, 8),
    "path": "inbox/2026/umsaetze_20260308_second_version.csv",
    "state": "corrected",
    "read_at": datetime(2026, 3, 9, 4, 5, tzinfo=UTC),
    "attempt": 2,
    "problem": None,
    "records_read": 1200,
    "published": 1190,
    "invalid": 3,
    "duplicate": 4,
    "superseded": 1,
    "control_lines": 2,
}


@pytest.fixture(params=[80, 120, 200])
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """A terminal of this width."""
    monkeypatch.setattr(institutions_view, "console", Console(width=request.param, highlight=False))
    monkeypatch.setattr(quarantine_screens, "_console", lambda: Console(width=request.param))
    return int(request.param)


def together(text: str) -> str:
    """The text without frames and breaks of lines."""
    return "".join("".join(c for c in text if c not in "│┃").split())


@pytest.mark.usefixtures("width")
def test_the_ledger_shows_every_count_and_the_whole_name(capsys: pytest.CaptureFixture[str]) -> None:
    institutions_view.print_ledger([DELIVERY])
    said = capsys.readouterr().out
    assert "…" not in said
    for fact in ("2026-03-08", "corrected", "1,200", "1,190", "second_version"):
        assert fact in together(said)


def test_the_ledger_keeps_to_two_lines_where_its_columns_find_no_room(
    width: int, capsys: pytest.CaptureFixture[str]
) -> None:
    institutions_view.print_ledger([DELIVERY])
    account = "1,200 records read = 1,190 published + 3 invalid + 4 duplicate + 1 superseded + 2 control lines"
    assert (account in capsys.readouterr().out) == (width < 150)


@pytest.mark.usefixtures("width")
def test_a_guess_is_shown_to_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    institutions_view.print_guesses(Draft([Guess(("deliveries", "file_name"), PATTERN)]), Path("bank_x.yaml"))
    said = capsys.readouterr().out
    assert "…" not in said
    assert r"\d{2}-\d{2})\.csv" in together(said.replace("likely", ""))


@pytest.mark.usefixtures("width")
def test_list_names_each_row_as_show_takes_it(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"business_date": date(2026, 3, 8), "file": "a" * 60, "reasons": "amount_is_missing", "_row_number": 62}
    rows = [row | {"_delivery_id": "65213484d05ac28d", "disposition": "invalid"}]
    counts = [{"business_date": date(2026, 3, 8), "disposition": "invalid", "reason": "amount_is_missing", "rows": 1}]
    quarantine_screens.overview(counts, rows, Filter(), "bank_x")
    assert "65213484d05ac28d 62\n" in capsys.readouterr().out


def test_a_record_as_delivered_shows_the_column_that_it_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    spec = load_spec(institutions.EXAMPLES / "nordbank.yaml")
    quarantine_screens.record("as delivered", {"Betrag": None, "_problem": None}, spec)
    said = capsys.readouterr().out
    assert "Betrag               (empty)" in said
    assert "_problem" not in said


def test_help_waits_for_neither_dagster_nor_torch() -> None:
    program = """
import sys
from etl_assets.cli import main
sys.argv = ["etl-assets", "--help"]
try:
    main()
except SystemExit:
    print([name for name in ("dagster", "torch", "duckdb", "polars") if name in sys.modules])
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "[]"


def test_an_own_institution_that_is_not_exported_is_pointed_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ETL_INSTITUTIONS", raising=False)
    (tmp_path / "institutions").mkdir()
    (tmp_path / "institutions" / "my_bank.yaml").touch()
    with pytest.raises(SpecRefused, match=f"export ETL_INSTITUTIONS={tmp_path / 'institutions'}"):
        _spec("my_bank")


def test_a_hint_can_be_copied_where_the_shell_does_not_find_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [".venv/bin/etl-assets", "init"])
    monkeypatch.setenv("PATH", os.devnull)
    assert program() == ".venv/bin/etl-assets"
    monkeypatch.setattr(sys, "argv", ["pytest"])
    assert program() == "etl-assets"
