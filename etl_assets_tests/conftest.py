"""Real servers for the tests: one PostgreSQL per session, one database per test that asks for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from etl_assets import embedded_postgres
from etl_assets.io_managers.postgres import PostgresWarehouse

# Data of tests may be lost with the machine; waiting for the disk is not what they test.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded_postgres.Server]:
    state = tmp_path_factory.mktemp("state")
    yield embedded_postgres.start(state, settings=FAST)
    embedded_postgres.destroy(state)


@pytest.fixture
def database(server: embedded_postgres.Server) -> Iterator[str]:
    """The URL of an empty database that nobody else uses."""
    name = f"test_{uuid4().hex[:12]}"
    embedded_postgres.databases(server.url("postgres"), [name])
    yield server.url(name)
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def warehouse(database: str) -> PostgresWarehouse:
    return PostgresWarehouse(url=database)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Third-party deliveries, where this machine has them."""
    folder = Path(os.environ.get("ETL_SHARED_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no third-party deliveries in {folder}; set ETL_SHARED_DATA")
    return folder
