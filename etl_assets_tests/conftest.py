"""Real servers for the tests: one PostgreSQL per session, one database per test that asks for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch
from uuid import uuid4

import dagster as dg
import psycopg
import pytest

from etl_assets.embedded import postgres as embedded_postgres
from etl_assets.io_managers.postgres.connections import close_all
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.resources import ModelRegistry
from etl_assets_tests.bank import Platform
from etl_assets_tests.model_traffic import INPUTS, normal
from etl_assets_tests.snowflake_server import *  # noqa: F403  its fixtures, by its `__all__`
from etl_assets_tests.specs import minimal_spec
from models.scorer import Scorer
from models.training import Trained, train

BANK = {
    "start_date": "2026-03-02",
    "deliveries": {"csv": {"separator": ";"}},
    "columns": {
        "transaction_id": {"source": "id"},
        "account_id": {"source": "card"},
        "counterparty_id": {"source": "shop"},
        "event_at": {"source": "at", "formats": ["%d.%m.%Y %H:%M:%S"]},
        "amount": {"source": "amount", "decimal_mark": ","},
    },
    "training": {"weeks": 4, "min_rows": 100, "min_days": 7},
    "batch_rules": {"max_quarantined_share": 0.05},
}
LIVE = "live_snowflake"
# Data of tests may be lost with the machine; waiting for the disk is not what they test.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """No test goes to an account of which `-m` does not speak, whatever variables are set."""
    left_out = [item for item in items if item.get_closest_marker(LIVE) and LIVE not in config.option.markexpr]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(autouse=True)
def _no_test_leaves_a_variable_behind() -> Iterator[None]:
    """Commands that run in this process set what `.env` would; the next test is not of that environment."""
    with patch.dict(os.environ):
        yield


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded_postgres.Server]:
    state = tmp_path_factory.mktemp("state")
    yield embedded_postgres.start(state, settings=FAST)
    embedded_postgres.destroy(state)


@contextmanager
def empty_database(server: embedded_postgres.Server) -> Iterator[str]:
    """The URL of a database that nobody else uses, until the block ends."""
    name = f"test_{uuid4().hex[:12]}"
    embedded_postgres.databases(server.url("postgres"), [name])
    yield server.url(name)
    close_all()
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def database(server: embedded_postgres.Server) -> Iterator[str]:
    with empty_database(server) as url:
        yield url


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


@pytest.fixture(scope="session")
def registry(server: embedded_postgres.Server, tmp_path_factory: pytest.TempPathFactory) -> ModelRegistry:
    """One MLflow registry for all tests: its tables take seconds to make."""
    embedded_postgres.databases(server.url("postgres"), ["registry"])
    url = server.url("registry").replace("postgresql://", "postgresql+psycopg2://")
    return ModelRegistry(tracking_uri=url, artifact_root=str(tmp_path_factory.mktemp("artefacts")))


@contextmanager
def fresh_platform(request: pytest.FixtureRequest, folder: Path, **overrides: object) -> Iterator[Platform]:
    """A bank that delivers `id;card;shop;at;amount` by day, with a name of its own in the registry."""
    spec = minimal_spec(**{**BANK, "institution": f"bank_{uuid4().hex[:8]}", **overrides})
    spec = spec.model_copy(update={"deliveries": spec.deliveries.model_copy(update={"folder": str(folder)})})
    registry = request.getfixturevalue("registry")
    with empty_database(request.getfixturevalue("server")) as url, dg.DagsterInstance.ephemeral() as instance:
        yield Platform(spec, PostgresWarehouse(url=url), registry, instance)


@pytest.fixture
def platform(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Platform]:
    with fresh_platform(request, tmp_path / "deliveries") as platform:
        yield platform


@pytest.fixture(scope="session")
def trained() -> Trained:
    """A model of the tests' traffic; frozen, so one will do for all."""
    return train(normal(8_000, seed=1), INPUTS, seed=7)


@pytest.fixture(scope="session")
def scorer(trained: Trained) -> Scorer:
    return trained.scorer
