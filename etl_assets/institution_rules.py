"""What must be true of a tenant's rows, of a whole business date, and of its alerts: the rules of a spec.

Judging rows by them belongs to `transforms/`; what the rules are about to `institution_columns.py`.
"""

from __future__ import annotations

import re

from pydantic import Field, field_validator, model_validator

from etl_assets.institution_columns import Name, Strict


class RowRule(Strict):
    """A named promise of every published row; a row that breaks it is quarantined under this name."""

    name: Name
    column: str
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    pattern: str | None = None
    allowed: tuple[str, ...] | None = Field(default=None, min_length=1)

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
        if not self.required and all(v is None for v in (self.minimum, self.maximum, self.pattern, self.allowed)):
            raise ValueError("expected at least one of required: true, minimum, maximum, pattern, allowed")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum:g} is above maximum {self.maximum:g}; no value can be between")
        return self


class BatchRules(Strict):
    """Promises of a whole business date; a date that breaks one keeps its old rows."""

    max_quarantined_share: float = Field(default=0.05, ge=0, le=1)
    min_records: int = Field(default=0, ge=0)


class AlertBudget(Strict):
    """How much of the traffic people can look at: the flagged share of a business date stays near it."""

    share: float = Field(default=0.005, gt=0, lt=1)
    tolerance: float = Field(default=3.0, ge=1, description="the check fails above share x tolerance")
