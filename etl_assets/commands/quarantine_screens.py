"""What the quarantine's commands print: tables for people, JSON for programs. Decides nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.repair.questions import Filter
from etl_assets.repair.trial import Judged, in_words
from etl_assets.sources.tokens import keys_of

if TYPE_CHECKING:
    from etl_assets.backfill import LayerRun
    from etl_assets.repair.replay import Plan

NAMED = ("business_date", "file", "_row_number", "_delivery_id", "disposition", "reasons")
MOST_JUDGED = 50
Rows = Sequence[Mapping[str, Any]]


def say(message: str) -> None:
    _console().print(message, soft_wrap=True, markup=False, highlight=False)


def fail(message: str) -> None:
    Console(stderr=True).print(message, style="red", soft_wrap=True, markup=False, highlight=False)


def for_programs(counts: Rows, rows: Rows) -> None:
    """Counts and rows as one JSON object; a record itself is never in it."""
    named = [{name: row[name] for name in NAMED} for row in rows]
    sys.stdout.write(json.dumps({"counts": counts, "rows": named}, default=str, indent=1) + "\n")


def overview(counts: Rows, rows: Rows, which: Filter) -> None:
    """The counts, then the rows that `show` takes."""
    if not counts:
        say("nothing is in quarantine" if which == Filter() else f"nothing in quarantine is {which.in_words()}")
        return
    _grid(("business date", "disposition", "reason", "rows"), [tuple(row.values()) for row in counts])
    if rows:
        _grid(NAMED, [[row[name] for name in NAMED] for row in rows])


def record(title: str, row: Mapping[str, Any], spec: InstitutionSpec | None = None, *, reveal: bool = False) -> None:
    """One row, a line per column that has a value."""
    say(f"\n{title}")
    for name, value in row.items():
        if value is not None:
            say(f"  {name:<20} {_readable(value, spec, reveal=reveal)}")


def judgement(plan: Plan) -> None:
    """What would become of the rows, counted, and the first of those that change."""
    asked = plan.asked
    published = sum(row.would_be_published for row in asked)
    stored = len(plan.corrections)
    say(f"rows asked for: {len(asked)}, would be published: {published}, corrections to store: {stored}")
    _grid(("business date", "_row_number", "_delivery_id", "is", "would be"), _fates(plan.judged, plan))
    for layer, days in plan.days.items():
        if days:
            say(f"{layer} runs again for {len(days)} business dates, {days[0]} .. {days[-1]}")
    if plan.changes_nothing:
        say("nothing changes, so nothing runs")


def run_ended(run: LayerRun) -> None:
    say(f"{run.layer:<8} {run.first} .. {run.last}  {'failed' if run.error else 'ok'}  run {run.run_id}")


def _fates(judged: Iterable[Judged], plan: Plan) -> list[Sequence[object]]:
    corrected = {correction.key for correction in plan.corrections}
    shown = [row for row in judged if row.is_asked or row.is_changed or row.key in corrected][:MOST_JUDGED]
    return [(r.business_date, r.key[1], r.key[0], in_words(r.before), in_words(r.after)) for r in shown]


def _grid(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    rows = list(rows)
    if not rows:
        return
    table = Table(*titles, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(str(value)) for value in row))
    _console().print(table)


def _readable(value: object, spec: InstitutionSpec | None, *, reveal: bool) -> str:
    if not isinstance(value, bytes):
        return str(value)
    if reveal and spec is not None:
        value = keys_of(spec.institution).revealed(value)
    return value.decode("utf-8", errors="backslashreplace")


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else 200)
