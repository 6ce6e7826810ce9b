"""What the reader of workbooks does not say of a `.xlsx` sheet: its size before it is read, errors and empty formulas.

The reader makes room for every cell up to the last one, and a stray cell in the last row of Excel ends the process.
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from xml.etree import ElementTree as ET

from etl_assets.sources.excel_child import MAX_CELLS
from etl_assets.sources.layout import DeliveryRejected

BROKEN = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, KeyError, EOFError, ET.ParseError)
ROW = re.compile(rb'<(?:\w+:)?row\b[^>]*?\br="(\d{1,7})"')
PLACE = re.compile(rb'\br="([A-Z]{1,3})(\d{1,7})"')
ERROR = re.compile(rb'<(?:\w+:)?c\b([^>]*\bt="e"[^>]*)>(?:<f\b[^>]*?(?:/>|>[^<]*</f>))?(?:<v>([^<]*)</v>)?')
UNCALCULATED = re.compile(rb"<c\b([^>]*[^/>])>(?:<f\b[^>]*?(?:/>|>[^<]*</f>))(?:<v\s*/>|<v></v>)?</c>")

Cells = Mapping[int, str]


def inspected(original: bytes, sheet: str, max_bytes: int) -> Mapping[int, Cells]:
    """By row and column, counted from 0, what the reader shows as an empty cell although it is none.

    Raises: DeliveryRejected, if the workbook would not fit into memory.
    """
    if not zipfile.is_zipfile(io.BytesIO(original)):
        return {}
    try:
        with zipfile.ZipFile(io.BytesIO(original)) as package:
            size = sum(info.file_size for info in package.infolist())
            if size > max_bytes:
                raise DeliveryRejected(
                    f"it expands to {size >> 20} MiB; ask for smaller files, or raise deliveries.archives."
                    "max_expanded_mb if this one is genuine"
                )
            part = _part(package, sheet)
            content = package.read(part) if part is not None else b""
    except BROKEN as error:
        raise DeliveryRejected("it is no complete workbook (", error, "); ask for the file again") from error
    _refuse_vast(content)
    hidden: dict[int, dict[int, str]] = defaultdict(dict)
    for row, column, what in _hidden(content):
        hidden[row][column] = what
    return hidden


def _part(package: zipfile.ZipFile, sheet: str) -> str | None:
    """The name of the sheet's part, or None where the workbook has no such sheet."""
    if "xl/workbook.xml" not in package.namelist():
        raise DeliveryRejected("it is neither .xlsx nor .xls; ask for one of these")
    workbook = ET.fromstring(package.read("xl/workbook.xml"))  # noqa: S314  expat itself refuses entity bombs
    sheets = [node.attrib for node in workbook.iter() if node.tag.endswith("}sheet") and node.get("name") == sheet]
    ids = [held for name, held in sheets[0].items() if name.endswith("}id")] if sheets else []
    relations = ET.fromstring(package.read("xl/_rels/workbook.xml.rels"))  # noqa: S314
    targets = {node.get("Id"): node.get("Target") for node in relations}
    target = targets.get(ids[0]) if ids else None
    return None if target is None else posixpath.normpath(posixpath.join("/xl", target)).lstrip("/")


def _refuse_vast(content: bytes) -> None:
    places = PLACE.findall(content)
    rows = max((int(found) for found in ROW.findall(content)), default=0)
    rows = max(rows, max((int(row) for _, row in places), default=0))
    columns = max((_column(letters) for letters in {letters for letters, _ in places}), default=0) + 1
    if rows * columns > MAX_CELLS:
        raise DeliveryRejected(
            f"the sheet reaches to row {rows} and column {columns}, more than {MAX_CELLS} cells; "
            "a stray cell far below or to the right makes it so: ask for the sheet without it"
        )


def _hidden(content: bytes) -> Iterator[tuple[int, int, str]]:
    for attributes, error in ERROR.findall(content):
        yield *_place(attributes), f"the error {error.decode('utf-8', 'replace')}"
    for attributes in UNCALCULATED.findall(content):
        if b't="str"' not in attributes and b't="e"' not in attributes:
            yield *_place(attributes), "a formula without its result"


def _place(attributes: bytes) -> tuple[int, int]:
    found = PLACE.search(attributes)
    if found is None:
        raise DeliveryRejected("it has errors in cells that do not say where they are; ask for it without errors")
    return int(found[2]) - 1, _column(found[1])


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number - 1
