"""The accidents of a delivery as data, and what they do to whole rows: moved, repeated, corrected, marked.

Every row carries its expected `fate`, so that the truth is counted while the damage is done. How a marked cell
or line is damaged belongs to `spoiling.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, get_args

import numpy as np
import polars as pl

# One record is wrong in itself.
Spoiling = Literal[
    "too_few_fields",
    "too_many_fields",
    "bad_byte",
    "impossible_date",
    "nonexistent_time",
    "time_missing",
    "amount_missing",
    "amount_is_nan",
    "too_many_digits",
    "id_missing",
    "unknown_currency",
    "unknown_category",
]
# Good records in the wrong file, or twice.
Displacement = Literal["late", "too_late", "before_it_happened", "repeated", "repeated_next_day", "corrected"]
WholeFile = Literal["redelivered", "header_only", "no_file", "blank_line", "trailing_blank_line"]
WHOLE_FILE: tuple[str, ...] = get_args(WholeFile)


@dataclass(frozen=True)
class Defect:
    """An accident that hits `records` rows of the business date `day`, counted from the start date, or all its file.

    `lag_days` says how much later than due they come; a correction also repeats `unchanged` rows as they were.
    """

    day: int
    kind: Spoiling | Displacement | WholeFile
    records: int = 1
    lag_days: int = 1
    unchanged: int = 0


Accident = Callable[[pl.DataFrame, Defect, date, np.random.Generator], pl.DataFrame]
FILE_ON = pl.col("file_on")


def planned(rows: pl.DataFrame, plan: tuple[Defect, ...], first: date, seed: list[int]) -> pl.DataFrame:
    """`rows` with the file they come in (`file_on`, `part`), their `defect` and their `fate`.

    Each accident draws from a generator of its own: a shorter simulation is a prefix of a longer one.
    """
    content = pl.struct("account", pl.col("at").dt.date(), "minor")
    is_plain = pl.col("fraud_kind").is_null() & (pl.col("role") == "purchase") & content.is_unique()
    rows = rows.with_columns(
        file_on=pl.col("at").dt.date(),
        part=pl.lit("first"),
        fate=pl.lit("published"),
        defect=pl.when(is_plain).then(pl.lit(None, pl.String)).otherwise(pl.lit("spared")),
    )
    for number, accident in enumerate(plan):
        on, rng = first + timedelta(days=accident.day), np.random.default_rng([*seed, number, accident.day])
        rows = ACCIDENTS.get(accident.kind, _spoiled)(rows, accident, on, rng)
    return rows.sort("file_on", "at", "account", maintain_order=True)


def _chosen(rows: pl.DataFrame, count: int, on: date, rng: np.random.Generator) -> pl.Series:
    """A mask of `count` untouched rows, none of them early in the file: a reader that samples must not see them.

    Frauds are spared, so that the truth stays joinable, and rows with a twin: without an id, moving one of two
    identical rows to another file would make it a repetition.
    """
    is_candidate = (rows["file_on"] == on) & rows["defect"].is_null() & (rows["part"] == "first")
    candidates = np.flatnonzero(is_candidate.to_numpy())
    mask = np.zeros(len(rows), dtype=np.bool_)
    mask[rng.choice(candidates[len(candidates) // 3 :], count, replace=False)] = True
    return pl.Series(mask)


def _marked(rows: pl.DataFrame, mask: pl.Series, defect: str, fate: str, **changed: pl.Expr) -> pl.DataFrame:
    values = {"defect": pl.lit(defect), "fate": pl.lit(fate), **changed}
    return rows.with_columns(**{name: pl.when(mask).then(value).otherwise(name) for name, value in values.items()})


def _spoiled(rows: pl.DataFrame, accident: Defect, on: date, rng: np.random.Generator) -> pl.DataFrame:
    return _marked(rows, _chosen(rows, accident.records, on, rng), accident.kind, "invalid")


def _late(rows: pl.DataFrame, accident: Defect, on: date, rng: np.random.Generator) -> pl.DataFrame:
    fate = "published" if accident.kind == "late" else "invalid"
    chosen = _chosen(rows, accident.records, on, rng)
    return _marked(rows, chosen, accident.kind, fate, file_on=FILE_ON.dt.offset_by(f"{accident.lag_days}d"))


def _before_it_happened(rows: pl.DataFrame, accident: Defect, on: date, rng: np.random.Generator) -> pl.DataFrame:
    chosen = _chosen(rows, accident.records, on, rng)
    return _marked(rows, chosen, accident.kind, "invalid", file_on=FILE_ON.dt.offset_by("-1d"))


def _repeated(rows: pl.DataFrame, accident: Defect, on: date, rng: np.random.Generator) -> pl.DataFrame:
    chosen = _chosen(rows, accident.records, on, rng)
    days_later = 1 if accident.kind == "repeated_next_day" else 0
    copies = rows.filter(chosen).with_columns(
        file_on=FILE_ON.dt.offset_by(f"{days_later}d"), fate=pl.lit("duplicate"), defect=pl.lit(accident.kind)
    )
    return pl.concat([_marked(rows, chosen, "spared", "published"), copies])


def _corrected(rows: pl.DataFrame, accident: Defect, on: date, rng: np.random.Generator) -> pl.DataFrame:
    changed = _chosen(rows, accident.records, on, rng)
    rest = _marked(rows, changed, "spared", "superseded")
    unchanged = _chosen(rest, accident.unchanged, on, rng)
    new = rows.filter(changed).with_columns(minor=pl.col("minor") + 100, defect=pl.lit("corrected"))
    same = rows.filter(unchanged).with_columns(fate=pl.lit("duplicate"), defect=pl.lit("corrected"))
    correction = pl.concat([new, same]).with_columns(part=pl.lit("corrected"))
    return pl.concat([_marked(rest, unchanged, "spared", "published"), correction])


def _rolled_over(rows: pl.DataFrame, _accident: Defect, on: date, _rng: np.random.Generator) -> pl.DataFrame:
    return rows.with_columns(file_on=pl.when(on == FILE_ON).then(FILE_ON.dt.offset_by("1d")).otherwise(FILE_ON))


def _untouched(rows: pl.DataFrame, _accident: Defect, _on: date, _rng: np.random.Generator) -> pl.DataFrame:
    return rows


ACCIDENTS: dict[str, Accident] = {
    "late": _late,
    "too_late": _late,
    "before_it_happened": _before_it_happened,
    "repeated": _repeated,
    "repeated_next_day": _repeated,
    "corrected": _corrected,
    "header_only": _rolled_over,
    "no_file": _rolled_over,
    "redelivered": _untouched,
    "blank_line": _untouched,
    "trailing_blank_line": _untouched,
}
