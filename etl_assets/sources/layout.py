"""Where the declared columns stand in a delivery, and the table that every reader returns.

Shared by all formats. How bytes become fields belongs to `csv_*.py` and `parquet.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from etl_assets.institution_spec import InstitutionSpec

LINEAGE = pa.schema(
    [
        pa.field("_row_number", pa.int64()),
        pa.field("_byte_offset", pa.int64()),
        pa.field("_problem", pa.string()),
        pa.field("_record", pa.binary()),
        pa.field("_extra", pa.string()),
    ]
)


class DeliveryRejected(Exception):  # noqa: N818  the rejection is the fact
    """The file as a whole cannot be read; the message says what is wrong with it and what would help."""


@dataclass(frozen=True)
class Reading:
    """Every record of one file: a row each, or counted as a control line.

    An empty field is null, a quoted empty one is the empty text. Good rows come first, then damaged
    ones, each in the order of the file.
    """

    rows: pa.Table
    control_lines: int

    @property
    def records_read(self) -> int:
        """Records in the file, control lines included."""
        return int(self.rows.num_rows) + self.control_lines


@dataclass(frozen=True)
class Layout:
    """Position of each declared column in the header, and of each undeclared one under a unique name."""

    declared: dict[str, int]
    undeclared: dict[str, int]

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([*LINEAGE, *(pa.field(name, pa.string()) for name in self.declared)])

    def rows(
        self, values: Sequence[pa.ChunkedArray], row_numbers: np.ndarray, byte_offsets: np.ndarray | None
    ) -> pa.Table:
        """Good rows from one text column per header position."""
        count = len(row_numbers)
        lineage = {
            "_row_number": pa.array(row_numbers, pa.int64()),
            "_byte_offset": pa.nulls(count, pa.int64()) if byte_offsets is None else pa.array(byte_offsets, pa.int64()),
            "_problem": pa.nulls(count, pa.string()),
            "_record": pa.nulls(count, pa.binary()),
            "_extra": self._extra(values, count),
        }
        declared = {name: values[position] for name, position in self.declared.items()}
        return pa.table(lineage | declared, schema=self.schema)

    def damaged_rows(self, damaged: Sequence[dict[str, object]]) -> pa.Table:
        """Rows of records that could not be split: lineage, problem and bytes, no values."""
        return pa.Table.from_pylist(list(damaged), schema=self.schema)

    def _extra(self, values: Sequence[pa.ChunkedArray], count: int) -> pa.Array:
        if not self.undeclared:
            return pa.nulls(count, pa.string())
        frame = pl.DataFrame({name: pl.Series(values[position]) for name, position in self.undeclared.items()})
        return frame.select(pl.struct(pl.all()).struct.json_encode()).to_series().to_arrow().cast(pa.string())


def laid_out(header: Sequence[str], spec: InstitutionSpec) -> Layout:
    """Where everything is, under any declared spelling.

    Raises: DeliveryRejected, if a declared column is missing or stands there twice. Taking the first of two
    would be a guess about money.
    """
    standing = {
        name: [position for position, title in enumerate(header) if title in spellings]
        for name, spellings in spec.declared.items()
    }
    if problems := [_misplaced(name, found, header) for name, found in standing.items() if len(found) != 1]:
        raise DeliveryRejected("; ".join(problems) + f"; the header is {list(header)}")
    declared = {name: found[0] for name, found in standing.items()}
    taken = set(declared.values())
    return Layout(declared, _named([(p, title) for p, title in enumerate(header) if p not in taken]))


def _misplaced(name: str, found: Sequence[int], header: Sequence[str]) -> str:
    if not found:
        return f"column {name!r} is missing: add the spelling that the header has under its columns.*.aliases"
    titles = ", ".join(f"{header[p]!r} (column {p + 1})" for p in found)
    return f"column {name!r} stands there more than once, as {titles}: ask for a corrected file or remove an alias"


def _named(columns: Sequence[tuple[int, str]]) -> dict[str, int]:
    """A name of its own for each column, so that none hides another in the JSON object."""
    named: dict[str, int] = {}
    for position, title in columns:
        name = title
        while not name or name in named:
            name = f"{name} (column {position + 1})".lstrip()
        named[name] = position
    return named
