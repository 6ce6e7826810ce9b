"""One sheet of a workbook, `.xlsx` or legacy `.xls`: cells as canonical text, so that all formats look alike.

A merged area has its value in its first cell only. What a cell of a `.xlsx` hides (errors, formulas that nobody
calculated) belongs to `excel_package.py`; in an `.xls` the reader shows an error as an empty cell.
"""

from __future__ import annotations

import io
import json
import pickle
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.sources import excel_child
from etl_assets.sources.excel_legacy import refuse_cut_off
from etl_assets.sources.excel_package import Cells, inspected
from etl_assets.sources.layout import DeliveryRejected, Layout, Reading, laid_out
from etl_assets.sources.text_values import problem_of
from etl_assets.spec.formats import Excel

NO_SHEET = ""  # no sheet can be called so
FIRST_INEXACT = 10**15  # Excel keeps 15 digits and writes zeros for the rest

Cell = str | bool | int | float | datetime | date | time | timedelta
KINDS: Mapping[type, str] = {
    **dict.fromkeys((int, float), "number"),
    **dict.fromkeys((datetime, date, time), "time"),
    str: "text",
    bool: "boolean",
    timedelta: "duration",
}


def read_excel(original: bytes, spec: InstitutionSpec) -> Reading:
    """Every row of the sheet that the spec names, numbered as Excel numbers them; empty rows are control lines."""
    settings = spec.deliveries.excel
    if settings is None:
        raise ValueError("the spec has no deliveries.excel")
    cells, hidden = _sheet(original, settings, spec.deliveries.archives.max_expanded_bytes)
    first = _header_row(cells, settings)
    titles = [as_text(cell) or "" for cell in cells[first]]
    kinds = [_kind(row[position] for row in cells[first + 1 :]) for position in range(len(titles))]
    layout = laid_out(titles, spec, kinds)
    numbers = [number for number in range(first + 1, len(cells)) if any(cell != "" for cell in cells[number])]
    numbers = sorted({*numbers, *(row for row in hidden if row > first)})
    limit = spec.deliveries.csv.max_field_bytes
    problems = {n: "; ".join(_problems(cells[n], hidden.get(n, {}), layout, limit)) for n in numbers}
    good = [n for n in numbers if not problems[n]]
    damaged = [_damaged(n, titles, cells[n], problems[n]) for n in numbers if problems[n]]
    columns = [[as_text(cells[n][position]) for n in good] for position in range(len(titles))]
    values = [pa.chunked_array([pa.array(column, pa.string())]) for column in columns]
    rows = layout.rows(values, np.array(good, np.int64) + 1, None)
    control_lines = len(cells) - len(numbers)
    return Reading(pa.concat_tables([rows, layout.damaged_rows(damaged)]), control_lines, layout.titles)


def as_text(cell: Cell) -> str | None:
    """The cell as text from which its value can be had back exactly; an empty cell is null."""
    if isinstance(cell, str):
        return cell or None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return _duration(cell)
    return repr(cell) if abs(cell) >= FIRST_INEXACT else _plain(Decimal(repr(cell)))


def _kind(cells: Iterable[Cell]) -> str:
    """The types that the column's cells have; nothing where all are empty."""
    return " or ".join(sorted({KINDS[type(cell)] for cell in cells if cell != ""}))


def _plain(number: Decimal) -> str:
    whole, _, part = format(number, "f").partition(".")
    part = part.rstrip("0")
    return f"{whole}.{part}" if part else whole


def _duration(cell: timedelta) -> str:
    seconds, rest = divmod(abs(cell), timedelta(seconds=1))
    sign = "-" if cell < timedelta() else ""
    part = f".{rest.microseconds:06}" if rest else ""
    return f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{part}"


def _sheet(original: bytes, settings: Excel, max_bytes: int) -> tuple[list[list[Cell]], Mapping[int, Cells]]:
    """All rows from the first of the sheet on, each as wide as the widest, and what the reader does not show of them.

    Raises: DeliveryRejected, if it is no workbook, is encrypted or has no such sheet.
    """
    refuse_cut_off(original)
    sheet = _name(original, settings, max_bytes)
    hidden = inspected(original, sheet, max_bytes)
    kind, found = _answer(original, sheet)
    if kind == "sheets":
        raise DeliveryRejected(
            f"there is no sheet {settings.sheet!r}, only ", found, "; correct deliveries.excel.sheet"
        )
    if kind == "encrypted":
        raise DeliveryRejected("the workbook is encrypted; ask for it without a password")
    if kind == "broken":
        raise DeliveryRejected("it is no complete workbook (", found, "); ask for the file again")
    cells: list[list[Cell]] = found
    width = len(cells[0]) if cells else 0
    below: list[list[Cell]] = [[""] * width for _ in range(max(hidden, default=-1) + 1 - len(cells))]
    return cells + below, hidden


def _name(original: bytes, settings: Excel, max_bytes: int) -> str:
    """What the sheet is called in this workbook; `settings.sheet` where nothing matches, which then is not there.

    Raises: DeliveryRejected, if several match, since the others may hold what is not for us.
    """
    if settings.sheet_matches is None:
        return settings.sheet
    inspected(original, settings.sheet, max_bytes)
    kind, found = _answer(original, NO_SHEET)
    names = found if kind == "sheets" else []
    matching = [name for name in names if re.fullmatch(settings.sheet_matches, name)]
    if settings.sheet not in names and len(matching) > 1:
        raise DeliveryRejected("the sheets ", matching, " all match deliveries.excel.sheet_matches; let it match one")
    return settings.sheet if settings.sheet in names else next(iter(matching), settings.sheet)


def _answer(original: bytes, sheet: str) -> tuple[str, Any]:
    """What a process of its own says of the workbook: a damaged one can end the process that opens it."""
    child = subprocess.run(  # noqa: S603  our own file, and the name of a sheet as an argument
        [sys.executable, "-I", excel_child.__file__, sheet], input=original, capture_output=True, check=False
    )
    if child.returncode:
        return "broken", "it ends its reader or wants more than 4 GiB"
    kind, found = _Cells(io.BytesIO(child.stdout)).load()
    return kind, found


class _Cells(pickle.Unpickler):
    """Values of cells only: who has taken over the process that opens a stranger's workbook shall not have this one."""

    def find_class(self, module: str, name: str) -> Any:
        if module != "datetime":
            raise pickle.UnpicklingError(f"{module}.{name} is no value of a cell")
        return super().find_class(module, name)


def _header_row(cells: Sequence[Sequence[Cell]], settings: Excel) -> int:
    filled = (number for number, row in enumerate(cells) if any(cell != "" for cell in row))
    found = next(filled, None) if settings.header_row is None else settings.header_row - 1
    if found is None:
        raise DeliveryRejected(f"the sheet {settings.sheet!r} is empty; expected a header. Ask for the file again")
    if found >= len(cells):
        raise DeliveryRejected(f"the sheet has {len(cells)} rows and deliveries.excel.header_row is {found + 1}")
    return found


def _problems(row: Sequence[Cell], hidden: Cells, layout: Layout, max_bytes: int) -> Iterator[str]:
    """Everything that keeps the row from being read as it is; a number too long counts where it is declared."""
    declared = {position: name for name, position in layout.declared.items()}
    names = declared | {position: name for name, position in layout.undeclared.items()}
    for position, cell in enumerate(row):
        name = names[position]
        if position in hidden and position in declared:
            yield f"{name} holds {hidden[position]}"
        if isinstance(cell, str) and (problem := problem_of(name, cell, max_bytes)):
            yield problem
        if isinstance(cell, int | float) and abs(cell) >= FIRST_INEXACT and position in declared:
            yield f"{name} is a number of which Excel keeps 15 digits; ask for the column as text"


def _damaged(number: int, titles: Sequence[str], row: Sequence[Cell], problem: str) -> dict[str, object]:
    record = json.dumps([[title, as_text(cell)] for title, cell in zip(titles, row, strict=True)])
    return {"_row_number": number + 1, "_problem": problem, "_record": record.encode()}
