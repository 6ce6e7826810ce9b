"""Raw rows with the corrections of people in place of what was delivered, just before they are judged.

Pure. Raw tables are never changed; who corrected what, and why, belongs to `repair/repairs.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.transforms.values import flat, mask

Fields = Mapping[str, str | None]
UNSPLIT = ("_problem", "_record")


def corrected(raw: pa.Table, corrections: pa.Table, spec: InstitutionSpec) -> pa.Table:
    """`raw` with the `corrections` that are in force; the same rows in the same order and schema.

    A record that could not be split counts as split once its correction gives every source column: part of one
    would publish a row of which nobody has said what the rest is.
    """
    found = _found(raw, corrections) if corrections.num_rows else {}
    if not found:
        return raw
    for name in spec.declared:
        raw = _replaced(raw, name, {at: fields[name] for at, fields in found.items() if name in fields})
    whole = [at for at, fields in found.items() if set(spec.declared) <= set(fields)]
    for name in UNSPLIT:
        raw = _replaced(raw, name, dict.fromkeys(whole))
    return raw


def changes(delivered: Mapping[str, Any], wanted: Fields, spec: InstitutionSpec) -> dict[str, str | None]:
    """The fields in which a record shall be other than it was delivered; empty text and no text are one.

    Of a record that could not be split, all of them, or none where none is given.
    """
    texts = {name: text or None for name, text in wanted.items()}
    if delivered["_problem"] is None:
        return {name: text for name, text in texts.items() if text != (delivered[name] or None)}
    return {name: texts.get(name) for name in spec.declared} if any(texts.values()) else {}


def _found(raw: pa.Table, corrections: pa.Table) -> dict[int, Fields]:
    """Position of each corrected row, in order, with its fields; most batches have none, which numbers alone tell."""
    numbers = flat(corrections["_row_number"])
    positions = np.flatnonzero(mask(flat(pc.is_in(raw["_row_number"], numbers))))
    if not len(positions):
        return {}
    ids = corrections["_delivery_id"].to_pylist()
    fields = dict(zip(zip(ids, numbers.to_pylist(), strict=True), corrections["fields"].to_pylist(), strict=True))
    near = raw.select(["_delivery_id", "_row_number"]).take(pa.array(positions)).to_pydict()
    keys = zip(near["_delivery_id"], near["_row_number"], strict=True)
    return {int(at): json.loads(fields[key]) for at, key in zip(positions, keys, strict=True) if fields.get(key)}


def _replaced(rows: pa.Table, name: str, texts: Mapping[int, str | None]) -> pa.Table:
    if not texts:
        return rows
    is_replaced = np.zeros(rows.num_rows, np.bool_)
    is_replaced[list(texts)] = True
    place, column = rows.schema.get_field_index(name), flat(rows[name])
    new = pc.replace_with_mask(column, pa.array(is_replaced), pa.array(list(texts.values()), column.type))
    return rows.set_column(place, rows.schema.field(name), new)
