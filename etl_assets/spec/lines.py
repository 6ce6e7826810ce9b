"""What stands round the records of a text file, and where fields stand in lines of fixed width: fields of a spec.

Finding these lines in a file and checking what they say belongs to `sources/`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator, model_validator

from etl_assets.spec.columns import Strict, Title
from etl_assets.spec.source import Flag, Whole

CONTROL_GROUPS = ("rows", "total")


def _encodes(value: str) -> str:
    try:
        "a".encode(value)  # nothing at all would be encoded without a look at the name
    except LookupError as error:
        raise ValueError("Python knows no such text encoding; expected one such as utf-8 or cp1252") from error
    return value


def _compiles(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"expected a regular expression: {error}") from error
    return value


Encoding = Annotated[str, AfterValidator(_encodes)]
LinePattern = Annotated[Title, AfterValidator(_compiles)]


class Footer(Strict):
    """The lines at the end of a file that are no records: each matches `pattern` as a whole.

    What its groups `rows` and `total` hold is checked against the records and against the sum of the amount column.
    A file without them is cut off, unless they are not `required`, because older files had none.
    """

    pattern: LinePattern
    """Regular expression of a footer line as a whole. Its groups `rows` and `total` are checked against the records."""
    required: Flag = True
    """`false`: a file without a footer is taken too, as older ones had none."""

    @field_validator("pattern")
    @classmethod
    def tells_a_footer_from_other_lines(cls, value: str) -> str:
        if unknown := sorted(set(re.compile(value).groupindex) - {*CONTROL_GROUPS}):
            raise ValueError(f"expected no named groups but {' and '.join(CONTROL_GROUPS)}, and not {unknown}")
        if re.fullmatch(value, ""):
            raise ValueError("it matches an empty line, so it would take records for footers; say what a footer holds")
        return value

    @property
    def controls(self) -> tuple[str, ...]:
        """What the footer says of the file, by the names of its groups."""
        named = re.compile(self.pattern).groupindex
        return tuple(group for group in CONTROL_GROUPS if group in named)


class Framed(Strict):
    """A text file whose records may stand between lines that are none.

    The preamble has a fixed number of lines, or is as many lines at the start as match `preamble` as a whole:
    `(?!Date;).*` matches whatever comes before the header.
    """

    preamble_lines: Whole = Field(default=0, ge=0)
    """How many lines stand before the header. Give this or `preamble`."""
    preamble: LinePattern | None = None
    """Regular expression of each line before the header as a whole, such as `(?!Date;).*`."""
    footer: Footer | None = None
    """The lines at the end of the file that are no records."""

    @model_validator(mode="after")
    def has_one_preamble(self) -> Framed:
        if self.preamble is not None and self.preamble_lines:
            raise ValueError("both preamble_lines and preamble say where the records begin; expected one of them")
        return self


class FixedColumn(Strict):
    """A field of every line: `width` characters, the first of them at `start`, counted from 1."""

    name: Title
    """Title by which `columns` names this field."""
    start: Whole = Field(ge=1)
    """Its first character, counted from 1."""
    width: Whole = Field(ge=1)
    """How many characters it has."""

    @property
    def end(self) -> int:
        return self.start + self.width - 1


class FixedWidth(Framed):
    """The lines of a file without separators: every character of one belongs to a column, fillers included.

    A header line is a preamble of one line. `trim` takes the spaces off the end of each field.
    """

    columns: tuple[FixedColumn, ...] = Field(min_length=1)
    """The fields of a line. They cover it without a gap; fillers are fields too."""
    encoding: Encoding = "utf-8"
    """Text encoding by its Python name, such as `utf-8` or `cp1252`."""
    trim: Flag = False
    """`true`: the spaces at the end of each field are taken off."""

    @field_validator("columns")
    @classmethod
    def cover_the_line(cls, columns: Sequence[FixedColumn]) -> Sequence[FixedColumn]:
        ordered = sorted(columns, key=lambda column: column.start)
        if ordered[0].start > 1:
            raise ValueError(f"expected a column at character 1; the first, {ordered[0].name!r}, {_place(ordered[0])}")
        for before, after in pairwise(ordered):
            if after.start != before.end + 1:
                found = f"{before.name!r} {_place(before)} and {after.name!r} {_place(after)}"
                raise ValueError(f"expected each character in one column, a filler being one too; {found}")
        if len({column.name for column in columns}) < len(columns):
            raise ValueError("expected each name once; number the fillers")
        return tuple(ordered)

    @property
    def record_width(self) -> int:
        """Characters of a whole record."""
        return max(column.end for column in self.columns)


def _place(column: FixedColumn) -> str:
    return f"has characters {column.start} to {column.end}"
