"""What a tenant's YAML says about its model: the confirmed labels that it is measured by, and its training."""

from __future__ import annotations

import itertools

from pydantic import Field, model_validator

from etl_assets.spec.columns import Source, Strict, Value
from etl_assets.spec.source import Whole


class Labels(Source):
    """The delivered column that says which rows were confirmed as fraud, and how late that was known.

    With `genuine_values` the list is complete: another label is quarantined, where it would else count as genuine.
    `undecided_values` are those of cases that are still open; they count as no label.
    """

    fraud_values: tuple[Value, ...] = Field(default=("1", "true"), min_length=1)
    """Values that mean confirmed fraud, as text: `['1', 'true']`."""
    genuine_values: tuple[Value, ...] = ()
    """Values that mean no fraud. With them, any other value is quarantined; without, it counts as no fraud."""
    undecided_values: tuple[Value, ...] = ()
    """Values of cases that are still open; they count as no label."""
    known_after_days: Whole = Field(default=7, ge=0)
    """Days until a label is known. A model leaves out only those frauds that were known when its week began."""

    @model_validator(mode="after")
    def lists_differ(self) -> Labels:
        lists = ({*self.fraud_values}, {*self.genuine_values}, {*self.undecided_values})
        both = set[str]().union(*(a & b for a, b in itertools.combinations(lists, 2)))
        if both:
            raise ValueError(f"expected each label in one list; found {', '.join(sorted(both))} in two")
        return self


class Training(Strict):
    """How much history the weekly model learns from, and how little is too little."""

    weeks: Whole = Field(default=4, ge=1, le=53)
    """Weeks of history before its own week that a model learns from."""
    min_rows: Whole = Field(default=1_000, ge=100)
    """With fewer rows no new model is trained; the one in force stays."""
    min_days: Whole = Field(default=14, ge=1)
    """With rows of fewer days no new model is trained; the one in force stays."""
