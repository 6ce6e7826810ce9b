"""The platform's connections as Dagster resources, configured by environment variables only.

What is done over a connection belongs to `io_managers/`, `deliveries/ledger.py` and `models/`.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from etl_assets.io_managers.postgres.io_manager import PostgresIOManager
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.warehouse_io_manager import WarehouseIOManager
from models.registry import Registry

if TYPE_CHECKING:
    from etl_assets.io_managers.snowflake.warehouse import SnowflakeWarehouse

UNCONFIGURED = "nothing is mirrored: SNOWFLAKE_ACCOUNT is not set"


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


def snowflake_is_configured() -> bool:
    """Whether the environment names an account; whether it can be used, a run finds out."""
    return bool(os.environ.get("SNOWFLAKE_ACCOUNT"))


class Snowflake:
    """The account that the `SNOWFLAKE_*` variables name.

    They are read when it is opened and not when a run starts: a run that has other assets beside mirrors would fail
    before its first step where Snowflake is not configured.
    """

    def open(self) -> "SnowflakeWarehouse":
        """The tables there; connects when it is first used. Raises: Refused for variables that do not do."""
        from etl_assets.io_managers.snowflake.settings import settings_from_environment  # noqa: PLC0415
        from etl_assets.io_managers.snowflake.warehouse import SnowflakeWarehouse  # noqa: PLC0415  who mirrors nothing needs no driver

        return SnowflakeWarehouse(**settings_from_environment())


class SnowflakeIO(WarehouseIOManager):
    """The I/O manager on that account."""

    account: dg.ResourceDependency[Snowflake]

    @property
    def tables(self) -> "SnowflakeWarehouse":
        return self.account.open()


def snowflake_resources() -> dict[str, object]:
    """What the mirrors name; definitions load and everything else runs without any of the variables."""
    account = Snowflake()
    return {"snowflake": account, "snowflake_io": SnowflakeIO(account=account)}


def resources() -> dict[str, object]:
    """Every resource that the assets name, reading `ETL_*` variables when a run starts."""
    return {
        "warehouse": PostgresWarehouse(url=dg.EnvVar("ETL_WAREHOUSE_URL")),
        "warehouse_io": PostgresIOManager(url=dg.EnvVar("ETL_WAREHOUSE_URL")),
        "registry": ModelRegistry(
            tracking_uri=dg.EnvVar("ETL_MLFLOW_URL"), artifact_root=dg.EnvVar("ETL_MLFLOW_ARTIFACTS")
        ),
        **snowflake_resources(),
    }
