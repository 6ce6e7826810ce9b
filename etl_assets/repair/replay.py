"""A replay from judgement to audit row: which days run again because of a correction or a changed rule, and no other.

What is asked for is decided in `corrections_asked.py`, what would become of each row in `trial.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import dagster as dg
import pyarrow as pa

from etl_assets.assets.featured import LABELS
from etl_assets.backfill import LayerRun, Planned, backfill, spans
from etl_assets.repair.correction_file import CorrectionFile
from etl_assets.repair.corrections_asked import asked_by, in_force, withdrawal
from etl_assets.repair.questions import Filter, Quarantine
from etl_assets.repair.repairs import Correction, Key, Repairs, Replay, as_table, latest
from etl_assets.repair.trial import Judged, keys_of, trial
from etl_assets.restatement.decision import around, reach
from etl_assets.tables import QUARANTINED, ROW_ACCOUNT

JOB = "raw_to_scored"
AGAIN = {
    "cleaned": ("cleaned_transactions", QUARANTINED.name, ROW_ACCOUNT.name),
    "featured": (LABELS, "featured_transactions"),
    "scored": ("scored_transactions", "alerts"),
}
OnRun = Callable[[LayerRun], None]


@dataclass(frozen=True)
class Plan:
    """A replay that can be shown or performed: what would become of the rows, what is stored, which days run."""

    quarantine: Quarantine
    replay: Replay
    judged: tuple[Judged, ...]
    corrections: tuple[Correction, ...]
    days: dict[str, tuple[date, ...]]

    @property
    def asked(self) -> list[Judged]:
        return [row for row in self.judged if row.is_asked]

    @property
    def changes_nothing(self) -> bool:
        return not self.corrections and not self.days["cleaned"]


@dataclass(frozen=True)
class Wish:
    """Who wants a replay, and why."""

    who: str
    why: str

    def replay(self, asked: str, file_sha256: str | None = None) -> Replay:
        """The audit row at its beginning."""
        return Replay(uuid4().hex[:12], self.who, self.why, datetime.now(UTC), asked, file_sha256)


def of_rule(quarantine: Quarantine, which: Filter, wish: Wish) -> Plan:
    """The replay of the rows that the filter finds, judged by the rules as they are now."""
    keys = keys_of(quarantine.rows(which))
    return _plan(quarantine, wish.replay(which.in_words()), quarantine.delivered(keys), [])


def of_file(quarantine: Quarantine, file: CorrectionFile, wish: Wish) -> Plan:
    """The replay of the records that the file corrects. Raises: FileRefused; nothing was stored."""
    corrections = asked_by(file, quarantine)
    asked = quarantine.delivered([correction.key for correction in corrections])
    return _plan(quarantine, wish.replay(f"file {file.name}", file.sha256), asked, corrections)


def of_withdrawal(quarantine: Quarantine, key: Key, wish: Wish) -> Plan:
    """The replay of one record as it was delivered. Raises: FileRefused where no correction of it is in force."""
    corrections = withdrawal(key, quarantine)
    asked = f"withdrawn: line {key[1]} of delivery {key[0]}"
    return _plan(quarantine, wish.replay(asked), quarantine.delivered([key]), corrections)


def perform(
    plan: Plan, definitions: Callable[[], dg.Definitions], instance: dg.DagsterInstance, on_run: OnRun
) -> Replay:
    """The corrections are stored, the days have run, and the audit trail says so; returns its row.

    The row is there before anything else: a replay that is killed has left its name. A plan that changes nothing
    leaves nothing.
    """
    if plan.changes_nothing:
        return plan.replay.ended(0, [], None)
    repairs = Repairs(plan.quarantine.warehouse, plan.quarantine.spec.institution)
    repairs.note(plan.replay)
    repairs.store(plan.corrections, plan.replay)
    runs: list[LayerRun] = []
    try:
        for run in backfill(list(_runs(plan, definitions())), instance, lambda _: None):
            runs.append(run)
            on_run(run)
    except BaseException as error:
        repairs.note(plan.replay.ended(0, [run.run_id for run in runs], type(error).__name__))
        raise
    return _ended(plan, runs, repairs)


def _ended(plan: Plan, runs: Sequence[LayerRun], repairs: Repairs) -> Replay:
    published = plan.quarantine.published([row.key for row in plan.asked])
    problem = "; ".join(f"{run.layer} {run.first} .. {run.last}: {run.error}" for run in runs if run.error)
    ended = plan.replay.ended(published, [run.run_id for run in runs], problem or None)
    repairs.note(ended)
    return ended


def _plan(quarantine: Quarantine, replay: Replay, asked: pa.Table, corrections: Sequence[Correction]) -> Plan:
    horizon = timedelta(days=quarantine.spec.duplicate_horizon_days)
    around = [day + shift for day in _days(asked) for shift in (-horizon, horizon)]
    known = in_force(quarantine, pa.table({"business_date": pa.array(around, pa.date32())}))
    judged = trial(quarantine, asked, latest(pa.concat_tables([known, as_table(corrections, replay)])))
    days = _again(quarantine, judged, {correction.key for correction in corrections})
    told = replace(
        replay,
        business_dates=",".join(day.isoformat() for day in days["cleaned"]),
        rows_asked=asked.num_rows,
        corrections=len(corrections),
    )
    return Plan(quarantine, told, tuple(judged), tuple(corrections), days)


def _days(rows: pa.Table) -> list[date]:
    return sorted(set(rows["business_date"].to_pylist()))


def _again(quarantine: Quarantine, judged: Sequence[Judged], corrected: Collection[Key]) -> dict[str, tuple[date, ...]]:
    """Layer -> its days: cleaned where a row's fate or form changes, above it what sees a published row change."""
    moved = [row for row in judged if row.is_changed or row.key in corrected]
    shown = {row.business_date for row in moved if row.touches_published}
    stale = around(shown, 0, reach(quarantine.spec))
    return {
        "cleaned": tuple(sorted({row.business_date for row in moved})),
        "featured": _published(quarantine, "featured_transactions", stale),
        "scored": _published(quarantine, "scored_transactions", stale),
    }


def _published(quarantine: Quarantine, table: str, days: Collection[date]) -> tuple[date, ...]:
    """Those of the days that the table has been published for; others are not there to be stale."""
    if not days:
        return ()
    written = quarantine.warehouse.written(quarantine.spec.institution, table)
    return tuple(sorted(day for day in days if day.isoformat() in written))


def _runs(plan: Plan, definitions: dg.Definitions) -> Iterator[Planned]:
    institution = plan.quarantine.spec.institution
    job = definitions.resolve_job_def(f"{institution}__{JOB}")
    for layer, tables in AGAIN.items():
        if wanted := [day.isoformat() for day in plan.days[layer]]:
            there = job.asset_layer.selected_asset_keys
            keys = there & {dg.AssetKey([institution, table]) for table in tables}
            part = job.get_subset(asset_selection=keys)
            yield from (Planned(part, layer, *span) for span in spans(*_calendar(plan.days[layer], wanted)))


def _calendar(days: Sequence[date], wanted: Collection[str]) -> tuple[list[str], frozenset[str]]:
    between = [(days[0] + timedelta(days=n)).isoformat() for n in range((days[-1] - days[0]).days + 1)]
    return between, frozenset(between) - frozenset(wanted)
