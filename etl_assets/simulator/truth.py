"""What the platform must find: the expected row account of every delivery, and every fraud.

Counted while the files are made, never by reading them. The frauds' file lies beside the deliveries, not among
them: no institution knows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from etl_assets.institution_spec import InstitutionSpec


@dataclass(frozen=True)
class RowAccount:
    """Records of one delivery, or of several together, by what must become of them."""

    published: int = 0
    invalid: int = 0
    duplicate: int = 0
    superseded: int = 0
    control_lines: int = 0

    @classmethod
    def of(cls, fates: pl.Series, control_lines: int) -> RowAccount:
        """The account of rows with these fates."""
        counts = dict(fates.value_counts().iter_rows())
        return cls(control_lines=control_lines, **counts)

    @property
    def records_read(self) -> int:
        return self.published + self.invalid + self.duplicate + self.superseded + self.control_lines

    def delivered_again(self) -> RowAccount:
        """The account of an identical later delivery: what was valid repeats, what was not is invalid again."""
        repeats = self.published + self.duplicate + self.superseded
        return RowAccount(invalid=self.invalid, duplicate=repeats, control_lines=self.control_lines)

    def __add__(self, other: RowAccount) -> RowAccount:
        return RowAccount(
            published=self.published + other.published,
            invalid=self.invalid + other.invalid,
            duplicate=self.duplicate + other.duplicate,
            superseded=self.superseded + other.superseded,
            control_lines=self.control_lines + other.control_lines,
        )


@dataclass(frozen=True)
class InstitutionTruth:
    """The expected accounts of one institution by file name, the defects done by kind, and the number of frauds."""

    deliveries: Mapping[str, RowAccount]
    defects: Mapping[str, int]
    frauds: int

    @property
    def total(self) -> RowAccount:
        """The account of all deliveries together."""
        return sum(self.deliveries.values(), RowAccount())


@dataclass(frozen=True)
class Truth:
    """What is true of each simulated institution."""

    institutions: Mapping[str, InstitutionTruth]


def frauds_as_cleaned(cells: pl.DataFrame, spec: InstitutionSpec) -> pl.DataFrame:
    """The published frauds under their cleaned columns, with their kind; `transaction_id` is null without an id."""
    local = pl.col("at").dt.truncate("1d" if spec.event_precision == "day" else "1s")
    event_at = local.dt.replace_time_zone(spec.time_zone).dt.convert_time_zone("UTC")
    frauds = cells.filter(pl.col("fraud_kind").is_not_null() & (pl.col("fate") == "published"))
    ids = {name: _source(spec, name) for name in ("account_id", "transaction_id")}
    return frauds.select(
        business_date="file_on",
        **{name: pl.lit(None, pl.String) if source is None else pl.col(source) for name, source in ids.items()},
        event_at=event_at.dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        amount=(-pl.col("minor") / 100).cast(pl.Decimal(24, 2)),
        fraud_kind="fraud_kind",
    )


def _source(spec: InstitutionSpec, column: str) -> str | None:
    source = getattr(spec.columns, column)
    return source.source if source else None
