"""Dagster's I/O manager on Snowflake; what it promises stands in `warehouse_io_manager.py`."""

from __future__ import annotations

from etl_assets.io_managers.snowflake.settings import SnowflakeSettings
from etl_assets.io_managers.snowflake.warehouse import SnowflakeWarehouse
from etl_assets.io_managers.warehouse_io_manager import WarehouseIOManager


class SnowflakeIOManager(SnowflakeSettings, WarehouseIOManager):
    """The slice of a run's partitions holds exactly what the asset returned, or what it held before."""

    @property
    def tables(self) -> SnowflakeWarehouse:
        return SnowflakeWarehouse(**self.model_dump(include=set(SnowflakeSettings.model_fields)))
