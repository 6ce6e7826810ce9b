"""`init`, `check`, `deliveries` and `schema` as a person meets them: output, files, exit codes."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from etl_assets.cli import app
from etl_assets.deliveries.ledger import Ledger, Read
from etl_assets.deliveries.view import Wanted, ledger_rows
from etl_assets.institution_spec import SpecRefused, load_spec
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse

GOOD = "id;date;merchant;amount\n" + "".join(f"n{d};0{d}.03.2026;Shop {d};-{d},50\n" for d in range(1, 9))
BAD = GOOD + "n9;31.02.2026;Shop 9;x\n"
INIT = ("--name", "bank_x", "--currency", "EUR", "--time-zone", "Europe/Berlin", "--owner", "team:a")


pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory without settings, but for two samples."""
    for name in ("ETL_INSTITUTIONS", "ETL_WAREHOUSE_URL", "ETL_DELIVERIES", "ETL_TOKEN_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tx_20260308.csv").write_text(GOOD)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "tx_20260308.csv").write_text(BAD)
    return tmp_path


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_init_writes_a_yaml_that_an_editor_and_the_platform_read(folder: Path) -> None:
    code, said = run("init", "tx_20260308.csv", *INIT)
    assert code == 0, said
    path = folder / "institutions" / "bank_x.yaml"
    text = path.read_text()
    assert text.startswith("# yaml-language-server: $schema=institution.schema.json\n")
    assert json.loads((path.parent / "institution.schema.json").read_text())["title"]
    spec = load_spec(path)
    assert (spec.start_date, spec.folder) == (date(2026, 3, 8), folder)
    assert spec.columns.amount.decimal_mark == ","
    assert "8 published, 0 invalid" in said


def test_each_question_is_a_comment_and_is_said(folder: Path) -> None:
    code, said = run("init", "tx_20260308.csv", "--name", "bank_x")
    assert code == 0, said
    text = (folder / "institutions" / "bank_x.yaml").read_text()
    assert text.count("# QUESTION:") == int(said.split(" questions, as comments")[0].split()[-1])
    assert "Which currency?" in text
    assert "Which currency?" in said


def test_a_currency_that_nobody_named_publishes_nothing() -> None:
    run("init", "tx_20260308.csv", "--name", "bank_x")
    code, said = run("check", "bank_x", "tx_20260308.csv")
    assert code == 1
    assert "8 currency_is_unknown" in said


def test_init_never_writes_over_a_file_unless_it_is_told_to(folder: Path) -> None:
    path = folder / "institutions" / "bank_x.yaml"
    path.parent.mkdir()
    path.write_text("mine")
    with pytest.raises(SpecRefused, match="--force"):
        run("init", "tx_20260308.csv", *INIT)
    assert path.read_text() == "mine"
    assert run("init", "tx_20260308.csv", *INIT, "--force")[0] == 0
    assert yaml.safe_load(path.read_text())["institution"] == "bank_x"


def test_a_name_that_cannot_be_one_is_refused_before_anything_is_written(folder: Path) -> None:
    with pytest.raises(SpecRefused, match="small letters"):
        run("init", "tx_20260308.csv", "--name", "Bank X")
    assert not (folder / "institutions").exists()


def test_check_shows_what_maps_where_and_ends_with_0_for_a_clean_file() -> None:
    run("init", "tx_20260308.csv", *INIT)
    code, said = run("check", "bank_x", "tx_20260308.csv")
    assert code == 0, said
    assert "2026-03-01 00:00:00+01:00 ← 01.03.2026" in said
    assert "-1.5000 ← -1,50" in said
    assert "9 records read, 8 published" in said


def test_check_names_line_column_value_and_reason_and_ends_with_1(folder: Path) -> None:
    run("init", "tx_20260308.csv", *INIT)
    code, said = run("check", str(folder / "institutions" / "bank_x.yaml"), "bad/tx_20260308.csv")
    assert code == 1
    assert "1 invalid" in said
    assert "amount_is_not_a_number, event_at_is_not_a_time" in " ".join(said.replace("│", " ").split())
    assert "A run would keep the whole day back" in said


def test_check_as_json_has_the_same_for_programs() -> None:
    run("init", "tx_20260308.csv", *INIT)
    code, said = run("check", "bank_x", "bad/tx_20260308.csv", "--json")
    found = json.loads(said)
    assert code == 1
    assert found["account"] == {
        "records_read": 10, "published": 8, "invalid": 1, "duplicate": 0, "superseded": 0, "control_lines": 1,
    }  # fmt: skip
    assert found["quarantined"][0]["line"] == 10
    assert found["business_date"] == "2026-03-08"


def test_check_says_why_a_whole_file_is_refused(folder: Path) -> None:
    run("init", "tx_20260308.csv", *INIT)
    (folder / "tx_20260310.csv").write_text("id;datum;merchant;amount\n1;01.03.2026;a;1\n")
    code, said = run("check", "bank_x", "tx_20260310.csv")
    assert code == 1
    assert "column 'date' is missing" in said


def test_check_shows_columns_that_nobody_reads(folder: Path) -> None:
    run("init", "tx_20260308.csv", *INIT)
    (folder / "tx_20260310.csv").write_text(GOOD.replace("amount\n", "amount;shoe size\n").replace("50\n", "50;44\n"))
    assert "Nobody reads: shoe size" in run("check", "bank_x", "tx_20260310.csv")[1]


def test_check_takes_the_date_that_is_given_where_the_name_has_none(folder: Path) -> None:
    run("init", "tx_20260308.csv", *INIT)
    (folder / "export.csv").write_text(GOOD)
    assert json.loads(run("check", "bank_x", "export.csv", "--json")[1])["business_date"] == "2026-03-08"
    found = json.loads(run("check", "bank_x", "export.csv", "--date", "2026-03-10", "--json")[1])
    assert (found["business_date"], found["names_its_date"]) == ("2026-03-10", False)


def test_an_unknown_institution_is_answered_with_those_that_exist() -> None:
    with pytest.raises(SpecRefused, match=r"bank_y.*kartenhaus, mercado, nordbank"):
        run("check", "bank_y", "tx_20260308.csv")


def test_deliveries_without_a_database_says_what_makes_one() -> None:
    code, said = run("deliveries", "nordbank")
    assert code == 0
    assert "No delivery of nordbank is in the ledger" in said


def read(day: int, problem: str | None = None) -> Read:
    return Read(
        delivery_id=f"d{day}",
        business_date=date(2026, 3, day),
        path=f"tx_{day}.csv",
        size_bytes=10,
        content_sha256=f"h{day}",
        delivered_at=datetime(2026, 3, day + 1, tzinfo=UTC),
        records_read=0 if problem else 8,
        control_lines=0 if problem else 1,
        problem=problem,
    )


def test_the_ledger_is_shown_newest_first_with_states_and_problems(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETL_WAREHOUSE_URL", database)
    Ledger(PostgresWarehouse(url=database), "nordbank").record([read(2), read(3, "it is empty")], "run-1")
    code, said = run("deliveries", "nordbank")
    assert code == 0
    assert said.index("tx_3.csv") < said.index("tx_2.csv")
    assert "tx_3.csv: it is empty" in said
    rejected = json.loads(run("deliveries", "nordbank", "--state", "rejected", "--json")[1])
    assert [row["path"] for row in rejected] == ["tx_3.csv"]
    assert json.loads(run("deliveries", "nordbank", "--to", "2026-03-02", "--json")[1])[0]["path"] == "tx_2.csv"
    assert len(ledger_rows(PostgresWarehouse(url=database), "nordbank", Wanted(limit=1))) == 1


def test_the_schema_is_printed_or_written(folder: Path) -> None:
    code, said = run("schema")
    assert code == 0
    assert json.loads(said)["$defs"]["Deliveries"]
    assert run("schema", "s.json")[0] == 0
    assert json.loads((folder / "s.json").read_text()) == json.loads(said)
