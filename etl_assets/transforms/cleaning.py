"""Raw rows -> the rows that are published and the rows that are quarantined, for a range of business dates.

Composition only: values are read in `canonical.py`, rules judged in `rules.py`, versions told apart in
`identity.py`, quarantined rows put together in `quarantine.py`. No clock, no database.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.tables import QUARANTINED, cleaned_table, raw_table
from etl_assets.transforms import quarantine
from etl_assets.transforms.canonical import Reading, business_days
from etl_assets.transforms.identity import Fates, Integers, codes, content_ids, fates, joined
from etl_assets.transforms.rules import judge
from etl_assets.transforms.values import Mask, flat
from etl_assets.transforms.versions import LEARNT_LATER, possible_versions

VERSION_ORDER = ("business_date", "_delivered_at", "_file", "_delivery_id", "_row_number")
LINEAGE = ("business_date", "_delivery_id", "_row_number")
EPOCH = date(1970, 1, 1)


class Verdict(NamedTuple):
    """Every raw row of the range is in exactly one of the two, in version order."""

    published: pa.Table
    quarantined: pa.Table


def clean(raw: pa.Table, spec: InstitutionSpec, first: date, last: date) -> Verdict:
    """What becomes of every raw row with a business date in `first`..`last`.

    `raw` also holds the business dates up to the duplicate horizon before and after, in any order. The verdict on a
    day depends on the rows within the horizon of that day and on nothing else: a range gives bit for bit what its
    days give one by one, so neither the order of runs nor a backfill can change which row is the duplicate.
    """
    as_promised = raw.select(raw_table(spec).schema.names).cast(raw_table(spec).schema)
    rows = _in_version_order(_related(as_promised, spec, first, last))
    reading = Reading(rows, spec)
    judge(reading, spec.row_rules)
    is_inside = _is_inside(rows, first, last)
    is_valid = ~np.logical_or.reduce([b.rows for b in reading.broken], axis=0, initial=False)
    cleaned = _with_ids(_only(_canonical(reading), is_valid), spec)
    found = _fates(cleaned, spec)
    in_force = is_inside[is_valid] & ~found.is_duplicate & ~found.is_superseded
    return Verdict(
        published=cleaned_table(spec).conform(_only(cleaned, in_force)),
        quarantined=_quarantined(reading, is_inside, is_valid, found),
    )


def _is_inside(rows: pa.Table, first: date, last: date) -> Mask:
    days = business_days(rows)
    return ((first - EPOCH).days <= days) & (days <= (last - EPOCH).days)


def _related(raw: pa.Table, spec: InstitutionSpec, first: date, last: date) -> pa.Table:
    """The rows of the range, and those round it that can be versions of one: a day would else parse two weeks."""
    is_inside = _is_inside(raw, first, last)
    if is_inside.all():
        return raw
    return _only(raw, is_inside | possible_versions(raw, spec, is_inside))


def _in_version_order(rows: pa.Table) -> pa.Table:
    order = pc.sort_indices(rows, sort_keys=[(name, "ascending") for name in VERSION_ORDER])
    return rows if (np.diff(order.to_numpy().astype(np.int64)) == 1).all() else rows.take(order)


def _only(rows: pa.Table, condition: Mask) -> pa.Table:
    return rows if condition.all() else rows.filter(pa.array(condition))


def _canonical(reading: Reading) -> pa.Table:
    return pa.table(reading.columns | {name: reading.rows[name] for name in LINEAGE})


def _with_ids(rows: pa.Table, spec: InstitutionSpec) -> pa.Table:
    if spec.columns.transaction_id is not None:
        return rows
    told = [name for name in _content_names(spec) if name not in LEARNT_LATER]
    ids = content_ids(_joined(rows, told), codes(_joined(rows, ("business_date", "_delivery_id"))))
    return rows.append_column("transaction_id", ids)


def _fates(rows: pa.Table, spec: InstitutionSpec) -> Fates:
    def contents(which: Integers) -> Integers:
        return codes(_joined(rows.take(pa.array(which)), _content_names(spec)))

    return fates(codes(_joined(rows, spec.identity)), business_days(rows), contents, spec.duplicate_horizon_days)


def _content_names(spec: InstitutionSpec) -> list[str]:
    judged = (*LINEAGE, "warnings")  # a rule that changes must give no row another id, nor make it another version
    made_here = judged if spec.columns.transaction_id is not None else (*judged, "transaction_id")
    return [name for name in cleaned_table(spec).schema.names if name not in made_here]


def _joined(rows: pa.Table, names: Sequence[str]) -> pa.Array:
    return joined([flat(rows[name]) for name in names])


def _quarantined(reading: Reading, is_inside: Mask, is_valid: Mask, found: Fates) -> pa.Table:
    valid = np.flatnonzero(is_valid)
    bad = np.flatnonzero(~is_valid & is_inside)
    positions, parts = [bad], [quarantine.invalid(reading.rows, bad, reading.broken, reading.spec)]
    for disposition, rows in (("duplicate", found.is_duplicate), ("superseded", found.is_superseded)):
        which = np.flatnonzero(rows & is_inside[valid])
        others = valid[found.other_row[which]]
        positions.append(valid[which])
        parts.append(quarantine.repeated(reading.rows, valid[which], others, disposition, reading.spec))
    in_order = pa.concat_tables(parts).take(pa.array(np.argsort(np.concatenate(positions))))
    return QUARANTINED.conform(in_order)
