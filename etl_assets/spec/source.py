"""The smallest parts of a spec: a strict part, a name, and the source column that something is read from.

What a column means and how its text is written belongs to the modules that build on this one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    WithJsonSchema,
    model_validator,
)
from pydantic.config import JsonDict
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

LONGEST_NAME_BYTES = 63
DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
Reader = tuple[tuple[str | int, ...], tuple[str, ...]]


def _names_a_column(value: str) -> str:
    if value.startswith("_") or value == "business_date":
        raise ValueError("the platform has a column of that name; name it otherwise and put this one under aliases")
    if len(value.encode()) > LONGEST_NAME_BYTES or "\0" in value:
        raise ValueError(f"expected at most {LONGEST_NAME_BYTES} bytes; shorten it and put the title under aliases")
    return value


def _is_trimmed(value: str) -> str:
    if value != value.strip(" "):
        raise ValueError("expected no space at its ends, since values are compared without")
    return value


def _is_written_as_a_day(value: object) -> object:
    """Numbers would be seconds since 1970: `20260302` a day in August of that year."""
    if not isinstance(value, date) and not re.fullmatch(DAY, str(value)):
        raise ValueError("expected a day as in 2026-03-02")
    return value


def _is_no_flag(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("expected a number")  # noqa: TRY004  pydantic reports no TypeError
    return value


def text(pattern: str, **more: object) -> WithJsonSchema:
    """What an editor may know of a text that Python checks; it marks nothing that the model takes."""
    return WithJsonSchema({"type": "string", "pattern": pattern, **more})


def said_once(*names: str) -> JsonDict:
    """Of these fields exactly one is given, and not as null."""
    return {"oneOf": [{"required": [name], "properties": {name: {"not": {"type": "null"}}}} for name in names]}


Whole = Annotated[int, Field(strict=True)]
Number = Annotated[float, BeforeValidator(_is_no_flag)]
Flag = Annotated[bool, Field(strict=True)]
IsoDay = Annotated[date, BeforeValidator(_is_written_as_a_day), text(f"^{DAY}$")]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
Title = Annotated[str, Field(min_length=1)]
SourceName = Annotated[Title, AfterValidator(_names_a_column), text(r"^(?!_)(?!business_date$)[\s\S]{1,63}$")]
Value = Annotated[Title, AfterValidator(_is_trimmed), text(r"^[^ ]([\s\S]*[^ ])?$")]
Values = Annotated[tuple[Value, ...], Field(min_length=1)]


class Strict(BaseModel):
    """A part of the spec: an unknown field is a mistake, and so is a number that is none."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)


class Source(Strict):
    """Which source column holds a value. `aliases` are the spellings that the header has had over the years.

    A file may lack an `optional` column: the value is null in all its rows then.
    """

    source: SourceName
    """Title of the column in the delivered file, exactly as its header has it; in JSON a key, or a dotted path."""
    aliases: tuple[Title, ...] = ()
    """Other titles that the header has had for this column over the years."""
    optional: Flag = False
    """`true`: a file without this column is taken, and the value is null in all its rows. By default it is rejected."""

    @property
    def spellings(self) -> tuple[str, ...]:
        return (self.source, *self.aliases)

    def readers(self) -> Iterator[Reader]:
        """Each source column that this reads: where below this field, and every spelling of it."""
        yield (), self.spellings


class Part(Source):
    """A column of several that make up one value: its name, or its name with aliases."""

    @model_validator(mode="before")
    @classmethod
    def of_a_name(cls, value: Any) -> Any:
        if isinstance(value, int | float):
            raise ValueError("expected a title, in quotes")  # noqa: TRY004  pydantic reports no TypeError
        return {"source": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        fields = handler(core_schema)
        title = handler.resolve_ref_schema(fields)["properties"]["source"]
        return {"anyOf": [title, fields]}


class Word(Source):
    """Text for which an institution may have words of its own; `mapping` says what they mean, others stay."""

    mapping: dict[Value, Value] = Field(default_factory=dict)
    """Word of the institution -> our word, such as `POS: card_present`. Words that are not listed stay as they are."""


class Joined(Source):
    """A value that stands in several columns: `source`, then those of `followed_by`, with one space between."""

    followed_by: tuple[Part, ...] = ()
    """Columns with the rest of the value: titles, or `{source: ..., aliases: [...]}`. One space joins the texts."""

    @property
    def sources(self) -> tuple[str, ...]:
        return (self.source, *(part.source for part in self.followed_by))

    def readers(self) -> Iterator[Reader]:
        """Each source column that this reads: where below this field, and every spelling of it."""
        yield from super().readers()
        for i, part in enumerate(self.followed_by):
            yield ("followed_by", i), part.spellings
