"""Deliveries in JSON: one object per line, or an array of objects, somewhere in a document.

Values belong to `json_values.py`, lines to `decoding.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.sources.decoding import decoded
from etl_assets.sources.json_document import Element, elements
from etl_assets.sources.json_values import KINDS, Parser, as_text, compact
from etl_assets.sources.layout import DeliveryRejected, Layout, Reading, optional_columns
from etl_assets.sources.text_values import problem_of
from etl_assets.spec.privacy import quoting

BATCH_RECORDS = 1 << 16
BLANK = b" \t"


def read_jsonl(original: bytes, spec: InstitutionSpec) -> Reading:
    """Every line of the file; one that is no JSON object is a damaged record, and the next one is read all the same."""
    text = decoded(original, "utf-8")
    bounds = list(zip(text.starts[:-1].tolist(), text.ends.tolist(), text.original_starts.tolist(), strict=False))
    lines = [(text.content[start:end], at) for start, end, at in bounds]
    parser = Parser(quoting(spec))
    found = (_line(parser, i, line, at) for i, (line, at) in enumerate(lines, start=1) if line.strip(BLANK))
    blank = sum(not line.strip(BLANK) for line, _ in lines)
    return _read(found, spec, control_lines=blank)


def read_json(original: bytes, spec: InstitutionSpec) -> Reading:
    """Every element of the array that the spec names, numbered from 1.

    Raises: DeliveryRejected, if the document as a whole is no JSON or has no such array.
    """
    return _read(elements(original, spec.deliveries.json_records, Parser(quoting(spec))), spec, control_lines=0)


def _line(parser: Parser, number: int, line: bytes, at: int) -> Element:
    text = line.decode("utf-8", "surrogateescape")
    try:
        start = len(text) - len(text.lstrip(" \t"))
        value, end = parser.value(text, start)
        rest = text[end:].strip(" \t")
        problems = [*parser.problems, *(["text follows the object"] if rest else [])]
    except json.JSONDecodeError as error:
        value, problems = None, [f"no JSON at character {error.pos + 1} ({error.msg})"]
    return Element(number, at, line, value, problems)


def _read(found: Iterator[Element], spec: InstitutionSpec, control_lines: int) -> Reading:
    records = _Records(spec.declared, optional_columns(spec), spec.deliveries.csv.max_field_bytes)
    for element in found:
        records.add(element)
    return Reading(records.table(), control_lines, records.titles)


@dataclass
class _Records:
    """Rows in the making, in batches: a text column of Arrow's has 2 GiB at most."""

    declared: dict[str, tuple[str, ...]]
    optional: Sequence[str]
    max_bytes: int
    batches: list[pa.Table] = field(default_factory=list)
    good: list[tuple[int, int, str | None, list[str | None]]] = field(default_factory=list)
    damaged: list[dict[str, object]] = field(default_factory=list)
    keys: set[tuple[str, type]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.layout = Layout({name: i for i, name in enumerate(self.declared)}, {})

    def add(self, element: Element) -> None:
        problems = list(element.problems)
        if not isinstance(element.value, dict):
            problems = problems or ["the record is no JSON object"]
        else:
            try:
                values, extra, found = self._values(element.value)
            except RecursionError:
                found = ["the record is nested too deeply"]
            problems += found
        if problems:
            lineage = {"_row_number": element.number, "_byte_offset": element.offset}
            self.damaged.append({**lineage, "_problem": "; ".join(problems), "_record": element.content})
            return
        self.good.append((element.number, element.offset, extra, values))
        if len(self.good) == BATCH_RECORDS:
            self._flush()

    def table(self) -> pa.Table:
        """All rows, the damaged ones last.

        Raises: DeliveryRejected, if a declared column that is not optional stands in no record: it was renamed, not
        forgotten each time.
        """
        self._flush()
        has_records = any(batch.num_rows for batch in self.batches)
        wanted = {name: found for name, found in self.declared.items() if name not in self.optional}
        missing = [name for name, spellings in wanted.items() if self.titles.keys().isdisjoint(spellings)]
        if has_records and missing:
            raise DeliveryRejected(
                f"no record has {', '.join(map(repr, missing))}: "
                "add the key that the records have under its columns.*.aliases"
            )
        return pa.concat_tables([*self.batches, self.layout.damaged_rows(self.damaged)])

    @property
    def titles(self) -> dict[str, str]:
        """Every key that a record has had, with the types of its values."""
        found: dict[str, set[str]] = {}
        for key, kind in self.keys:
            found.setdefault(key, set()).update({KINDS[kind]} if kind in KINDS else ())
        return {key: " or ".join(sorted(kinds)) for key, kinds in sorted(found.items())}

    def _values(self, record: dict[str, Any]) -> tuple[list[str | None], str | None, list[str]]:
        """The declared values, what else is in the record, and what cannot be kept of either."""
        values, problems = [], []
        for name, spellings in self.declared.items():
            found = [(spelling, value) for spelling in spellings for value in _taken(record, spelling)]
            self.keys.update((spelling, type(value)) for spelling, value in found)
            if len(found) > 1:
                problems.append(f"{name} stands there more than once, as {', '.join(repr(s) for s, _ in found)}")
            values.append(as_text(found[0][1]) if found else None)
        self.keys.update((key, type(value)) for key, value in record.items())
        extra = compact(record) if record else None
        named = [*zip(self.declared, values, strict=True), ("what is not declared", extra)]
        limits = [self.max_bytes] * len(values) + [len(values) * self.max_bytes]
        checked = zip(named, limits, strict=True)
        problems += [p for (name, text), limit in checked if text is not None and (p := problem_of(name, text, limit))]
        return values, extra, problems

    def _flush(self) -> None:
        numbers, offsets, extras, values = zip(*self.good, strict=True) if self.good else ((), (), (), ())
        columns = zip(*values, strict=True) if values else [()] * len(self.declared)
        texts = [pa.chunked_array([pa.array(column, pa.string())]) for column in columns]
        rows = self.layout.rows(texts, np.array(numbers, np.int64), np.array(offsets, np.int64))
        position = rows.schema.get_field_index("_extra")
        self.batches.append(rows.set_column(position, rows.schema.field(position), pa.array(extras, pa.string())))
        self.good = []


def _taken(record: dict[str, Any], spelling: str) -> Sequence[Any]:
    """What stands under the key, or under the dotted path if there is no such key, taken out of the record."""
    if spelling in record:
        return [record.pop(spelling)]
    key, dot, below = spelling.partition(".")
    inner = record.get(key) if dot else None
    if not isinstance(inner, dict):
        return []
    found = _taken(inner, below)
    if found and not inner:
        del record[key]
    return found
