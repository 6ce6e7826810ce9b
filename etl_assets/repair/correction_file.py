"""Quarantined rows as a CSV file that a person edits in a spreadsheet, and that file read back.

Text in, text out. What is then done with a row belongs to `replay.py`.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etl_assets.repair.repairs import Key

OWN = ("business_date", "_delivery_id", "_row_number", "_reasons", "_record")
MARK = "'"
MOST_MISTAKES = 20
Cells = Mapping[str, str]


class FileRefused(ValueError):  # noqa: N818  the refusal is the fact
    """A corrections file cannot be used; the message names file, line and column and quotes no value."""


@dataclass(frozen=True)
class Line:
    """One row of the file: the record that it is about, and the text of its source columns as it stands there."""

    number: int
    key: Key
    cells: Cells


@dataclass(frozen=True)
class CorrectionFile:
    """A corrections file as it was read."""

    name: str
    sha256: str
    lines: tuple[Line, ...]


def written(rows: Iterable[Mapping[str, Any]], sources: Sequence[str]) -> str:
    """The file: a line per row, its `sources` as they stand.

    Every text begins with an apostrophe. A spreadsheet then shows it and neither executes it as a formula nor makes a
    date of 1-2, 12.5 of 12.50 or 3.53E+18 of an account: each would come back as another value that nobody typed.
    """
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow([*OWN, *map(_marked_title, sources)])
    for row in rows:
        writer.writerow([_cell(row[name]) for name in (*OWN, *sources)])
    return "\ufeff" + file.getvalue()


def read(name: str, content: bytes, sources: Sequence[str]) -> CorrectionFile:
    """The lines of a file that `written` wrote and a person edited, in any order of columns and rows.

    Apostrophes that a spreadsheet took away do not matter, columns that are left out stay as they are, and the
    separator is whatever follows the first title.

    Raises: FileRefused, for all mistakes at once.
    """
    text = _text(name, content)
    titles, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text)) if text.strip() else [[]]
    plain = [title.removeprefix(MARK) for title in titles]
    mistakes = [f"line 1: {problem}" for problem in _title_problems(plain, sources)]
    lines: list[Line] = []
    for number, cells in enumerate(rows if not mistakes else [], start=2):
        if any(cells):
            lines += _line(number, plain, cells, sources, mistakes)
    mistakes += _repeated(lines)
    refused(name, mistakes)
    return CorrectionFile(name, hashlib.sha256(content).hexdigest(), tuple(lines))


def unmarked(cell: str, standing: str | None) -> str:
    """The value that a cell means: without our apostrophe, but with one of the value's own that a spreadsheet left."""
    return cell if cell == (standing or "") else cell.removeprefix(MARK)


def refused(name: str, mistakes: Sequence[str]) -> None:
    """Raises: FileRefused where there is a mistake."""
    if mistakes:
        more = len(mistakes) - MOST_MISTAKES
        said = [*mistakes[:MOST_MISTAKES], *([f"and {more} more"] if more > 0 else [])]
        raise FileRefused("\n  ".join([f"{name}: nothing was replayed", *said]))


def _cell(value: object) -> str:
    return f"{MARK}{value}" if value is not None and not isinstance(value, int) else str(value or "")


def _marked_title(title: str) -> str:
    return title if title[:1].isalpha() else f"{MARK}{title}"


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileRefused(f"{name}: expected UTF-8, byte {error.start} is not; save it as CSV UTF-8") from None


def _separator(text: str) -> str:
    head = text.splitlines()[0]
    return max(",;\t", key=head.count)


def _title_problems(titles: Sequence[str], sources: Sequence[str]) -> Iterable[str]:
    for name in ("_delivery_id", "_row_number"):
        if name not in titles:
            yield f"expected a column {name}, which says what record a line is about"
    for place, title in enumerate(titles, start=1):
        if title not in {*OWN, *sources}:
            yield f"column {place} ({title!r}) is no source column; expected one of {', '.join(sources)}"
        elif title in titles[: place - 1]:
            yield f"column {place} ({title!r}) stands there twice"


def _line(
    number: int, titles: Sequence[str], cells: Sequence[str], sources: Sequence[str], mistakes: list[str]
) -> list[Line]:
    if len(cells) != len(titles):
        mistakes.append(f"line {number}: expected {len(titles)} columns; found {len(cells)}")
        return []
    row = dict(zip(titles, cells, strict=True))
    row_number = row["_row_number"].removeprefix(MARK)
    if not (row_number.isascii() and row_number.isdigit()):
        mistakes.append(f"line {number}, column _row_number: expected a whole number")
        return []
    mistakes += [f"line {number}, column {name}: a value cannot hold a NUL" for name in titles if "\0" in row[name]]
    key = (row["_delivery_id"].removeprefix(MARK), int(row_number))
    return [Line(number, key, {name: row[name] for name in sources if name in row})]


def _repeated(lines: Sequence[Line]) -> list[str]:
    first: dict[Key, int] = {}
    return [
        f"line {line.number}: the record of line {at} once more; leave one of them"
        for line in lines
        if (at := first.setdefault(line.key, line.number)) != line.number
    ]
