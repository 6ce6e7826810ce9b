"""Which format a sample has and what its reader must be told: the format fields of `deliveries`.

Bytes in, guesses out. The dialect of text belongs to `dialect.py`, reading to `sources/`.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import python_calamine as calamine

from etl_assets.institution_spec import SpecRefused
from etl_assets.onboarding.dialect import dialect_guesses, fields_of
from etl_assets.onboarding.draft import Guess, nested

PARQUET, ZIPPED, LEGACY = b"PAR1", b"PK\x03\x04", bytes.fromhex("d0cf11e0a1b11ae1")
FORMAT = ("deliveries", "format")
LOOKED_AT_RECORDS = 1_000


def format_guesses(name: str, content: bytes) -> tuple[list[Guess], list[str]]:
    """The fields that say how the file is read, and the titles of its columns.

    Raises: SpecRefused, if it is no table that can be told from its bytes.
    """
    if content.startswith(PARQUET):
        return [Guess(FORMAT, "parquet", "", "proven")], _parquet_titles(name, content)
    if content.startswith((ZIPPED, LEGACY)):
        return _excel(name, content)
    start = content[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith((b"{", b"[")):
        return _json(name, content)
    return _csv(name, content)


def _csv(name: str, content: bytes) -> tuple[list[Guess], list[str]]:
    guesses = dialect_guesses(content)
    found = nested((g.place[2:], g.value) for g in guesses)
    text = content.decode(found["encoding"], errors="replace").removeprefix("\ufeff")
    lines = [line for line in text.splitlines()[found.get("preamble_lines", 0) :] if line.strip()]
    titles = fields_of(lines[0], found["separator"], found.get("quote", '"')) if lines else []
    if len(titles) < 2:
        raise SpecRefused(
            f"{name}: no separator divides its lines into columns with titles. If it has fixed widths, write "
            "`deliveries.fixed_width` by hand (docs/institutions.md, Formats): widths cannot be guessed safely"
        )
    return [Guess(FORMAT, "csv", "", "proven"), *guesses], titles


def _parquet_titles(name: str, content: bytes) -> list[str]:
    try:
        return list(pq.read_schema(pa.BufferReader(content)).names)
    except (pa.ArrowException, OSError) as error:
        raise SpecRefused(f"{name}: it is no complete Parquet file ({error}); ask for the file again") from error


def _excel(name: str, content: bytes) -> tuple[list[Guess], list[str]]:
    sheets = _sheets(name, content)
    sheet, rows = max(sheets.items(), key=lambda item: len(item[1]))
    if not rows:
        raise SpecRefused(f"{name}: every sheet is empty; ask for the file again")
    at = _header_row(rows)
    question = (
        f"The workbook has the sheets {', '.join(map(repr, sheets))}. Is this the one?"
        if sheets.keys() - {sheet}
        else None
    )
    guesses = [
        Guess(FORMAT, "excel", "", "proven"),
        Guess(("deliveries", "excel", "sheet"), sheet, "", "open" if question else "proven", question),
    ]
    if at:
        why = "the first row with a title in nearly every column"
        guesses.append(Guess(("deliveries", "excel", "header_row"), at + 1, why))
    return guesses, [str(cell) for cell in rows[at]]


def _sheets(name: str, content: bytes) -> dict[str, list[list[Any]]]:
    try:
        with calamine.load_workbook(io.BytesIO(content)) as workbook:
            return {
                title: workbook.get_sheet_by_name(title).to_python(skip_empty_area=False, nrows=LOOKED_AT_RECORDS)
                for title in workbook.sheet_names
            }
    except calamine.CalamineError as error:
        raise SpecRefused(f"{name}: it is no workbook that can be opened ({error})") from error


def _header_row(rows: Sequence[Sequence[Any]]) -> int:
    """The first row as full as the fullest ones."""
    filled = [sum(cell != "" for cell in row) for row in rows]
    usual = Counter(count for count in filled if count).most_common(1)[0][0]
    return next(i for i, count in enumerate(filled) if count >= min(usual, max(filled)) and count > 1)


def _json(name: str, content: bytes) -> tuple[list[Guess], list[str]]:
    text = content.decode("utf-8", errors="replace").removeprefix("\ufeff")
    lines = [line for line in text.splitlines()[:LOOKED_AT_RECORDS] if line.strip()]
    objects = [value for line in lines if isinstance(value := _parsed(line), dict)]
    if len(objects) > 1 or (objects and len(lines) == 1 and not _arrays(objects[0])):
        return [Guess(FORMAT, "jsonl", "each line is an object", "proven")], _keys(objects)
    found = max(_arrays(_parsed(text)), key=lambda item: len(item[1]), default=None)
    if found is None:
        raise SpecRefused(f"{name}: it begins like JSON and holds no array of objects, nor an object in each line")
    path, records = found
    where = [Guess(("deliveries", "json_records"), path, "the longest array of objects")] if path else []
    return [Guess(FORMAT, "json", "", "proven"), *where], _keys(records[:LOOKED_AT_RECORDS])


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None


def _arrays(value: Any, path: str = "") -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Every array of objects in the document, with its dotted path."""
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        yield path, value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _arrays(inner, f"{path}.{key}".lstrip("."))


def _keys(records: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for record in records for key in _paths(record)))


def _paths(record: dict[str, Any], above: str = "") -> Iterator[str]:
    for key, value in record.items():
        if isinstance(value, dict) and value:
            yield from _paths(value, f"{above}{key}.")
        else:
            yield above + key
