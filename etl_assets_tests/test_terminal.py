"""What is printed of other people's names: neither the terminal nor the markup of our own tables obeys it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.table import Table
from typer.testing import CliRunner, Result

from etl_assets.cli import app
from etl_assets.deliveries.ledger import Ledger
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.terminal import VISIBLE, Terminal, fault
from etl_assets_tests.reads import read

ORDERS = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202egnp.exe\x08\x7f"
MARKUP = "[red]x[/red] [/bold] [link=http://example.com]y[/link] \\[z"


def shown(*things: object) -> str:
    screen = Terminal(file=io.StringIO(), width=120, highlight=False)
    screen.print(*things, markup=False)
    written = screen.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(written, str)
    return written


def test_a_terminal_gets_no_order_that_is_not_our_own() -> None:
    table = Table("name")
    table.add_row(ORDERS)
    for text in (shown(ORDERS), shown(table)):
        assert not set(text) & set(map(chr, VISIBLE))
        assert "�[2J" in text


def test_our_own_colours_and_other_peoples_letters_stay() -> None:
    screen = Terminal(file=io.StringIO(), force_terminal=True, width=80)
    screen.print("[red]Ärger[/red] 取引\u200d\tx\nنص")
    text = screen.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b[31mÄrger\x1b[0m" in text
    assert "取引\u200d" in text
    assert "نص" in text


def test_brackets_of_a_message_are_no_styles(capsys: pytest.CaptureFixture[str]) -> None:
    fault(f"{MARKUP} {ORDERS}")
    said = capsys.readouterr().err
    assert MARKUP in said
    assert "\x1b" not in said


@pytest.fixture
def ledger(warehouse: PostgresWarehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One delivery whose name and problem are hostile, behind the doors of the commands."""
    hostile = read(f"{MARKUP}{ORDERS}.csv", problem=f"{MARKUP} {ORDERS}")
    Ledger(warehouse, "nordbank").record([hostile], "run")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ETL_WAREHOUSE_URL", warehouse.url)
    monkeypatch.delenv("ETL_INSTITUTIONS", raising=False)


@pytest.mark.usefixtures("ledger")
def test_the_ledger_shows_hostile_names_as_they_are_written() -> None:
    said = run("deliveries", "nordbank")
    assert "[red]x[/red]" in said.stdout
    assert "[/bold]" in said.stdout
    assert not set(said.stdout) & set(map(chr, VISIBLE))


def test_a_check_shows_hostile_values_as_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    titles = f"id;date;merchant;amount;{MARKUP}{ORDERS}"
    rows = "".join(f"n{n};0{n}.03.2026;{MARKUP}{ORDERS};-{n},50;x\n" for n in range(1, 9))
    (tmp_path / "tx_20260308.csv").write_text(f"{titles}\n{rows}n9;{MARKUP};{ORDERS};x;y\n")
    made = run("init", "tx_20260308.csv", "--name", "bank_x", "--currency", "EUR", "--time-zone", "Europe/Berlin")
    assert made.exit_code == 0, made.output
    said = run("check", str(tmp_path / "institutions" / "bank_x.yaml"), "tx_20260308.csv", "--rows", "9")
    assert "[red]x[/red]" in said.stdout.replace("\n", "")
    assert not set(made.stdout + said.stdout) & set(map(chr, VISIBLE))


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(app, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result
