"""The corrections file goes through a spreadsheet and comes back with what a person typed and nothing else."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_assets.repair.correction_file import FileRefused, read, unmarked, written

SOURCES = ("id", "amount", "text")
FORMULAS = ('=HYPERLINK("http://x","y")', "+1", "-1,50", "@SUM(A1)", "\t=1", "\r=1", "|calc", "%x")
# What neither PostgreSQL nor a CSV file can hold does not get as far as quarantine.
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


def row(number: int = 2, **cells: str | None) -> dict[str, Any]:
    own = {"business_date": "2026-03-02", "_delivery_id": "d1", "_row_number": number, "_reasons": "r", "_record": None}
    return own | dict.fromkeys(SOURCES) | cells


def given_back(rows: list[dict[str, Any]], edited: str | None = None) -> list[dict[str, str]]:
    text = written(rows, SOURCES) if edited is None else edited
    lines = read("f.csv", text.encode(), SOURCES).lines
    return [
        {name: unmarked(cell, r[name]) for name, cell in line.cells.items()}
        for line, r in zip(lines, rows, strict=True)
    ]


@given(st.lists(st.tuples(*[texts | st.none()] * len(SOURCES)), max_size=4))
def test_what_was_delivered_comes_back_as_it_was(values: list[tuple[str | None, ...]]) -> None:
    rows = [row(n, **dict(zip(SOURCES, cells, strict=True))) for n, cells in enumerate(values, start=2)]
    assert given_back(rows) == [{name: r[name] or "" for name in SOURCES} for r in rows]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_begins_like_a_formula(text: str) -> None:
    content = written([row(text=text, id=text)], SOURCES).removeprefix("\ufeff")
    for cells in csv.reader(io.StringIO(content, newline="")):
        assert not [cell for cell in cells if cell[:1] in tuple("=+-@\t\r|%")]


def test_a_spreadsheet_may_take_the_apostrophes_away_and_use_semicolons() -> None:
    delivered = row(id="'quoted", amount="-1,50", text="'")
    edited = "_row_number;_delivery_id;id;amount;text\r\n2;d1;'quoted;-1,50;'\r\n"
    assert given_back([delivered], edited) == [{"id": "'quoted", "amount": "-1,50", "text": "'"}]


def test_a_typed_value_needs_no_apostrophe() -> None:
    assert given_back([row(amount="x")], "_delivery_id,_row_number,amount\n'd1,2,-7.00\n") == [{"amount": "-7.00"}]


def test_empty_lines_that_a_spreadsheet_leaves_do_not_matter() -> None:
    text = written([row()], SOURCES) + ",,,,,,,\r\n\r\n"
    assert len(read("f.csv", text.encode(), SOURCES).lines) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: expected a column _delivery_id"),
        ("_delivery_id,_row_number,colour\nd1,2,red\n", "line 1: column 3 ('colour') is no source column"),
        ("_delivery_id,_row_number,id,id\nd1,2,1,1\n", "line 1: column 4 ('id') stands there twice"),
        ("_delivery_id,_row_number,id\nd1,2\n", "line 2: expected 3 columns; found 2"),
        ("_delivery_id,_row_number,id\nd1,2,1\nd1,two,1\n", "line 3, column _row_number: expected a whole number"),
        ("_delivery_id,_row_number,id\nd1,2,1\nd1,2,9\n", "line 3: the record of line 2 once more"),
        ("_delivery_id,_row_number,id\nd1,2,a\0b\n", "line 2, column id: a value cannot hold a NUL"),
    ],
)
def test_a_wrong_file_is_refused_with_line_and_column(text: str, said: str) -> None:
    with pytest.raises(FileRefused, match=r"f\.csv: nothing was replayed") as refused:
        read("f.csv", text.encode(), SOURCES)
    assert said in str(refused.value)


def test_a_file_in_another_encoding_is_refused() -> None:
    with pytest.raises(FileRefused, match="expected UTF-8"):
        read("f.csv", "_delivery_id,_row_number,id\nd1,2,\xe9\n".encode("latin-1"), SOURCES)


def test_all_mistakes_are_told_at_once_but_not_hundreds() -> None:
    text = "_delivery_id,_row_number,id\n" + "d1,x,1\n" * 100
    with pytest.raises(FileRefused, match="and 80 more") as refused:
        read("f.csv", text.encode(), SOURCES)
    assert len(str(refused.value).splitlines()) == 22
