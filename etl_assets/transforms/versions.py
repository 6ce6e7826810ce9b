"""Which raw rows can be versions of one transaction, told by their text alone: before anything is parsed.

Whether they are, and which of them counts, belongs to `identity.py`.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.institution_spec import CANONICAL_TEXT, InstitutionSpec
from etl_assets.transforms.canonical import published_text, sources
from etl_assets.transforms.identity import Integers, joined
from etl_assets.transforms.values import Mask, mask

LEARNT_LATER = frozenset({"event_at_is_ambiguous", "is_fraud", "status"})
"""What the institution knows better tomorrow: it makes a new version of a row, and no other transaction."""


def possible_versions(rows: pa.Table, spec: InstitutionSpec, of: Mask) -> Mask:
    """The rows that agree with one of the rows `of` in every text column of the key, each column by itself."""
    found = np.ones(rows.num_rows, np.bool_)
    for name in _telling(spec):
        text = published_text(rows, spec, name)
        found &= mask(pc.is_in(text, value_set=text.filter(pa.array(of))))
    return found


def buckets(rows: pa.Table, spec: InstitutionSpec, count: int) -> Integers:
    """For each row one of `count` buckets, which all versions of a transaction share.

    A source without id is told apart by all of its content; one whose content has no text column has one bucket,
    since 1.0 and 1.00 are the same amount and only parsing shows it.
    """
    names = _telling(spec) or _content(spec)
    if count == 1 or not names:
        return np.zeros(rows.num_rows, np.int64)
    texts = joined([published_text(rows, spec, name) for name in names])
    hashes = pl.Series(texts).hash(seed=0).to_numpy()
    return (hashes % np.uint64(count)).astype(np.int64)


def _telling(spec: InstitutionSpec) -> list[str]:
    texts = {*CANONICAL_TEXT, *spec.pass_through} & {*sources(spec)}
    return sorted({*spec.identity} & texts)


def _content(spec: InstitutionSpec) -> list[str]:
    """Text columns of the content that gives an id; none where the source has an id of its own."""
    if spec.columns.transaction_id is not None or spec.key:
        return []
    return sorted(({*CANONICAL_TEXT, *spec.pass_through} & {*sources(spec)}) - LEARNT_LATER)
