"""How a marked record is damaged: cells while they are still columns, lines once they are bytes.

Which records are marked is decided in `defects.py`; each kind here makes the record invalid in one known way.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from etl_assets.institution_spec import InstitutionSpec

# What stands for a byte that no encoding allows until the text is encoded; ASCII calls it "substitute".
SUBSTITUTE = "\x1a"

NOTHING = pl.lit(None, pl.String)


def spoiled_cells(cells: pl.DataFrame, spec: InstitutionSpec) -> pl.DataFrame:
    """`cells` with the damage that their `defect` names; other rows as they were."""
    for kind, (column, damage) in _damages(spec).items():
        if column is not None:
            is_hit = (pl.col("defect") == kind) & (pl.col("fate") == "invalid")
            cells = cells.with_columns(pl.when(is_hit).then(damage).otherwise(column).alias(column))
    return cells


def _damages(spec: InstitutionSpec) -> dict[str, tuple[str | None, pl.Expr]]:
    columns = spec.columns
    at, amount, pattern = columns.event_at.source, columns.amount.source, columns.event_at.formats[0]
    optional = {name: s.source if (s := getattr(columns, name)) else None for name in ("transaction_id", "category")}
    description = columns.description.source if columns.description else None
    return {
        "impossible_date": (at, pl.lit(_thirtieth_of_february(pattern))),
        "nonexistent_time": (at, pl.col("file_on").dt.strftime(pattern.replace("%H:%M:%S", "02:30:00"))),
        "time_missing": (at, NOTHING),
        "amount_is_nan": (amount, pl.lit("NaN")),
        "amount_missing": (amount, NOTHING),
        "too_many_digits": (amount, pl.col(amount) + "5"),
        "unknown_currency": (columns.currency.source, pl.lit("XXX")),
        "id_missing": (optional["transaction_id"], NOTHING),
        "unknown_category": (optional["category"], pl.lit("n/a")),
        "bad_byte": (description, pl.lit(SUBSTITUTE) + pl.col(description) if description else NOTHING),
    }


def _thirtieth_of_february(pattern: str) -> str:
    parts = {"%Y": "2026", "%m": "02", "%d": "30", "%H": "10", "%M": "00", "%S": "00", "%z": "+01:00"}
    for directive, text in parts.items():
        pattern = pattern.replace(directive, text)
    return pattern


def _cut_short(line: bytes, separator: bytes) -> bytes:
    return separator.join(line.split(separator)[:3])


def _one_field_more(line: bytes, separator: bytes) -> bytes:
    return line + separator + b"x"


LINE_DAMAGES: dict[str, Callable[[bytes, bytes], bytes]] = {
    "too_few_fields": _cut_short,
    "too_many_fields": _one_field_more,
}
