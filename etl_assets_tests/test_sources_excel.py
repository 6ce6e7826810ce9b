"""A sheet of a workbook reads like any other delivery: what Excel has lost is refused, nothing is made up."""

from __future__ import annotations

import io
import pickle
import subprocess
import zipfile
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from etl_assets.sources import excel_child
from etl_assets.sources.excel import as_text, read_excel
from etl_assets.sources.layout import DeliveryRejected, Reading
from etl_assets.sources.reading import read_delivery
from etl_assets_tests.specs import minimal_spec

SPEC = minimal_spec(deliveries={"format": "excel", "excel": {"sheet": "Payments"}})
HEADER = ["transaction_id", "account_id", "counterparty_id", "event_at", "amount"]
GOOD = ["1", "a", "b", "2024-01-01 00:00:00", 5]
CONFIDENTIAL = "the salary of a colleague"


def workbook(rows: Sequence[Sequence[Any]], sheet: str = "Payments") -> bytes:
    book = openpyxl.Workbook()
    book.active.title = sheet
    for row in rows:
        book.active.append(row)
    book.create_sheet("Salaries").append([CONFIDENTIAL])
    return saved(book)


def saved(book: openpyxl.Workbook) -> bytes:
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def read(*rows: Sequence[Any]) -> Reading:
    return read_excel(workbook([HEADER, *rows]), SPEC)


def patched(content: bytes, part: str, old: bytes, new: bytes) -> bytes:
    """The package with one part of it changed."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as package, zipfile.ZipFile(result, "w") as changed:
        for name in package.namelist():
            held = package.read(name)
            assert old in held or name != part
            changed.writestr(name, held.replace(old, new) if name == part else held)
    return result.getvalue()


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (12, "12"),
        (12.5, "12.5"),
        (0.1, "0.1"),
        (-0.07, "-0.07"),
        (1e-7, "0.0000001"),
        (999_999_999_999_999, "999999999999999"),
        ("0012", "0012"),
        (" a ", " a "),
        (None, None),
        (True, "true"),
        (date(2024, 1, 2), "2024-01-02"),
        (datetime(2024, 1, 2, 3, 4, 5), "2024-01-02T03:04:05"),  # noqa: DTZ001
        (time(3, 4), "03:04:00"),
        (timedelta(hours=30), "30:00:00"),
    ],
)
def test_a_cell_is_text_without_invented_digits(cell: Any, expected: str | None) -> None:
    (row,) = read([*GOOD[:4], cell]).rows.to_pylist()
    assert (row["amount"], row["_problem"]) == (expected, None)


@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_can_be_had_back_exactly(number: float) -> None:
    text = as_text(number)
    assert float(text or "") == number
    assert Decimal(text or "") == Decimal(repr(number))


@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(
        st.lists(
            st.none() | st.booleans() | st.integers(-(10**14), 10**14) | st.text("aé<&> \n").map("x{}".format),
            max_size=5,
        ),
        max_size=6,
    )
)
def test_any_rows_come_back_with_their_numbers(rows: list[list[Any]]) -> None:
    filled = [number for number, row in enumerate(rows, start=2) if any(cell is not None for cell in row)]
    reading = read(*rows)
    assert reading.rows["_row_number"].to_pylist() == filled
    written = [[*rows[number - 2], *[None] * 5][:5] for number in filled]
    expected = [[str(c).lower() if isinstance(c, bool) else c if c is None else str(c) for c in row] for row in written]
    assert [[row[name] for name in HEADER] for row in reading.rows.to_pylist()] == expected
    assert reading.control_lines == 1 + max([n - 1 for n in filled], default=0) - len(filled)


@pytest.mark.parametrize("cell", [3.53e18, 4_111_111_111_111_110, -(10**15)])
def test_a_number_that_excel_has_rounded_is_a_damaged_record(cell: float) -> None:
    good, damaged = read([cell, *GOOD[1:]], GOOD).rows.to_pylist()
    assert (good["_row_number"], damaged["_row_number"]) == (3, 2)
    assert "transaction_id is a number of which Excel keeps 15 digits" in damaged["_problem"]
    assert repr(float(cell)).encode() in damaged["_record"]


def test_such_a_number_where_nobody_reads_it_stays_visible() -> None:
    reading = read_excel(workbook([[*HEADER, "merchant"], [*GOOD, 3.53e18]]), SPEC)
    assert reading.rows["_extra"].to_pylist() == ['{"merchant":"3.53e+18"}']


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        ("#N/A", "amount holds the error #N/A"),
        ("=1/0", "amount holds a formula without its result"),
        ("x" * 32_767, None),
    ],
)
def test_what_a_reader_shows_as_an_empty_cell_is_told_apart(cell: str, problem: str | None) -> None:
    (row,) = read([*GOOD[:4], cell]).rows.to_pylist()
    assert row["_problem"] == problem


def test_a_row_of_nothing_but_errors_is_a_record() -> None:
    reading = read(GOOD, [], [None] * 4 + ["#REF!"])
    assert reading.rows["_problem"].to_pylist() == [None, "amount holds the error #REF!"]
    assert (reading.rows["_row_number"].to_pylist(), reading.control_lines) == ([2, 4], 2)


def test_titles_and_empty_rows_are_control_lines_and_rows_keep_their_numbers() -> None:
    rows = [["Bank of Tests"], [], ["", *HEADER], [], ["", *GOOD], [None], ["note", *GOOD]]
    spec = minimal_spec(deliveries={"format": "excel", "excel": {"sheet": "Payments", "header_row": 3}})
    reading = read_excel(workbook(rows), spec)
    assert reading.rows["_row_number"].to_pylist() == [5, 7]
    assert (reading.control_lines, reading.records_read) == (5, 7)
    assert reading.rows["_extra"].to_pylist() == ['{"(column 1)":null}', '{"(column 1)":"note"}']


def test_a_merged_area_has_its_value_once() -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook([HEADER, GOOD, GOOD])))
    book["Payments"].merge_cells("B2:B3")
    assert read_excel(saved(book), SPEC).rows["account_id"].to_pylist() == ["a", None]


def test_another_sheet_is_never_read(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(workbook([HEADER, GOOD], sheet="Zahlungen"))
    with pytest.raises(DeliveryRejected) as rejection:
        read_delivery(path.name, path.read_bytes(), SPEC)
    assert "a.xlsx: there is no sheet 'Payments', only ['Zahlungen', 'Salaries']; correct" in str(rejection.value)
    assert CONFIDENTIAL not in str(rejection.value)
    assert CONFIDENTIAL not in str(read(GOOD).rows.to_pylist())


def test_a_stray_cell_far_away_is_refused_before_it_takes_all_memory() -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook([HEADER, GOOD])))
    book["Payments"]["XFD1048576"] = "stray"
    with pytest.raises(DeliveryRejected, match=r"reaches to row 1048576 and column 16384, .*without it"):
        read_excel(saved(book), SPEC)
    book["Payments"]["XFD1048576"] = None
    book["Salaries"]["XFD1048576"] = "stray"
    assert read_excel(saved(book), SPEC).rows.num_rows == 1


def test_a_workbook_that_expands_beyond_the_limit_is_refused() -> None:
    content = workbook([HEADER, *[GOOD] * 12_000])
    spec = minimal_spec(
        deliveries={"format": "excel", "excel": {"sheet": "Payments"}, "archives": {"max_expanded_mb": 1}}
    )
    with pytest.raises(DeliveryRejected, match=r"expands to 3 MiB; .*max_expanded_mb"):
        read_excel(content, spec)


@pytest.mark.parametrize("content", [b"nothing", workbook([HEADER, GOOD])[:-40], b"PK\x05\x06" + bytes(18)])
def test_what_is_no_workbook_is_rejected(content: bytes) -> None:
    with pytest.raises(DeliveryRejected, match=r"no complete workbook|neither .xlsx nor .xls"):
        read_excel(content, SPEC)


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_no_bytes_break_the_reader(data: st.DataObject) -> None:
    content = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert read_excel(bytes(content), SPEC).records_read >= 0
    except DeliveryRejected:
        return


def test_a_damaged_workbook_that_ends_its_reader_is_rejected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    abort = tmp_path / "abort.py"
    abort.write_text("import os\nos.abort()\n")
    monkeypatch.setattr(excel_child, "__file__", str(abort))
    with pytest.raises(DeliveryRejected, match=r"no complete workbook \(it ends its reader .*ask for the file again"):
        read(GOOD)


def test_a_missing_column_and_an_empty_sheet_are_rejected() -> None:
    with pytest.raises(DeliveryRejected, match="column 'amount' is missing"):
        read_excel(workbook([HEADER[:4], GOOD[:4]]), SPEC)
    with pytest.raises(DeliveryRejected, match="the sheet 'Payments' is empty; expected a header"):
        read_excel(workbook([]), SPEC)
    spec = minimal_spec(deliveries={"format": "excel", "excel": {"sheet": "Payments", "header_row": 9}})
    with pytest.raises(DeliveryRejected, match=r"the sheet has 2 rows and deliveries.excel.header_row is 9"):
        read_excel(workbook([HEADER, GOOD]), spec)


def test_errors_without_a_place_are_rejected() -> None:
    content = workbook([HEADER, [*GOOD[:4], "#N/A"]])
    content = patched(content, "xl/worksheets/sheet1.xml", b'<c r="E2" t="e">', b'<c t="e">')
    with pytest.raises(DeliveryRejected, match="do not say where they are"):
        read_excel(content, SPEC)


@pytest.mark.parametrize("deliveries", [{"format": "excel"}, {"excel": {"sheet": "a"}}])
def test_a_spec_names_the_sheet_of_its_workbooks(deliveries: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"together with `excel: \{sheet: NAME\}`"):
        minimal_spec(deliveries=deliveries)


WHOLE = workbook([HEADER, GOOD, GOOD])


def test_what_the_opening_process_says_can_be_values_and_nothing_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    orders = pickle.dumps(("cells", subprocess.check_output))
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0, orders))
    with pytest.raises(pickle.UnpicklingError, match=r"subprocess\.check_output is no value of a cell"):
        read(["id"], ["1"])
