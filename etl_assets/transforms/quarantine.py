"""Rows that are not published -> the quarantined table, each with all its reasons and the record as delivered.

Decides nothing: which rows are broken, duplicate or superseded was found before.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.tables import QUARANTINED
from etl_assets.transforms.canonical import Broken
from etl_assets.transforms.values import flat

Integers = npt.NDArray[np.int64]
NO_TEXT = pa.scalar(None, pa.string())


def invalid(rows: pa.Table, bad: Integers, broken: Sequence[Broken], spec: InstitutionSpec) -> pa.Table:
    """The rows at `bad`, each with every reason it has in `broken`; column and value are those of the first reason."""
    table = rows.take(pa.array(bad))
    ordered = [(b, pa.array(b.rows[bad])) for b in sorted(broken, key=lambda b: b.reason)]
    reasons = [pc.if_else(holds, b.reason, NO_TEXT) for b, holds in ordered]
    column, value = (pa.nulls(len(bad), pa.string()) for _ in range(2))
    for b, holds in reversed(ordered):
        column = pc.if_else(holds, pa.scalar(b.source, pa.string()), column)
        value = pc.if_else(holds, flat(table[b.source or "_problem"]), value)
    found = {
        "reasons": pc.binary_join_element_wise(*reasons, ",", null_handling="skip") if reasons else column,
        "column_name": column,
        "value": pc.replace_substring(value, "\0", r"\x00"),
    }
    return _quarantined(table, "invalid", found, spec)


def repeated(rows: pa.Table, which: Integers, other: Integers, disposition: str, spec: InstitutionSpec) -> pa.Table:
    """The rows at `which`, each pointing at the row at `other` that it repeats or that supersedes it."""
    others = rows.select(["_delivery_id", "_row_number"]).take(pa.array(other))
    found = {
        "reasons": pa.repeat(disposition, len(which)),
        "repeats_delivery_id": others["_delivery_id"],
        "repeats_row_number": others["_row_number"],
    }
    return _quarantined(rows.take(pa.array(which)), disposition, found, spec)


def _quarantined(table: pa.Table, disposition: str, found: dict[str, pa.Array], spec: InstitutionSpec) -> pa.Table:
    columns = found | {
        "disposition": pa.repeat(disposition, table.num_rows),
        "file": table["_file"],
        "record": _records(table, spec),
        **{name: table[name] for name in ("business_date", "_delivery_id", "_row_number")},
    }
    nothing = {c.name: pa.nulls(table.num_rows, c.type) for c in QUARANTINED.columns if c.name not in columns}
    return pa.table(columns | nothing).select(QUARANTINED.schema.names)


def _records(table: pa.Table, spec: InstitutionSpec) -> pa.Array:
    fields = pl.DataFrame(table.select(list(spec.declared)))
    text = fields.select(pl.struct(pl.all()).struct.json_encode()).to_series().to_arrow().cast(pa.string())
    extra = flat(table["_extra"])
    open_ended = pc.utf8_slice_codeunits(text, 0, -1)
    with_extra = pc.binary_join_element_wise(open_ended, ',"_extra":', extra, "}", "")
    unsplit = [_shown(record, spec) for record in table["_record"].to_pylist()]
    return pc.coalesce(pa.array(unsplit, pa.string()), with_extra, text)


def _shown(record: bytes | None, spec: InstitutionSpec) -> str | None:
    """The bytes as text; of an institution with personal data only that raw has them, with a key to read them."""
    if record is None:
        return None
    if spec.personal_data.is_named:
        return "(encrypted)"
    return record.decode(spec.deliveries.csv.encoding, errors="backslashreplace").replace("\0", r"\x00")
