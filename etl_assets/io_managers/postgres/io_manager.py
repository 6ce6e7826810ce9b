"""Dagster's I/O manager on PostgreSQL; what it promises stands in `warehouse_io_manager.py`."""

from __future__ import annotations

from etl_assets.io_managers.postgres.warehouse import PostgresSettings, PostgresWarehouse
from etl_assets.io_managers.warehouse_io_manager import WarehouseIOManager


class PostgresIOManager(PostgresSettings, WarehouseIOManager):
    """The slice of a run's partitions holds exactly what the asset returned, or what it held before."""

    @property
    def tables(self) -> PostgresWarehouse:
        return PostgresWarehouse(**self.model_dump(include=set(PostgresSettings.model_fields)))
