"""What a spec makes of one file, before anything runs: its row account, its first records and those quarantined.

Data for people and programs; how it looks in a terminal belongs to `commands/institutions.py`. Writes nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.onboarding.samples import judged
from etl_assets.sources.layout import DeliveryRejected, Reading
from etl_assets.transforms.cleaning import Verdict

DISPOSITIONS = ("invalid", "duplicate", "superseded")


@dataclass(frozen=True)
class Record:
    """One record of the file: its line, what stood in each source column, and what it became or why it did not."""

    line: int
    delivered: dict[str, str | None]
    published: dict[str, Any] | None
    reasons: tuple[str, ...] = ()
    column: str | None = None
    value: str | None = None


@dataclass(frozen=True)
class Preview:
    """The whole answer. `problem` says why the file is refused; then there are no records."""

    file: str
    business_date: date | None = None
    names_its_date: bool = True
    problem: str | None = None
    account: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    first: tuple[Record, ...] = ()
    quarantined: tuple[Record, ...] = ()
    unread: tuple[str, ...] = ()
    too_many: str | None = None

    @property
    def is_clean(self) -> bool:
        return self.problem is None and not self.reasons


def preview(path: Path, spec: InstitutionSpec, day: date | None = None, rows: int = 3, shown: int = 20) -> Preview:
    """The file as a run would judge it alone: other days, which may hold its duplicates, are not looked at."""
    try:
        reading, verdict, found = judged(path, spec, day)
    except DeliveryRejected as error:
        return Preview(path.name, problem=str(error))
    reasons = Counter(r for text in verdict.quarantined["reasons"].to_pylist() for r in text.split(","))
    return Preview(
        file=path.name,
        business_date=found,
        names_its_date=spec.deliveries.business_date(path.name) is not None,
        account=_account(reading, verdict),
        reasons=dict(reasons.most_common()),
        first=_records(reading, verdict, _lines(reading.rows, rows)),
        quarantined=_records(reading, verdict, _lines(verdict.quarantined, shown)),
        unread=_unread(reading, spec),
        too_many=_too_many(reading, verdict, spec),
    )


def _account(reading: Reading, verdict: Verdict) -> dict[str, int]:
    counts = Counter(verdict.quarantined["disposition"].to_pylist())
    return {
        "records_read": reading.records_read,
        "published": verdict.published.num_rows,
        **{name: counts[name] for name in DISPOSITIONS},
        "control_lines": reading.control_lines,
    }


def _lines(rows: pa.Table, count: int) -> list[int]:
    return sorted(rows["_row_number"].to_pylist())[:count]


def _records(reading: Reading, verdict: Verdict, lines: list[int]) -> tuple[Record, ...]:
    raw, published, quarantined = (_by_line(t, lines) for t in (reading.rows, *verdict))
    return tuple(_record(line, raw[line], published.get(line), quarantined.get(line)) for line in lines)


def _by_line(rows: pa.Table, lines: list[int]) -> dict[int, dict[str, Any]]:
    wanted = rows.filter(pc.is_in(rows["_row_number"], pa.array(lines, pa.int64())))
    return {row["_row_number"]: row for row in wanted.to_pylist()}


def _record(
    line: int, raw: dict[str, Any], published: dict[str, Any] | None, quarantined: dict[str, Any] | None
) -> Record:
    delivered = {name: value for name, value in raw.items() if not name.startswith("_")}
    if quarantined is None:
        return Record(line, delivered, published)
    reasons = tuple(quarantined["reasons"].split(","))
    return Record(line, delivered, None, reasons, quarantined["column_name"], quarantined["value"])


def _unread(reading: Reading, spec: InstitutionSpec) -> tuple[str, ...]:
    read = {spelling for spellings in spec.declared.values() for spelling in spellings}
    return tuple(title for title in reading.titles if title not in read)


def _too_many(reading: Reading, verdict: Verdict, spec: InstitutionSpec) -> str | None:
    """Whether a run would keep the whole day back, and by which limit."""
    records = reading.rows.num_rows
    invalid = pc.sum(pc.equal(verdict.quarantined["disposition"], "invalid")).as_py() or 0
    limit = spec.batch_rules.max_quarantined_share
    if not records or invalid <= limit * records:
        return None
    return (
        f"{invalid / records:.1%} of the records are invalid, more than batch_rules.max_quarantined_share ({limit:.1%})"
    )
