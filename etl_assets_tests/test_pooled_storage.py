"""Dagster's storage as `dagster.yaml` has it: a login costs more than an event, so connections are kept."""

from pathlib import Path

import dagster as dg
import pytest
from dagster_postgres import PostgresEventLogStorage

PROJECT = Path(__file__).parents[1]


def backend(storage: object) -> int:
    """The server process that answers now."""
    assert isinstance(storage, PostgresEventLogStorage)
    with storage.index_connection() as connection:
        return int(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar())


def test_every_process_that_opens_the_instance_keeps_its_connection(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETL_DAGSTER_URL", database.replace("postgresql://", "postgresql+psycopg2://"))
    monkeypatch.setenv("ETL_DAGSTER_STORAGE", str(tmp_path))
    with dg.DagsterInstance.from_config(str(PROJECT)) as instance:
        first = backend(instance.event_log_storage)
        assert [backend(instance.event_log_storage) for _ in range(3)] == [first] * 3


def test_a_statement_of_a_migration_may_take_its_time(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETL_DAGSTER_URL", database.replace("postgresql://", "postgresql+psycopg2://"))
    monkeypatch.setenv("ETL_DAGSTER_STORAGE", str(tmp_path))
    with dg.DagsterInstance.from_config(str(PROJECT)) as instance, instance.event_log_storage.index_connection() as at:
        assert at.exec_driver_sql("SHOW statement_timeout").scalar() == "0"
