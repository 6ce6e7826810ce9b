"""The engine behind `holds` reaches nothing but the rows that it is given, whatever the language lets through."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from etl_assets.row_expressions import _engine, doubt
from etl_assets_tests.test_row_expressions import BERLIN, COLUMNS

OUTSIDE = [
    "SELECT * FROM read_text('{file}')",
    "SELECT * FROM '{file}'",
    "SELECT * FROM glob('{folder}/*')",
    "SELECT getenv('HOME')",
    "COPY (SELECT 1) TO '{folder}/out.csv'",
    "ATTACH '{folder}/other.db'",
    "SELECT * FROM read_csv('https://127.0.0.1:1/x.csv')",
    "SELECT * FROM read_text('s3://bucket/x')",
    "INSTALL httpfs",
    "LOAD httpfs",
    "EXPORT DATABASE '{folder}/all'",
    "SET enable_external_access = true",
    "RESET enable_external_access",
]
BEHIND = [
    "text = 'x'; SELECT 1",
    "text = 'x'); SELECT (1 = 1",
    "text = 'x') FROM read_text('/etc/hostname') --",
    "FROM read_text('/etc/hostname')",
    "text = 'x' FROM rows",
    "text = 'x' WHERE true",
    "text = 'x' UNION SELECT true",
    "text = $$x$$ /*",
]


@pytest.mark.parametrize("statement", OUTSIDE)
def test_the_engine_opens_no_file_and_no_connection(statement: str, tmp_path: Path) -> None:
    (tmp_path / "file.csv").write_text("secret\n1\n")
    with _engine().cursor() as session, pytest.raises(duckdb.Error):
        session.execute(statement.format(file=tmp_path / "file.csv", folder=tmp_path)).fetchall()
    assert [path.name for path in tmp_path.iterdir()] == ["file.csv"]


@pytest.mark.parametrize("expression", BEHIND)
def test_nothing_can_stand_behind_an_expression(expression: str) -> None:
    assert doubt(expression, COLUMNS, BERLIN) is not None
