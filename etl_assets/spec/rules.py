"""What must be true of a tenant's rows, of a whole business date, and of its alerts: the rules of a spec.

Judging rows by them belongs to `transforms/`; what the rules are about to `columns.py`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Annotated, Literal

import pyarrow as pa
from pydantic import ConfigDict, Field, field_validator, model_validator

from etl_assets.row_expressions import doubt
from etl_assets.spec.columns import Name, Strict, Title
from etl_assets.spec.file import SpecRefused
from etl_assets.spec.mistakes import Contradiction
from etl_assets.spec.source import Flag, Number, Whole, said_once, text

BatchRule = Literal["max_quarantined_share", "min_records", "max_records", "volume"]
OF_A_COLUMN = ("required", "minimum", "maximum", "pattern", "allowed", "reference")
DAY = pa.date32()
TYPES = {
    "business_date": DAY,
    "event_at": pa.timestamp("us", "UTC"),
    "event_at_is_ambiguous": pa.bool_(),
    "booked_on": DAY,
    "amount": pa.decimal128(24, 4),
    "is_fraud": pa.bool_(),
}


class ReferenceUnusable(SpecRefused):
    """The file of a reference list is not there or has no such column; the rule can judge no row."""


class Reference(Strict):
    """A list that somebody else keeps: one column of a CSV (with commas and a header) or Parquet file."""

    file: Annotated[Title, text(r".\.(csv|parquet)$")]
    """A .csv (UTF-8, commas, header) or .parquet file, with environment variables as in `${ETL_REFERENCES}/mcc.csv`."""
    column: Title
    """Title of the column that holds the allowed values."""

    @field_validator("file")
    @classmethod
    def can_be_read(cls, value: str) -> str:
        if not Template(value).is_valid():
            raise ValueError("expected environment variables as in ${ETL_REFERENCES}/mcc.csv, and $$ for a dollar sign")
        if Path(value).suffix not in {".csv", ".parquet"}:
            raise ValueError("expected a file whose name ends in .csv or .parquet")
        return value

    @property
    def path(self) -> Path:
        """Where the list is, with environment variables resolved when it is used, as those of `deliveries.folder`.

        Raises: ReferenceUnusable, naming the variables that are not set.
        """
        file = Template(self.file)
        if unset := [name for name in file.get_identifiers() if not os.environ.get(name)]:
            raise ReferenceUnusable(
                f"reference.file is {self.file!r} and {', '.join(unset)} is not set in the environment; "
                "set it to the folder of the lists, or write the folder into the spec"
            )
        return Path(file.substitute(os.environ))


class RowRule(Strict):
    """A named promise of every published row; a row that breaks it is quarantined under this name.

    One that `warns` only names itself in `warnings` of the published row: outliers are rare, not wrong.
    """

    model_config = ConfigDict(json_schema_extra=said_once("column", "holds"))

    name: Name
    """What is promised, such as `amount_is_plausible`. A row that breaks it is quarantined under this name."""
    column: str | None = None
    """The canonical or passed-through column that the rule is about. Not beside `holds`."""
    required: Flag = False
    """`true`: each row has a value here. The other conditions are about rows that have one."""
    minimum: Number | None = None
    """The least value; for an amount after its sign, in its currency."""
    maximum: Number | None = None
    """The greatest value; for an amount after its sign, in its currency."""
    pattern: str | None = None
    """Regular expression that the whole text matches, such as `[A-Z]{2}`."""
    allowed: tuple[str, ...] | None = Field(default=None, min_length=1)
    """The values that there may be, as text."""
    reference: Reference | None = None
    """A list in a file that holds the values that there may be."""
    holds: Title | None = None
    """SQL condition over the columns of one row, such as `amount < 0 OR reverses_id IS NOT NULL`; unknown holds."""
    warns: Flag = False
    """`true`: the row is published and the rule named in `warnings`. By default it is quarantined."""

    @field_validator("pattern")
    @classmethod
    def is_a_regular_expression(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"expected a regular expression: {error}") from error
        return value

    @model_validator(mode="after")
    def says_something(self) -> RowRule:
        values = {name: getattr(self, name) for name in OF_A_COLUMN}
        said = [name for name, value in values.items() if value is not None and value is not False]
        if self.holds is not None and (said or self.column is not None):
            found = ", ".join([*(["column"] if self.column else []), *said])
            raise ValueError(f"holds names its columns itself; expected it alone, or a rule of its own for {found}")
        if self.holds is None and not said:
            raise ValueError("expected at least one of required: true, minimum, maximum, pattern, allowed, reference")
        if self.holds is None and self.column is None:
            raise ValueError(f"expected `column`, which {', '.join(said)} is about")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum:g} is above maximum {self.maximum:g}; no value can be between")
        return self


def doubtful_expressions(rules: Sequence[RowRule], columns: Sequence[str], time_zone: str) -> Iterator[Contradiction]:
    """Every `holds` that cannot judge rows of these canonical columns, with the reason."""
    types: Mapping[str, pa.DataType] = {name: TYPES.get(name, pa.string()) for name in columns}
    for i, rule in enumerate(rules):
        if rule.holds is not None and (why := doubt(rule.holds, types, time_zone)):
            yield ("row_rules", i, "holds"), f"rule {rule.name}: {why}", rule.holds


class Volume(Strict):
    """Records of a business date as a multiple of the median of the same weekday in the `weeks` before."""

    minimum: Number = Field(default=0, ge=0)
    """Least number of records, as a multiple of the median: 0.3 is 30 %."""
    maximum: Number = Field(gt=0)
    """Greatest number of records, as a multiple of the median: 3 is three times as many."""
    weeks: Whole = Field(default=8, ge=1, le=52)
    """How many weeks back the same weekday is compared with."""
    least_weeks: Whole = Field(default=3, ge=1)
    """With records in fewer of these weeks, nothing is judged."""

    @model_validator(mode="after")
    def can_be_met(self) -> Volume:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum:g} is above maximum {self.maximum:g}; no day can be between")
        if self.least_weeks > self.weeks:
            raise ValueError(f"least_weeks {self.least_weeks} is above weeks {self.weeks}; no day would be judged")
        return self


class BatchRules(Strict):
    """Promises of a whole business date; a date that breaks one keeps its old rows, unless the rule only `warns`."""

    max_quarantined_share: Number = Field(default=0.05, ge=0, le=1)
    """Greatest share of invalid records, 0 to 1. Duplicates do not count."""
    min_records: Whole = Field(default=0, ge=0)
    """Least number of records of a business date, as delivered."""
    max_records: Whole | None = Field(default=None, ge=1)
    """Greatest number of records of a business date, as delivered. No limit by default."""
    volume: Volume | None = None
    """How far a date may differ from the same weekday in the weeks before. Not judged by default."""
    warns: tuple[BatchRule, ...] = ()
    """Rules of this list that are only reported: the date is published all the same."""

    @model_validator(mode="after")
    def can_be_met(self) -> BatchRules:
        if self.max_records is not None and self.min_records > self.max_records:
            raise ValueError(f"min_records {self.min_records} is above max_records {self.max_records}")
        off = {"min_records": not self.min_records, "max_records": not self.max_records, "volume": not self.volume}
        if idle := [name for name in self.warns if off.get(name)]:
            raise ValueError(f"warns names {', '.join(idle)}, which is not set; expected rules that stand beside it")
        return self


class AlertBudget(Strict):
    """How much of the traffic people can look at: the flagged share of a business date stays near it."""

    share: Number = Field(default=0.005, gt=0, lt=1)
    """Share of transactions that is flagged, such as 0.01 for one in a hundred."""
    tolerance: Number = Field(default=3.0, ge=1)
    """The check fails for a date of which more than `share` times this is flagged."""
