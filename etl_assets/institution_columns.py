"""Which source column each canonical column comes from, and how its text is written: the column half of a spec.

How a value is then parsed belongs to `transforms/`; everything else that a tenant's YAML says to `institution_spec.py`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

CANONICAL_TEXT = (
    "transaction_id",
    "account_id",
    "counterparty_id",
    "reverses_id",
    "direction",
    "channel",
    "category",
    "country",
    "description",
)
LONGEST_NAME_BYTES = 63
EXAMPLE = datetime(2027, 11, 23, 13, 47, 5, tzinfo=UTC)


def _names_a_column(value: str) -> str:
    if value.startswith("_") or value == "business_date":
        raise ValueError("the platform has a column of that name; name it otherwise and put this one under aliases")
    if len(value.encode()) > LONGEST_NAME_BYTES or "\0" in value:
        raise ValueError(f"expected at most {LONGEST_NAME_BYTES} bytes; shorten it and put the title under aliases")
    return value


def _reads_a_day(pattern: str) -> str:
    """The pattern, if what it writes it also reads: `%m%d` would put every day into 1900, `%I` afternoon into night."""
    try:
        written = EXAMPLE.strftime(pattern)
        read = datetime.strptime(written, pattern)  # noqa: DTZ007  only the clock on the wall is compared
    except ValueError as error:
        raise ValueError(f"expected a strptime pattern: {error}") from error
    if read.date() != EXAMPLE.date() or read.hour not in {0, EXAMPLE.hour}:
        raise ValueError(
            f"expected year, month and day, and %p beside %I; it writes {EXAMPLE:%Y-%m-%d %H:%M} as {written!r} "
            f"and reads that as {read:%Y-%m-%d %H:%M}"
        )
    return pattern


def has_time_of_day(pattern: str) -> bool:
    """Whether moments of one day stay apart under this pattern."""
    return EXAMPLE.strftime(pattern) != EXAMPLE.replace(hour=0).strftime(pattern)


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
Title = Annotated[str, Field(min_length=1)]
SourceName = Annotated[Title, AfterValidator(_names_a_column)]
Pattern = Annotated[str, AfterValidator(_reads_a_day)]
Patterns = Annotated[tuple[Pattern, ...], Field(min_length=1)]


class Strict(BaseModel):
    """A part of the spec: an unknown field is a mistake, and so is a number that is none."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Source(Strict):
    """Which source column holds a value. `aliases` are the spellings that the header has had over the years."""

    source: SourceName
    aliases: tuple[Title, ...] = ()

    @property
    def spellings(self) -> tuple[str, ...]:
        return (self.source, *self.aliases)


class Instant(Source):
    """A point in time; `formats` are strptime patterns, tried in order. Without an offset: the institution's zone."""

    formats: Patterns = ("%Y-%m-%d %H:%M:%S",)


class Day(Source):
    formats: Patterns = ("%Y-%m-%d",)


class Amount(Source):
    """Money. `sign` says what a positive number in the file means for the account."""

    decimal_mark: Literal[".", ","] = "."
    thousands_mark: Literal["", ".", ",", " ", "'"] = ""
    sign: Literal["negative_leaves", "positive_leaves"] = "negative_leaves"

    @model_validator(mode="after")
    def marks_differ(self) -> Amount:
        if self.decimal_mark == self.thousands_mark:
            raise ValueError(f"decimal_mark and thousands_mark are both {self.decimal_mark!r}; expected two marks")
        return self


class Currency(Strict):
    """One currency for every row (`fixed`), or the column that names it (`source`)."""

    fixed: str | None = Field(default=None, pattern=r"^[A-Z]{3}$")
    source: SourceName | None = None
    aliases: tuple[Title, ...] = ()

    @model_validator(mode="after")
    def exactly_one(self) -> Currency:
        if (self.fixed is None) == (self.source is None):
            found = f"{self.fixed!r} and {self.source!r}"
            raise ValueError(f"expected exactly one of `fixed: EUR` or `source: COLUMN`; found {found}")
        if self.source is None and self.aliases:
            raise ValueError("aliases are spellings of a `source`; a fixed currency has none")
        return self


class Columns(Strict):
    """Canonical column -> source column. Only `event_at` and `amount` are mandatory, and what the currency is."""

    event_at: Instant
    amount: Amount
    currency: Currency
    transaction_id: Source | None = None
    account_id: Source | None = None
    counterparty_id: Source | None = None
    booked_on: Day | None = None
    reverses_id: Source | None = None
    direction: Source | None = None
    channel: Source | None = None
    category: Source | None = None
    country: Source | None = None
    description: Source | None = None

    @property
    def mapped(self) -> dict[str, Source | Currency]:
        """The canonical columns that this institution has."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: column for name, column in found.items() if column is not None}
