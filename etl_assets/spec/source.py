"""The smallest parts of a spec: a strict part, a name, and the source column that something is read from.

What a column means and how its text is written belongs to the modules that build on this one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

LONGEST_NAME_BYTES = 63
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


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
Title = Annotated[str, Field(min_length=1)]
SourceName = Annotated[Title, AfterValidator(_names_a_column)]
Value = Annotated[Title, AfterValidator(_is_trimmed)]
Values = Annotated[tuple[Value, ...], Field(min_length=1)]


class Strict(BaseModel):
    """A part of the spec: an unknown field is a mistake, and so is a number that is none."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Source(Strict):
    """Which source column holds a value. `aliases` are the spellings that the header has had over the years.

    A file may lack an `optional` column: the value is null in all its rows then.
    """

    source: SourceName
    aliases: tuple[Title, ...] = ()
    optional: bool = False

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
        return {"source": value} if isinstance(value, str) else value


class Word(Source):
    """Text for which an institution may have words of its own; `mapping` says what they mean, others stay."""

    mapping: dict[Value, Value] = Field(default_factory=dict)


class Joined(Source):
    """A value that stands in several columns: `source`, then those of `followed_by`, with one space between."""

    followed_by: tuple[Part, ...] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        return (self.source, *(part.source for part in self.followed_by))

    def readers(self) -> Iterator[Reader]:
        """Each source column that this reads: where below this field, and every spelling of it."""
        yield from super().readers()
        for i, part in enumerate(self.followed_by):
            yield ("followed_by", i), part.spellings
