"""The command line as a person meets it: answers, clear errors, exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = "from etl_assets.cli import main; main()"


def etl_assets(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """The program run in `folder` with these settings beside the usual ones."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("ETL_")}
    command = [sys.executable, "-c", PROGRAM, *arguments]
    environment = {**own, "PYTHONPATH": str(Path(__file__).parents[1]), **settings}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_dictionary_names_every_table_with_its_columns(tmp_path: Path) -> None:
    said = etl_assets(tmp_path, "dictionary", "nordbank")
    assert said.returncode == 0, said.stderr
    for table in ("deliveries", "raw", "cleaned", "quarantined", "featured", "scored"):
        assert f"### {table}" in said.stdout
    assert "| `amount` | decimal128(24, 4), required | currency |" in said.stdout


@pytest.mark.parametrize("command", [("dictionary", "nordbnk"), ("backfill", "nordbnk", "2026-03-02", "2026-03-03")])
def test_an_unknown_institution_is_answered_with_those_that_exist(tmp_path: Path, command: tuple[str, ...]) -> None:
    said = etl_assets(tmp_path, *command)
    assert said.returncode == 2
    assert "kartenhaus, mercado, nordbank" in said.stderr
    assert "Traceback" not in said.stderr


def test_a_server_that_does_not_answer_is_one_message_without_the_password(tmp_path: Path) -> None:
    said = etl_assets(tmp_path, "up", ETL_POSTGRES_URL="postgresql://etl:topsecret@127.0.0.1:9/postgres")
    assert said.returncode == 2
    assert "127.0.0.1" in said.stderr
    assert "topsecret" not in said.stdout + said.stderr
    assert "Traceback" not in said.stderr


def test_a_wrong_yaml_is_refused_with_file_and_field(tmp_path: Path) -> None:
    (tmp_path / "bank_x.yaml").write_text("institution: Bank X\n")
    said = etl_assets(tmp_path, "dictionary", "bank_x", ETL_INSTITUTIONS=str(tmp_path))
    assert said.returncode == 2
    assert "bank_x.yaml" in said.stderr
    assert "time_zone" in said.stderr


def test_a_backfill_on_a_given_server_publishes_and_says_so(tmp_path: Path, database: str) -> None:
    """The whole command on a server of the user's own, with the demo's smallest bank for three days."""
    from etl_assets.simulator import simulate

    project = Path(__file__).parents[1]
    (tmp_path / "dagster.yaml").write_text((project / "dagster.yaml").read_text())
    simulate(tmp_path / "deliveries", days=3)
    folders = {"ETL_DELIVERIES": str(tmp_path / "deliveries"), "ETL_STATE": str(tmp_path / "state")}
    said = etl_assets(tmp_path, "backfill", "mercado", "2026-03-02", "2026-03-04", ETL_POSTGRES_URL=database, **folders)
    assert said.returncode == 0, said.stdout + said.stderr
    assert [line.split()[0] for line in said.stdout.splitlines() if " ok " in line] == ["daily", "weekly", "scores"]
    assert not (tmp_path / "state" / "postgres").exists()
    nothing = etl_assets(
        tmp_path, "backfill", "mercado", "2025-01-01", "2025-01-02", ETL_POSTGRES_URL=database, **folders
    )
    assert nothing.returncode == 2
    assert "begins on 2026-03-02" in " ".join(nothing.stderr.replace("│", " ").split())
