"""What every asset of one institution shares: keys, partitions, contract metadata, owners.

No computing. Dagster's names for one spec, so that each asset file reads as a table of contents.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.assets.matrices import matrix
from etl_assets.contracts import Table
from etl_assets.feature_groups import Feature, supported
from etl_assets.institution_spec import InstitutionSpec
from etl_assets.io_managers.asset_metadata import table_metadata
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.targets import Mode
from etl_assets.tables import available_inputs
from models.calibration import Floats

IO_MANAGER = "warehouse_io"
SNOWFLAKE = "snowflake"


@dataclass(frozen=True)
class Tenant:
    """One institution in Dagster's words."""

    spec: InstitutionSpec

    @cached_property
    def days(self) -> dg.DailyPartitionsDefinition:
        """Business dates in the institution's own time zone."""
        return dg.DailyPartitionsDefinition(self.spec.start_date.isoformat(), timezone=self.spec.time_zone)

    @cached_property
    def weeks(self) -> dg.WeeklyPartitionsDefinition:
        """Weeks from Monday; the current one exists from its first day, since its model scores its first day."""
        monday = self.spec.start_date + timedelta(days=-self.spec.start_date.weekday() % 7)
        return dg.WeeklyPartitionsDefinition(
            monday.isoformat(), timezone=self.spec.time_zone, day_offset=1, end_offset=1
        )

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """The model's inputs that this source can support."""
        return supported(available_inputs(self.spec))

    @property
    def has_label_features(self) -> bool:
        """Whether what is confirmed is a model input here."""
        return any("labels" in feature.needs for feature in self.features)

    def inputs(self, rows: pa.Table) -> Floats:
        """The featured rows as the model takes them, one column per feature in order."""
        return matrix(rows, self.features, self.spec.start_date)

    def key(self, name: str) -> dg.AssetKey:
        return dg.AssetKey([self.spec.institution, name])

    def mirror(self, name: str) -> dg.AssetKey:
        """The same table in Snowflake."""
        return dg.AssetKey([SNOWFLAKE, self.spec.institution, name])

    def common(self, partitions: dg.PartitionsDefinition) -> dict[str, Any]:
        """What every asset of the institution has, tables and models alike."""
        return {
            "group_name": self.spec.institution,
            "owners": list(self.spec.owners),
            "partitions_def": partitions,
        }

    def table_spec(self, table: Table, code_version: str) -> dg.AssetSpec:
        """A table by business date, as Dagster shows it."""
        return dg.AssetSpec(
            self.key(table.name),
            description=table.description,
            metadata=table_metadata(table) | {"schema_drift": "add"},  # a column that the YAML gains is null before
            code_version=code_version,
            kinds={"postgres", "arrow"},
            **self.common(self.days),
        )

    def out(self, table: Table, code_version: str, mode: Mode = Mode.REPLACE_PARTITION) -> dg.AssetOut:
        """The same as an output that the PostgreSQL I/O manager stores."""
        spec = self.table_spec(table, code_version).merge_attributes(metadata={"write_mode": mode.value})
        return dg.AssetOut.from_spec(spec, io_manager_key=IO_MANAGER)

    def rows_of(self, name: str, before_days: int = 0, after_days: int = 0, **said: object) -> dg.AssetIn:
        """An upstream table as input: the run's own days and those around them, as far as they exist.

        `said` is what the I/O manager reads from an input's metadata, such as `columns`.
        """
        return dg.AssetIn(
            self.key(name),
            metadata={"allow_missing_partitions": True, **said},
            partition_mapping=self.window(before_days, after_days),
        )

    def window(self, before_days: int, after_days: int = 0) -> dg.TimeWindowPartitionMapping:
        """A day depends on the days around it, as far as those exist."""
        return dg.TimeWindowPartitionMapping(-before_days, after_days, allow_nonexistent_upstream_partitions=True)


def days_of(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> list[date]:
    """The business dates of this run's daily partitions, in order."""
    return sorted(date.fromisoformat(key) for key in context.partition_keys)


def days_to_check(context: dg.AssetCheckExecutionContext, published: Collection[str]) -> list[date]:
    """The run's business dates; of a run without any, as "Execute all" in the UI starts it, the published ones."""
    if context.has_partition_key or context.has_partition_key_range:
        return days_of(context)
    return sorted(date.fromisoformat(day) for day in published)


def never_published(warehouse: PostgresWarehouse, key: dg.AssetKey, days: Sequence[date]) -> dict[str, str]:
    """The days that the upstream table has never been published for, with the reason; the others can go on."""
    schema, name = key.path
    written = warehouse.written(schema, name)
    missing = [day.isoformat() for day in days if day.isoformat() not in written]
    return dict.fromkeys(missing, f"{name} has never been published for it")


def without(rows: pa.Table, refused: Collection[str]) -> pa.Table:
    """The rows of the business dates that are not refused."""
    if not refused:
        return rows
    days = pa.array([date.fromisoformat(key) for key in refused], pa.date32())
    return rows.filter(pc.invert(pc.is_in(rows["business_date"], days)))
