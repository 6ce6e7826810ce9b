"""A sheet that is called otherwise in other files: found by its pattern, and never a guess between two."""

from __future__ import annotations

import io

import openpyxl
import pytest
from pydantic import ValidationError

from etl_assets.sources.excel import read_excel
from etl_assets.sources.layout import DeliveryRejected
from etl_assets_tests.specs import MINIMAL, minimal_spec

SPEC = minimal_spec(
    deliveries={"format": "excel", "excel": {"sheet": "Payments", "sheet_matches": r"[A-Z]{3} \d{4}"}},
)
HEADER = [column["source"] for column in MINIMAL["columns"].values() if "source" in column]


def amounts(*sheets: str) -> list[str]:
    """The amounts that are read from a workbook of these sheets; that of the nth sheet is n."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, name in enumerate(sheets, start=1):
        sheet = book.create_sheet(name)
        sheet.append(HEADER)
        sheet.append([str(number)] * len(HEADER))
    content = io.BytesIO()
    book.save(content)
    found: list[str] = read_excel(content.getvalue(), SPEC).rows["amount"].to_pylist()
    return found


def test_the_sheet_that_is_named_comes_first() -> None:
    assert amounts("APR 2014", "MAY 2014", "Payments") == ["3"]


def test_else_the_only_one_that_matches_is_read() -> None:
    assert amounts("Salaries", "MAY 2014", "MAY 2014 draft") == ["2"]


def test_two_that_match_are_no_answer() -> None:
    with pytest.raises(DeliveryRejected, match=r"the sheets \['APR 2014', 'MAY 2014'\] all match .*; let it match one"):
        amounts("APR 2014", "MAY 2014")


def test_a_workbook_without_either_is_refused() -> None:
    with pytest.raises(DeliveryRejected, match=r"there is no sheet 'Payments', only \['Salaries'\]"):
        amounts("Salaries")


def test_what_is_no_pattern_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"sheet_matches\s+Value error, expected a regular expression"):
        minimal_spec(deliveries={"format": "excel", "excel": {"sheet": "a", "sheet_matches": "("}})
