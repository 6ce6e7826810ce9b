"""A file read with a spec, outside any run: every record, what becomes of it, and nothing written anywhere.

The one place of this room that opens files.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.sources.layout import Reading
from etl_assets.sources.protection import protection_of
from etl_assets.sources.reading import read_delivery
from etl_assets.tables import raw_table
from etl_assets.transforms.canonical import Reading as CanonicalReading
from etl_assets.transforms.cleaning import Verdict, clean

GUESSED_FROM_ROWS = 50_000
PROVISIONAL_NAMES = ("first column of the sample", "second column of the sample")
PROVISIONAL: dict[str, Any] = {
    "institution": "sample",
    "description": "The two columns that any spec must name; all others come beside them.",
    "owners": ["team:sample"],
    "start_date": "2000-01-01",
    "time_zone": "UTC",
    "event_precision": "day",
}


@dataclass(frozen=True)
class Sample:
    """The records of a file that could be split, as one text column for each title that stands once."""

    name: str
    columns: dict[str, pa.ChunkedArray]
    records: int
    damaged: int
    control_lines: int
    ends_damaged: bool = False


def sample_of(path: Path, deliveries: dict[str, Any], titles: Sequence[str]) -> Sample:
    """The file as the platform's own reader splits it. Raises: DeliveryRejected."""
    usable = [title for title in titles if title.strip() and titles.count(title) == 1]
    first, second = [*usable, "", ""][:2]
    columns = {
        "event_at": {"source": PROVISIONAL_NAMES[0], "aliases": [first], "formats": ["%Y-%m-%d"]},
        "amount": {"source": PROVISIONAL_NAMES[1], "aliases": [second]},
        "currency": {"fixed": "EUR"},
    }
    named = {**deliveries, "folder": ".", "file_name": r"(?P<business_date>\d{8})"}
    named.pop("business_date_format", None)
    spec = InstitutionSpec.model_validate({**PROVISIONAL, "deliveries": named, "columns": columns})
    reading = read_delivery(path.name, path.read_bytes(), spec)
    return _sample(path.name, reading, usable)


def _sample(name: str, reading: Reading, titles: Sequence[str]) -> Sample:
    rows = reading.rows.filter(pc.is_null(reading.rows["_problem"]))
    half = GUESSED_FROM_ROWS // 2
    if rows.num_rows > GUESSED_FROM_ROWS:
        rows = pa.concat_tables([rows.slice(0, half), rows.slice(rows.num_rows - half)])
    extras = [_extra(text) for text in rows["_extra"].to_pylist()]
    others = {title: pa.chunked_array([_texts(extras, title)]) for title in titles[2:]}
    given = {title: rows[known] for title, known in zip(titles, PROVISIONAL_NAMES, strict=False)}
    numbers = reading.rows["_row_number"]
    last = pc.max(numbers).as_py()
    is_damaged = pc.and_(pc.equal(numbers, last), pc.is_valid(reading.rows["_problem"]))
    return Sample(
        name=name,
        columns=given | others,
        records=reading.rows.num_rows,
        damaged=reading.rows.num_rows - reading.rows["_problem"].null_count,
        control_lines=reading.control_lines,
        ends_damaged=bool(pc.any(is_damaged).as_py()),
    )


def _extra(text: str | None) -> dict[str, str | None]:
    return _flattened(json.loads(text, parse_float=str, parse_int=str)) if text else {}


def _texts(extras: Sequence[dict[str, str | None]], title: str) -> pa.Array:
    return pa.array([extra.get(title) for extra in extras], pa.string())


def judged(path: Path, spec: InstitutionSpec, day: date | None) -> tuple[Reading, Verdict, date]:
    """What becomes of every record, as of `day`, or of the day of the last event where the name says none.

    Personal data are tokens or gone from it, as in a run.

    Raises: DeliveryRejected, KeyUnset.
    """
    protection = protection_of(spec)
    with protection.withheld():
        reading = read_delivery(path.name, path.read_bytes(), spec)
        reading = replace(reading, rows=protection.applied(reading.rows))
        found = spec.deliveries.business_date(path.name) or day or _last_event(path, reading, spec)
        return reading, clean(_with_lineage(reading.rows, path, spec, found), spec, found, found), found


def _last_event(path: Path, reading: Reading, spec: InstitutionSpec) -> date:
    """The day of the last event that can be read; the institution's first where none can."""
    rows = _with_lineage(reading.rows, path, spec, spec.start_date)
    as_promised = rows.select(raw_table(spec).schema.names).cast(raw_table(spec).schema)
    last = pc.max(CanonicalReading(as_promised, spec).columns["event_at"]).as_py()
    return spec.start_date if last is None else last.astimezone(ZoneInfo(spec.time_zone)).date()


def _with_lineage(rows: pa.Table, path: Path, spec: InstitutionSpec, day: date) -> pa.Table:
    at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    lineage = {"business_date": day, "_delivery_id": "sample", "_file": path.name, "_delivered_at": at}
    schema = raw_table(spec).schema
    for name, value in lineage.items():
        rows = rows.append_column(name, pa.repeat(pa.scalar(value, schema.field(name).type), rows.num_rows))
    return rows


def _flattened(values: dict[str, Any], above: str = "") -> dict[str, str | None]:
    """Nested objects under dotted names; other values as text."""
    flat: dict[str, str | None] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            flat |= _flattened(value, f"{above}{key}.")
        else:
            flat[above + key] = value if value is None or isinstance(value, str) else json.dumps(value)
    return flat
