"""What the quarantine's commands print: tables for people, JSON for programs. Decides nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from etl_assets.commands.hints import program
from etl_assets.institution_spec import InstitutionSpec
from etl_assets.repair.questions import Filter
from etl_assets.repair.trial import Judged, in_words
from etl_assets.sources.tokens import keys_of
from etl_assets.terminal import Terminal, fault, terminal

if TYPE_CHECKING:
    from etl_assets.backfill import LayerRun
    from etl_assets.repair.replay import Plan

NAMED = ("business_date", "file", "_row_number", "_delivery_id", "disposition", "reasons")
MOST_JUDGED = 50
Rows = Sequence[Mapping[str, Any]]


def say(message: str) -> None:
    _console().print(message, soft_wrap=True, markup=False, highlight=False)


def fail(message: str) -> None:
    fault(message)


def for_programs(counts: Rows, rows: Rows) -> None:
    """Counts and rows as one JSON object; a record itself is never in it."""
    named = [{name: row[name] for name in NAMED} for row in rows]
    sys.stdout.write(json.dumps({"counts": counts, "rows": named}, default=str, indent=1) + "\n")


def overview(counts: Rows, rows: Rows, which: Filter, institution: str) -> None:
    """The counts, then the rows, each with what `show` takes in full, since an id that is cut off is of no use."""
    if not counts:
        say("nothing is in quarantine" if which == Filter() else f"nothing in quarantine is {which.in_words()}")
        return
    _grid(("business date", "disposition", "reason", "rows"), [tuple(row.values()) for row in counts])
    if rows:
        say(f"\nThe first {len(rows)}; to see one: {program()} quarantine show {institution} DELIVERY LINE")
    for row in rows:
        fate = row["reasons"] if row["disposition"] == "invalid" else row["disposition"]
        say(f"{row['business_date']}  {row['file']}  {fate}\n  {row['_delivery_id']} {row['_row_number']}")


def record(title: str, row: Mapping[str, Any], spec: InstitutionSpec | None = None, *, reveal: bool = False) -> None:
    """One row, a line per column that has a value; a record as delivered shows what it lacks too."""
    declared = spec.declared if spec is not None else {}
    say(f"\n{title}")
    for name, value in row.items():
        if value is not None:
            say(f"  {name:<20} {_readable(value, spec, reveal=reveal)}")
        elif name in declared:
            say(f"  {name:<20} (empty)")


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
    table = Table(box=None, pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(value)) for value in row))
    _console().print(table)


def _readable(value: object, spec: InstitutionSpec | None, *, reveal: bool) -> str:
    if not isinstance(value, bytes):
        return str(value)
    if reveal and spec is not None:
        value = keys_of(spec.institution).revealed(value)
    return value.decode("utf-8", errors="backslashreplace")


def _console() -> Terminal:
    return terminal(200, highlight=True)
