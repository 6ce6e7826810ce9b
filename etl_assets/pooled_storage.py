"""Dagster's PostgreSQL storage with connections that are kept, for every process that opens `dagster.yaml`.

Dagster keeps connections in its webserver only; a run logs in again for every event, which costs more than the event.
"""

from __future__ import annotations

from dagster._core.storage.config import PostgresStorageConfig
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage

NO_STATEMENT_TIMEOUT_MS, POOL_RECYCLE_S, MAX_OVERFLOW = 0, 3_600, 20


class PooledPostgresStorage(DagsterPostgresStorage):
    """One connection each for runs, events and schedules stays open; threads beyond that open their own for a moment.

    Safe: runs are started as new processes, never forked from one with connections. A statement may take as long as
    before, since a migration is one too.
    """

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: PostgresStorageConfig
    ) -> DagsterPostgresStorage:
        storage = super().from_config_value(inst_data, config_value)
        for part in (storage.run_storage, storage.event_log_storage, storage.schedule_storage):
            part.optimize_for_webserver(NO_STATEMENT_TIMEOUT_MS, POOL_RECYCLE_S, MAX_OVERFLOW)
        return storage
