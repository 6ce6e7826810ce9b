"""The platform's connections as Dagster resources, configured by environment variables only.

What is done over a connection belongs to `io_managers/`, `deliveries/ledger.py` and `models/`.
"""

from __future__ import annotations

from pathlib import Path

import dagster as dg
from pydantic import Field

from etl_assets.io_managers.postgres import PostgresWarehouse
from etl_assets.io_managers.postgres_io_manager import PostgresIOManager
from models.registry import Registry


class ModelRegistry(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The MLflow registry of all institutions' models."""

    tracking_uri: str = Field(description="the registry's database, postgresql+psycopg2://...")
    artifact_root: str = Field(description="folder under which model artefacts are kept")

    def __repr__(self) -> str:
        """Without the URI: a resource's repr ends up in logs."""
        return "ModelRegistry(...)"

    def open(self) -> Registry:
        """A client of the registry; connects when it is first used."""
        return Registry(self.tracking_uri, Path(self.artifact_root))


def resources() -> dict[str, object]:
    """Every resource that the assets name, reading `ETL_*` variables when a run starts."""
    return {
        "warehouse": PostgresWarehouse(url=dg.EnvVar("ETL_WAREHOUSE_URL")),
        "warehouse_io": PostgresIOManager(url=dg.EnvVar("ETL_WAREHOUSE_URL")),
        "registry": ModelRegistry(
            tracking_uri=dg.EnvVar("ETL_MLFLOW_URL"), artifact_root=dg.EnvVar("ETL_MLFLOW_ARTIFACTS")
        ),
    }
