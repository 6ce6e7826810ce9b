"""What a tenant's YAML says, checked before anything runs: the pydantic model of one institution.

Free of Dagster, databases and file systems other than the YAML itself. How a value is parsed or a rule is
judged belongs to `transforms/`; which tables follow from a spec belongs to `tables.py`.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator

from etl_assets.spec.columns import (
    CANONICAL_TEXT,
    Amount,
    Columns,
    Currency,
    Day,
    Instant,
    Name,
    Source,
    Strict,
)
from etl_assets.spec.deliveries import Csv, Deliveries, FolderUnset
from etl_assets.spec.file import Place, SpecRefused, yaml_file
from etl_assets.spec.learning import Labels, Training
from etl_assets.spec.mirror import Mirror
from etl_assets.spec.mistakes import Contradiction, in_words, refused
from etl_assets.spec.privacy import PersonalData, contradictions
from etl_assets.spec.rules import AlertBudget, BatchRules, RowRule, doubtful_expressions
from etl_assets.spec.source import IsoDay, Whole, text

__all__ = [
    "CANONICAL_TEXT",
    "AlertBudget",
    "Amount",
    "BatchRules",
    "Columns",
    "Csv",
    "Currency",
    "Day",
    "Deliveries",
    "FolderUnset",
    "Instant",
    "InstitutionSpec",
    "Labels",
    "Name",
    "RowRule",
    "Source",
    "SpecRefused",
    "Strict",
    "Training",
    "load_spec",
]
DERIVED = frozenset({"business_date", "event_at_is_ambiguous", "is_fraud", "warnings"})

zones = cache(available_timezones)


def _is_reachable(owner: str) -> str:
    if not re.fullmatch(r"team:[\w-]+|[^@\s]+@[^@\s]+\.[^@\s]+", owner):
        raise ValueError("expected an e-mail address or team:NAME")
    return owner


Owner = Annotated[str, AfterValidator(_is_reachable), text(r"^(team:\S+|[^@\s]+@[^@\s]+\.[^@\s]+)$")]


class InstitutionSpec(Strict):
    """One tenant. Everything that distinguishes it from another is here; nothing of it is in Python."""

    institution: Name
    """Name in tables, assets and commands: small letters, digits and underscores, such as `my_bank`."""
    description: str
    """What this institution is, in one sentence for people."""
    owners: tuple[Owner, ...] = Field(min_length=1)
    """Who hears of it when something is wrong: e-mail addresses or `team:NAME`."""
    start_date: IsoDay
    """First business date that is taken in, such as `2026-03-02`."""
    time_zone: Annotated[str, text(r"^[A-Za-z]", examples=["Europe/Berlin", "UTC"])]
    """IANA name such as `Europe/Berlin`: the clock of times without an offset, and what day it is there."""
    deliveries: Deliveries
    """Where the files are, what their names say and how they are read."""
    columns: Columns
    """Which delivered column each canonical column comes from, and how its text is written."""
    key: tuple[str, ...] = ()
    """Columns that together tell two transactions apart. By default `transaction_id` alone."""
    event_precision: Literal["second", "day"] = "second"
    """`day` where times have no time of day; then there are no features of it."""
    max_lateness_days: Whole = Field(default=7, ge=0, le=366)
    """How many days an event may lie before its business date. A monthly file wants 31 and more."""
    duplicate_horizon_days: Whole = Field(default=7, ge=0, le=366)
    """How many business dates before and after are searched for the same transaction."""
    row_rules: tuple[RowRule, ...] = ()
    """What must be true of each row; one that breaks a rule is quarantined under the rule's name."""
    batch_rules: BatchRules = BatchRules()
    """What must be true of a whole business date; one that breaks a rule keeps the rows that it has."""
    pass_through: tuple[Name, ...] = ()
    """Delivered columns that are published under their own names, as text."""
    personal_data: PersonalData = PersonalData()
    """Source columns that no table may show in the clear."""
    labels: Labels | None = None
    """The column that says which rows were confirmed as fraud, if one is delivered."""
    alert_budget: AlertBudget = AlertBudget()
    """How many alerts people can look at."""
    training: Training = Training()
    """How much history the weekly model learns from."""
    snowflake: Mirror = Mirror()
    """Which tables are mirrored in Snowflake."""

    @field_validator("time_zone")
    @classmethod
    def known_zone(cls, value: str) -> str:
        if value not in zones():
            near = difflib.get_close_matches(value, zones(), n=1) or ["Europe/Berlin"]
            raise ValueError(f"expected an IANA time zone such as {near[0]}")
        return value

    @model_validator(mode="after")
    def parts_agree(self) -> InstitutionSpec:
        doubts = (self._unknown_columns(), self._repeated_names(), self._shared_sources(), self._unreadable_times())
        refused(type(self).__name__, itertools.chain(*doubts, contradictions(self)))
        return self

    def _unknown_columns(self) -> Iterator[Contradiction]:
        known = [*self.columns.mapped, *self.pass_through]
        asked: list[tuple[Place, str]] = [(("key", i), name) for i, name in enumerate(self.key)]
        asked += [(("row_rules", i, "column"), rule.column) for i, rule in enumerate(self.row_rules) if rule.column]
        for place, name in asked:
            if name not in known:
                yield place, f"expected a column that `columns` maps: {', '.join(known)}", name
        for name in dict.fromkeys(("event_at", "amount", *self.identity)):
            if getattr(self.columns.mapped.get(name), "optional", False) and not self._is_had_otherwise(name):
                yield ("columns", name, "optional"), "expected false: no row is a transaction without it", True
        of_rows = [*known, "business_date", "event_at_is_ambiguous", *(["is_fraud"] if self.labels else [])]
        yield from doubtful_expressions(self.row_rules, of_rows, self.time_zone)
        for i, name in enumerate(self.pass_through):
            if name in DERIVED | set(Columns.model_fields):
                yield ("pass_through", i), "the platform has a column of that name; map its source in `columns`", name

    def _is_had_otherwise(self, name: str) -> bool:
        """Whether another column, which no file lacks, has the amount."""
        other = self.columns.amount.otherwise
        return name == "amount" and other is not None and not other.optional

    def _repeated_names(self) -> Iterator[Contradiction]:
        lists = {"key": self.key, "row_rules": tuple(rule.name for rule in self.row_rules)}
        for field, names in lists.items():
            for i, name in enumerate(names):
                if name in names[:i]:
                    yield (field, i), "expected each name once", name

    def _shared_sources(self) -> Iterator[Contradiction]:
        readers: dict[str, str] = {}
        for place, spellings in self._spellings():
            for spelling in spellings:
                if spelling in readers:
                    yield place, f"expected a source that {readers[spelling]} does not read", spelling
                readers.setdefault(spelling, ".".join(map(str, place)))

    def _unreadable_times(self) -> Iterator[Contradiction]:
        event_at = self.columns.event_at
        if self.event_precision == "second" and not event_at.has_time_of_day:
            written = f"steps of one {event_at.steps.unit}" if event_at.steps else f"formats {event_at.formats}"
            yield ("event_precision",), f"expected day: columns.event_at.{written} have no time of day", "second"
        if not self.deliveries.can_name_a_day_of_the_year_from(self.start_date):
            example = self.start_date.strftime(self.deliveries.business_date_format)
            why = f"expected a group business_date that takes what business_date_format writes, such as {example!r}"
            yield ("deliveries", "file_name"), why, self.deliveries.file_name

    def _spellings(self) -> Iterator[tuple[Place, tuple[str, ...]]]:
        for name, column in self.columns.mapped.items():
            for place, spellings in column.readers():
                yield ("columns", name, *place), spellings
        if self.labels is not None:
            yield ("labels",), self.labels.spellings
        for i, name in enumerate(self.pass_through):
            yield ("pass_through", i), (name,)

    @property
    def declared(self) -> dict[str, tuple[str, ...]]:
        """Source column -> every spelling of it, in the order in which raw tables have them."""
        return {spellings[0]: spellings for _, spellings in self._spellings()}

    @property
    def identity(self) -> tuple[str, ...]:
        """The columns that tell two transactions apart: the declared key, or the id that content gives."""
        return self.key or ("transaction_id",)

    @property
    def folder(self) -> Path:
        """The delivery folder with environment variables resolved. Raises: FolderUnset where one is not set."""
        return self.deliveries.path


def load_spec(path: Path) -> InstitutionSpec:
    """The institution that `path` describes.

    Raises: SpecRefused, naming file, field, line, what was found and what was expected, for several mistakes at once.
    """
    file = yaml_file(path)
    try:
        return InstitutionSpec.model_validate(file.content)
    except ValidationError as error:
        raise SpecRefused("\n  ".join([f"{path}:", *in_words(error, InstitutionSpec, file.line)])) from None
