"""Where the declared columns stand in a delivery, and the table that every reader returns.

Shared by all formats. How bytes become fields belongs to `csv_*.py` and `parquet.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import BaseModel

from etl_assets.institution_spec import InstitutionSpec, Source
from etl_assets.spec.privacy import WITHHELD, header_in_words

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
    """The file as a whole cannot be read; the message says what is wrong with it and what would help.

    Of several parts, every second one quotes the file, or a library that may: `withheld` leaves these out.
    """

    def __str__(self) -> str:
        return "".join(map(str, self.args))

    @property
    def withheld(self) -> str:
        return "".join(WITHHELD if place % 2 and part else str(part) for place, part in enumerate(self.args))


@dataclass(frozen=True)
class Reading:
    """Every record of one file, or of a part of it: a row each, or counted as a control line.

    An empty field is null, a quoted empty one is the empty text. Good rows come first, then damaged
    ones, each in the order of the file. `titles` is the header as delivered, each title with the type that the
    format gives it; a file without a header has none. `stated_rows` is how many records its footer states.
    """

    rows: pa.Table
    control_lines: int
    titles: Mapping[str, str] = field(default_factory=dict)
    stated_rows: int | None = None

    @property
    def records_read(self) -> int:
        """Records in the file, control lines included."""
        return int(self.rows.num_rows) + self.control_lines


def joined(parts: Sequence[Reading]) -> Reading:
    """The parts of one file as one."""
    rows = pa.concat_tables([part.rows for part in parts])
    return replace(parts[0], rows=rows, control_lines=sum(part.control_lines for part in parts))


@dataclass(frozen=True)
class Layout:
    """Position of each declared column in the header, and of each undeclared one under a unique name.

    `absent` are the optional columns that the header does not have: null in every row.
    """

    declared: dict[str, int]
    undeclared: dict[str, int]
    absent: tuple[str, ...] = ()
    titles: Mapping[str, str] = field(default_factory=dict)

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([*LINEAGE, *(pa.field(name, pa.string()) for name in (*self.declared, *self.absent))])

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
        absent = dict.fromkeys(self.absent, pa.nulls(count, pa.string()))
        return pa.table(lineage | declared | absent, schema=self.schema)

    def damaged_rows(self, damaged: Sequence[dict[str, object]]) -> pa.Table:
        """Rows of records that could not be split: lineage, problem and bytes, no values."""
        return pa.Table.from_pylist(list(damaged), schema=self.schema)

    def _extra(self, values: Sequence[pa.ChunkedArray], count: int) -> pa.Array:
        if not self.undeclared:
            return pa.nulls(count, pa.string())
        frame = pl.DataFrame({name: pl.Series(values[position]) for name, position in self.undeclared.items()})
        return frame.select(pl.struct(pl.all()).struct.json_encode()).to_series().to_arrow().cast(pa.string())


def laid_out(header: Sequence[str], spec: InstitutionSpec, kinds: Sequence[str] | None = None) -> Layout:
    """Where everything is, under any declared spelling; `kinds` are the types that a typed format gives.

    Raises: DeliveryRejected, if a declared column is missing that is not optional, or stands there twice. Taking the
    first of two would be a guess about money.
    """
    standing = {
        name: [position for position, title in enumerate(header) if title in spellings]
        for name, spellings in spec.declared.items()
    }
    absent = tuple(name for name in optional_columns(spec) if not standing[name])
    problems = [
        _misplaced(name, found, header) for name, found in standing.items() if len(found) != 1 and name not in absent
    ]
    if problems:
        raise DeliveryRejected("; ".join([*problems, header_in_words(header, spec)]))
    declared = {name: found[0] for name, found in standing.items() if found}
    taken = set(declared.values())
    unique = _named(list(enumerate(header)))
    titles = dict(zip(unique, kinds or ["text"] * len(header), strict=True))
    return Layout(declared, _named([(p, title) for p, title in enumerate(header) if p not in taken]), absent, titles)


def optional_columns(spec: InstitutionSpec) -> list[str]:
    """The declared source columns that a file may lack."""
    return [source.source for part in (spec.columns, spec.labels) for source in _sources(part) if source.optional]


def _sources(part: object) -> Iterator[Source]:
    if isinstance(part, Source):
        yield part
    if isinstance(part, BaseModel):
        part = tuple(getattr(part, name) for name in type(part).model_fields)
    if isinstance(part, tuple):
        for below in part:
            yield from _sources(below)


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
