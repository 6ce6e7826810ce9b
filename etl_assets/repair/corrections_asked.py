"""What a person asks for -> the corrections to store: only what differs from the record as delivered.

Reads and compares; stores nothing and runs nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.repair.correction_file import CorrectionFile, FileRefused, Line, refused, unmarked
from etl_assets.repair.questions import Filter, Quarantine
from etl_assets.repair.repairs import Correction, Key, Repairs
from etl_assets.repair.trial import keys_of
from etl_assets.sources.tokens import keys_of as secret_of
from etl_assets.spec.privacy import fates
from etl_assets.transforms.corrections import Fields, changes, corrected

Row = dict[str, Any]
TOKEN = re.compile(r"tok_[a-z2-7]{26}")


def exported(quarantine: Quarantine, which: Filter) -> Iterator[Row]:
    """Each quarantined row as it is judged now, for the corrections file: as delivered, with its corrections."""
    said = {key: row for key, row in _by_key(quarantine.rows(which)).items() if row is not None}
    raw = quarantine.delivered(said)
    for key, row in _by_key(corrected(raw, in_force(quarantine, raw), quarantine.spec)).items():
        record = said[key]["record"] if row["_problem"] is not None else None
        yield row | {"_reasons": said[key]["reasons"], "_record": record}


def asked_by(file: CorrectionFile, quarantine: Quarantine) -> list[Correction]:
    """The corrections that the file's lines are, without those that are in force already or change nothing.

    Raises: FileRefused for a line about no record that was delivered, or one that would undo a correction silently.
    """
    raw = quarantine.delivered([line.key for line in file.lines])
    delivered, known = _by_key(raw), fields_of(in_force(quarantine, raw))
    mistakes: list[str] = []
    found: list[Correction] = []
    for line in file.lines:
        try:
            found += _asked(line, delivered.get(line.key), known.get(line.key), quarantine.spec)
        except FileRefused as refusal:
            mistakes.append(f"line {line.number}{refusal}")
    refused(file.name, mistakes)
    return found


def withdrawal(key: Key, quarantine: Quarantine) -> list[Correction]:
    """What takes back the corrections of a record. Raises: FileRefused where none is in force."""
    raw = quarantine.delivered([key])
    if key not in fields_of(in_force(quarantine, raw)):
        raise FileRefused(f"no correction of line {key[1]} of delivery {key[0]} is in force")
    return [Correction(key, raw["business_date"][0].as_py(), None)]


def in_force(quarantine: Quarantine, raw: pa.Table) -> pa.Table:
    """The corrections in force from the first to the last business date of these rows."""
    days = raw["business_date"].to_pylist() or [quarantine.spec.start_date]
    return Repairs(quarantine.warehouse, quarantine.spec.institution).in_force(min(days), max(days))


def fields_of(corrections: pa.Table) -> dict[Key, Fields]:
    """Key -> what is corrected in its record."""
    return {key: json.loads(row["fields"]) for key, row in _by_key(corrections).items()}


def _by_key(rows: pa.Table) -> dict[Key, Row]:
    return dict(zip(keys_of(rows), rows.to_pylist(), strict=True))


def _asked(line: Line, delivered: Row | None, known: Fields | None, spec: InstitutionSpec) -> Iterable[Correction]:
    if delivered is None:
        raise FileRefused(", columns _delivery_id and _row_number: no such record was delivered")
    standing = {name: delivered[name] for name in spec.declared} | dict(known or {})
    typed = {name: unmarked(cell, standing[name]) for name, cell in line.cells.items()}
    is_new = {name for name, text in typed.items() if text != (standing[name] or "")}
    wanted = standing | typed | _protected({name: typed[name] for name in is_new}, spec)
    fields = changes(delivered, wanted, spec)
    if known and not fields:
        raise FileRefused(": a correction of this record is in force and the line is as delivered; withdraw it or not")
    return [] if fields == dict(known or {}) else [Correction(line.key, delivered["business_date"], fields)]


def _protected(typed: Mapping[str, str], spec: InstitutionSpec) -> dict[str, str]:
    """What was typed into columns with personal data as the tokens that the tables hold. Raises: FileRefused."""
    fate = fates(spec)
    if dropped := [name for name in typed if fate[name] == "dropped"]:
        raise FileRefused(f", column {dropped[0]}: personal_data drops it, so no value of it can be stored")
    return {name: _token(text, spec) for name, text in typed.items() if text and fate[name] == "token"}


def _token(text: str, spec: InstitutionSpec) -> str:
    if TOKEN.fullmatch(text):
        return text
    (token,) = secret_of(spec.institution).tokens(pa.chunked_array([[text]], pa.string())).to_pylist()
    return str(token)
