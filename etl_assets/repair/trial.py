"""What would become of single rows if their days ran again now: the judgement before a replay, without a run.

Reads and computes; writes nothing. The verdict is that of `transforms/cleaning.py`, over the rows that matter only.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl
import pyarrow as pa

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.io_managers.slices import daily_slice
from etl_assets.io_managers.targets import Target
from etl_assets.repair.questions import Quarantine
from etl_assets.repair.repairs import ROW, Key
from etl_assets.tables import cleaned_table
from etl_assets.transforms.cleaning import Verdict, clean
from etl_assets.transforms.corrections import corrected

PUBLISHED = "published"
FATE = ("disposition", "reasons", "repeats_delivery_id", "repeats_row_number")
Fate = tuple[str | None, ...]
SHOWN: Fate = (PUBLISHED, None, None, None)


@dataclass(frozen=True)
class Judged:
    """One row with what is published of it and what would be."""

    key: Key
    business_date: date
    before: Fate
    after: Fate
    is_asked: bool

    @property
    def would_be_published(self) -> bool:
        return self.after == SHOWN

    @property
    def is_changed(self) -> bool:
        return self.before != self.after

    @property
    def touches_published(self) -> bool:
        return SHOWN in {self.before, self.after}


def trial(quarantine: Quarantine, asked: pa.Table, corrections: pa.Table) -> list[Judged]:
    """The raw rows that were `asked` for and the rows that share a key with them, each before and after.

    Only versions of one transaction can change each other's fate, so the rest of the days need not be read.
    """
    if not asked.num_rows:
        return []
    spec, keys = quarantine.spec, keys_of(asked)
    alone = _judge(corrected(asked, corrections, spec), spec)
    near = {*_versions(quarantine, alone, asked), *quarantine.repeating(keys)} - {*keys}
    near |= {*quarantine.repeating(near)} - {*keys}
    rows = pa.concat_tables([asked, quarantine.delivered(near)])
    after = _fates(_judge(corrected(rows, corrections, spec), spec))
    before = _before(quarantine, keys_of(rows))
    days = rows["business_date"].to_pylist()
    return [
        Judged(key, day, before.get(key, SHOWN), after[key], key not in near)
        for key, day in zip(keys_of(rows), days, strict=True)
    ]


def keys_of(rows: pa.Table) -> list[Key]:
    """The key of each row in the house's one form."""
    return list(zip(*(rows[name].to_pylist() for name in ROW), strict=True))


def in_words(fate: Fate) -> str:
    """What became of a row: published, or its disposition and reasons."""
    disposition, reasons, *_ = fate
    return PUBLISHED if fate == SHOWN else f"{disposition}: {reasons}" if reasons != disposition else str(disposition)


def _judge(rows: pa.Table, spec: InstitutionSpec) -> Verdict:
    days = rows["business_date"].to_pylist()
    return clean(rows, spec, min(days), max(days))


def _versions(quarantine: Quarantine, alone: Verdict, asked: pa.Table) -> Collection[Key]:
    """Published rows within the horizon that have the key of a row that would be published by itself."""
    spec = quarantine.spec
    table, names = cleaned_table(spec), ["business_date", *ROW, *spec.identity]
    days = {day + timedelta(days=n) for day in set(asked["business_date"].to_pylist()) for n in _horizon(spec)}
    target, slice_ = Target(spec.institution, table), daily_slice("business_date", days)
    stored = quarantine.warehouse.read_slice(target, slice_, list(dict.fromkeys(names)), must_exist=False)
    wanted = pl.DataFrame(pl.from_arrow(alone.published.select(list(spec.identity))))
    found = pl.DataFrame(pl.from_arrow(stored)).join(wanted, on=list(spec.identity), how="semi")
    return keys_of(found.to_arrow())


def _horizon(spec: InstitutionSpec) -> range:
    return range(-spec.duplicate_horizon_days, spec.duplicate_horizon_days + 1)


def _fates(verdict: Verdict) -> dict[Key, Fate]:
    shown = dict.fromkeys(keys_of(verdict.published), SHOWN)
    return shown | _stated(verdict.quarantined)


def _before(quarantine: Quarantine, keys: Collection[Key]) -> dict[Key, Fate]:
    return _stated(quarantine.of(keys))


def _stated(quarantined: pa.Table) -> dict[Key, Fate]:
    fates = zip(*(quarantined[name].to_pylist() for name in FATE), strict=True)
    return dict(zip(keys_of(quarantined), fates, strict=True))
