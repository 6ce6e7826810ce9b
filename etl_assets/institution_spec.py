"""What a tenant's YAML says, checked before anything runs: the pydantic model of one institution.

Free of Dagster, databases and file systems other than the YAML itself. How a value is parsed or a rule is
judged belongs to `transforms/`; which tables follow from a spec belongs to `tables.py`.
"""

from __future__ import annotations

import os
import re
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import available_timezones

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
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


class SpecRefused(ValueError):  # noqa: N818  the refusal is the fact
    """A tenant's YAML cannot be used; the message names the file, the field and what was expected."""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(Strict):
    """Which source column holds a value. `aliases` are the spellings that the header has had over the years."""

    source: str = Field(min_length=1)
    aliases: tuple[str, ...] = ()

    @property
    def spellings(self) -> tuple[str, ...]:
        return (self.source, *self.aliases)


class Instant(Source):
    """A point in time; `formats` are strptime patterns, tried in order. Without an offset: the institution's zone."""

    formats: tuple[str, ...] = ("%Y-%m-%d %H:%M:%S",)


class Day(Source):
    formats: tuple[str, ...] = ("%Y-%m-%d",)


class Amount(Source):
    """Money. `sign` says what a positive number in the file means for the account."""

    decimal_mark: Literal[".", ","] = "."
    thousands_mark: Literal["", ".", ",", " ", "'"] = ""
    sign: Literal["negative_leaves", "positive_leaves"] = "negative_leaves"

    @model_validator(mode="after")
    def marks_differ(self) -> Amount:
        if self.decimal_mark == self.thousands_mark:
            raise ValueError("decimal_mark and thousands_mark must differ")
        return self


class Currency(Strict):
    """One currency for every row (`fixed`), or the column that names it (`source`)."""

    fixed: str | None = Field(default=None, pattern=r"^[A-Z]{3}$")
    source: str | None = None
    aliases: tuple[str, ...] = ()

    @model_validator(mode="after")
    def exactly_one(self) -> Currency:
        if (self.fixed is None) == (self.source is None):
            raise ValueError("expected exactly one of `fixed: EUR` or `source: COLUMN`")
        return self


class Columns(Strict):
    """Canonical column -> source column. Only `event_at` and `amount` are mandatory."""

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


class Csv(Strict):
    """The dialect of the institution's text files."""

    separator: str = Field(default=",", min_length=1, max_length=1)
    quote: str = Field(default='"', min_length=1, max_length=1)
    encoding: str = "utf-8"
    max_field_bytes: int = Field(default=65_536, gt=0)

    @field_validator("encoding")
    @classmethod
    def known_encoding(cls, value: str) -> str:
        try:
            b"".decode(value)
        except LookupError as error:
            raise ValueError(f"Python knows no encoding {value!r}; expected one such as utf-8 or cp1252") from error
        return value


class Deliveries(Strict):
    """Where the files are and how a file name says which business date it is for."""

    folder: str
    file_name: str
    business_date_format: str = "%Y%m%d"
    format: Literal["csv", "parquet"] = "csv"
    csv: Csv = Csv()

    @field_validator("file_name")
    @classmethod
    def names_the_business_date(cls, value: str) -> str:
        try:
            groups = re.compile(value).groupindex
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        if "business_date" not in groups:
            raise ValueError("expected a group (?P<business_date>...) in the pattern")
        return value

    def business_date(self, file_name: str) -> date | None:
        """The date in `file_name`, or None where the name is not one of this institution's deliveries."""
        found = re.fullmatch(self.file_name, file_name)
        if found is None:
            return None
        try:
            return datetime.strptime(found["business_date"], self.business_date_format).date()  # noqa: DTZ007
        except ValueError:
            return None


class RowRule(Strict):
    """A named promise of every published row; a row that breaks it is quarantined under this name."""

    name: Name
    column: str
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    pattern: str | None = None
    allowed: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def says_something(self) -> RowRule:
        if not self.required and all(v is None for v in (self.minimum, self.maximum, self.pattern, self.allowed)):
            raise ValueError("expected at least one of required, minimum, maximum, pattern, allowed")
        if self.pattern is not None:
            re.compile(self.pattern)
        return self


class BatchRules(Strict):
    """Promises of a whole business date; a date that breaks one keeps its old rows."""

    max_quarantined_share: float = Field(default=0.05, ge=0, le=1)
    min_records: int = Field(default=0, ge=0)


class Labels(Strict):
    """The delivered column that says which rows were confirmed as fraud, and how late that was known."""

    source: str
    aliases: tuple[str, ...] = ()
    fraud_values: tuple[str, ...] = ("1", "true")
    known_after_days: int = Field(default=7, ge=0)


class AlertBudget(Strict):
    """How much of the traffic people can look at: the flagged share of a business date stays near it."""

    share: float = Field(default=0.005, gt=0, lt=1)
    tolerance: float = Field(default=3.0, ge=1, description="the check fails above share x tolerance")


class Model(Strict):
    """How much history the weekly model learns from, and how little is too little."""

    training_weeks: int = Field(default=4, ge=1, le=53)
    min_rows: int = Field(default=1_000, ge=100)


class InstitutionSpec(Strict):
    """One tenant. Everything that distinguishes it from another is here; nothing of it is in Python."""

    institution: Name
    description: str
    owners: tuple[str, ...] = Field(min_length=1)
    start_date: date
    time_zone: str
    deliveries: Deliveries
    columns: Columns
    key: tuple[str, ...] = ()
    event_precision: Literal["second", "day"] = "second"
    max_lateness_days: int = Field(default=7, ge=0, le=366)
    duplicate_horizon_days: int = Field(default=7, ge=0, le=366)
    row_rules: tuple[RowRule, ...] = ()
    batch_rules: BatchRules = BatchRules()
    pass_through: tuple[Name, ...] = ()
    labels: Labels | None = None
    alert_budget: AlertBudget = AlertBudget()
    model: Model = Model()

    @field_validator("time_zone")
    @classmethod
    def known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"{value!r} is no IANA time zone; expected one such as Europe/Berlin")
        return value

    @field_validator("owners")
    @classmethod
    def owners_are_reachable(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for owner in value:
            if not re.fullmatch(r"team:[\w-]+|[^@\s]+@[^@\s]+\.[^@\s]+", owner):
                raise ValueError(f"{owner!r} is no owner; expected an e-mail address or team:NAME")
        return value

    @model_validator(mode="after")
    def columns_exist(self) -> InstitutionSpec:
        mapped = {name for name in Columns.model_fields if getattr(self.columns, name) is not None}
        for field, names in (("key", self.key), ("row_rules", tuple(rule.column for rule in self.row_rules))):
            if unknown := [name for name in names if name not in mapped | set(self.pass_through)]:
                raise ValueError(f"{field} names {unknown}; expected canonical columns that `columns` maps")
        if taken := sorted(set(self.pass_through) & set(Columns.model_fields)):
            raise ValueError(f"pass_through names {taken}, which are canonical; map them under `columns`")
        spelled = [s for spellings in self.declared.values() for s in spellings]
        if twice := sorted({s for s in spelled if spelled.count(s) > 1}):
            raise ValueError(f"source columns {twice} are named twice")
        return self

    @property
    def declared(self) -> dict[str, tuple[str, ...]]:
        """Source column -> every spelling of it, in the order in which raw tables have them."""
        mapped = [getattr(self.columns, name) for name in Columns.model_fields]
        sources = [s for s in (*mapped, self.labels) if s is not None and s.source is not None]
        return {s.source: (s.source, *s.aliases) for s in sources} | {name: (name,) for name in self.pass_through}

    @property
    def identity(self) -> tuple[str, ...]:
        """The columns that tell two transactions apart: the declared key, or the id that content gives."""
        return self.key or ("transaction_id",)

    @property
    def folder(self) -> Path:
        """The delivery folder with environment variables resolved, such as ${ETL_DELIVERIES}."""
        return Path(os.path.expandvars(self.deliveries.folder))


def load_spec(path: Path) -> InstitutionSpec:
    """The institution that `path` describes.

    Raises: SpecRefused, naming file, field and what was expected, for each mistake at once.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise SpecRefused(f"{path}: not a readable YAML file: {error}") from error
    try:
        return InstitutionSpec.model_validate(content)
    except ValidationError as error:
        raise SpecRefused(f"{path}:\n" + "\n".join(_mistakes(error))) from None


def _mistakes(error: ValidationError) -> list[str]:
    return [
        f"  {'.'.join(str(part) for part in mistake['loc']) or 'the whole file'}: {mistake['msg']}"
        for mistake in error.errors(include_url=False)
    ]
