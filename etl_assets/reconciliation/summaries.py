"""A partition in a few numbers, computed where its rows are: rows, and per column counts, exact sums and extremes.

They say at a glance how much and which column is concerned. That the rest is equal says only the content hash of
`fingerprints.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from etl_assets.io_managers.slices import Slice
from etl_assets.reconciliation.canonical import ORDERED, SUMMED, Kind, kind_of
from etl_assets.reconciliation.partition_rows import Aggregates, grouped
from etl_assets.reconciliation.sides import Side

SUMMED_DIGITS = 28
"""A sum of ten billion such values has the 38 digits that Snowflake has; larger ones are left out, and only hashed."""
COUNT, SUM, LEAST, MOST = "count", "sum", "least", "most"
NOTHING: Mapping[tuple[str, str], Any] = MappingProxyType({})


@dataclass(frozen=True)
class Summary:
    """One partition on one side. The facts are by what is said and of which column."""

    rows: int = 0
    facts: Mapping[tuple[str, str], Any] = field(default_factory=lambda: NOTHING)

    def columns_unlike(self, other: Summary) -> set[str]:
        """The columns that cannot hold the same values; one that is not named may differ all the same."""
        said = {*self.facts, *other.facts}
        return {column for fact, column in said if self.facts.get((fact, column)) != other.facts.get((fact, column))}

    def sums(self) -> dict[str, str | None]:
        """By numeric column its exact sum."""
        return {column: value for (fact, column), value in self.facts.items() if fact == SUM}


def summaries(side: Side, slice_: Slice) -> dict[str, Summary]:
    """Each partition key of the slice that has rows, with its summary."""
    facts = _facts(side)
    found = grouped(side, slice_, Aggregates([side.dialect.as_text("count(*)"), *facts.values()]))
    return {
        key: Summary(int(rows), {fact: _plain(value) for fact, value in zip(facts, values, strict=True)})
        for key, (rows, *values) in found
    }


def _plain(value: Any) -> Any:
    """Doubles as text: NaN is then equal to NaN, and -0.0 becomes 0.0."""
    return repr(value + 0.0) if isinstance(value, float) else value


def _facts(side: Side) -> dict[tuple[str, str], str]:
    facts: dict[tuple[str, str], str] = {}
    for column in side.table.columns:
        kind, x = kind_of(column.type), side.dialect.identifier(column.name)
        facts[COUNT, column.name] = side.dialect.as_text(f"count({x})")
        if kind in SUMMED:
            facts[SUM, column.name] = side.dialect.as_text(f"sum({_bounded(column.type, x)})")
        for fact, extreme in ((LEAST, f"min({x})"), (MOST, f"max({x})")) if kind in ORDERED else ():
            is_double = kind is Kind.FLOAT
            facts[fact, column.name] = (
                side.dialect.as_double(extreme) if is_double else side.dialect.value(column, extreme)
            )
    return facts


def _bounded(type_: pa.DataType, x: str) -> str:
    """The values that are summed: those whose sum is sure to have room."""
    if not pa.types.is_decimal(type_) or type_.precision <= SUMMED_DIGITS:
        return x
    limit = format(Decimal(10) ** (SUMMED_DIGITS - type_.scale), "f")
    return f"CASE WHEN abs({x}) < {limit} THEN {x} END"
