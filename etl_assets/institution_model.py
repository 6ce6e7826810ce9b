"""What a tenant's YAML says about its model: the confirmed labels that it is measured by, and its training."""

from __future__ import annotations

from pydantic import Field

from etl_assets.institution_columns import Source, Strict


class Labels(Source):
    """The delivered column that says which rows were confirmed as fraud, and how late that was known."""

    fraud_values: tuple[str, ...] = Field(default=("1", "true"), min_length=1)
    known_after_days: int = Field(default=7, ge=0)


class Training(Strict):
    """How much history the weekly model learns from, and how little is too little."""

    weeks: int = Field(default=4, ge=1, le=53)
    min_rows: int = Field(default=1_000, ge=100)
    min_days: int = Field(default=14, ge=1)
