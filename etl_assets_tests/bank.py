"""One small institution on real parts: files that a test writes, the whole graph, a real PostgreSQL and MLflow."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pyarrow as pa

from etl_assets.backfill import LayerRun, Request, backfill, planned
from etl_assets.institution import LAYERS, definitions_of
from etl_assets.institution_spec import InstitutionSpec
from etl_assets.io_managers.postgres.io_manager import PostgresIOManager
from etl_assets.io_managers.postgres.schema import qualified
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.resources import ModelRegistry, snowflake_resources

HEADER = "id;card;shop;at;amount\n"


@dataclass
class Platform:
    """The graph of one institution, its delivery folder and its tables."""

    spec: InstitutionSpec
    warehouse: PostgresWarehouse
    registry: ModelRegistry
    instance: dg.DagsterInstance
    last_runs: list[LayerRun] = field(default_factory=list)

    @property
    def definitions(self) -> dg.Definitions:
        resources = {
            "warehouse": self.warehouse,
            "warehouse_io": PostgresIOManager(**self.warehouse.model_dump()),
            "registry": self.registry,
            **snowflake_resources(),
        }
        executor = dg.Definitions(resources=resources, executor=dg.in_process_executor)
        return dg.Definitions.merge(definitions_of(self.spec), executor)

    def deliver(self, day: date, content: str | bytes, suffix: str = "", hour: int = 2) -> Path:
        """A file for `day` arrives at `hour` of the next morning."""
        path = self.spec.folder / f"transactions_{day:%Y%m%d}{suffix}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        at = datetime(day.year, day.month, day.day, hour, tzinfo=UTC) + timedelta(days=1)
        os.utime(path, (at.timestamp(), at.timestamp()))
        return path

    def run(self, first: date, last: date | None = None, *, layers: Sequence[str] = tuple(LAYERS)) -> list[LayerRun]:
        """The backfill of these days; its runs, layer by layer."""
        request = Request(self.spec.institution, first, last or first)
        plan = [run for run in planned(self.definitions, self.instance, request) if run.layer in layers]
        self.last_runs = list(backfill(plan, self.instance, lambda _: None))
        return self.last_runs

    def errors(self) -> str:
        """What the last runs failed on."""
        return "\n".join(run.error for run in self.last_runs if run.error)

    def table(self, name: str, columns: Sequence[str] = ("*",), order: str = "1") -> list[dict[str, object]]:
        """The rows of a table of the institution."""
        at = qualified(self.spec.institution, name)
        return self.warehouse.fetch(f"SELECT {', '.join(columns)} FROM {at} ORDER BY {order}").to_pylist()

    def arrow(self, name: str, order: str) -> pa.Table:
        """All rows of a table as Arrow, for exact comparison; delivery ids differ with the folder."""
        at = qualified(self.spec.institution, name)
        return self.warehouse.fetch(f"SELECT * FROM {at} ORDER BY {order}")

    def failed_checks(self, asset: str) -> set[tuple[str, str | None]]:
        """Names and partitions of the checks of an asset whose last evaluation failed."""
        key = dg.AssetKey([self.spec.institution, asset])
        graph = self.definitions.resolve_asset_graph()
        names = [k for k in graph.asset_check_keys if k.asset_key == key]
        return {found for name in names for found in self._failed(name)}

    def evaluated_checks(self) -> dict[str, set[str | None]]:
        """Every check of the institution's tables in PostgreSQL with the partitions that have a verdict."""
        checks = self.definitions.resolve_asset_graph().asset_check_keys
        keys = [key for key in checks if key.asset_key.path[0] == self.spec.institution]
        return {f"{key.asset_key.path[-1]}.{key.name}": {p for p, _ in self._verdicts(key)} for key in keys}

    def _failed(self, key: dg.AssetCheckKey) -> Iterator[tuple[str, str | None]]:
        yield from ((key.name, partition) for partition, status in self._verdicts(key) if status == "FAILED")

    def _verdicts(self, key: dg.AssetCheckKey) -> list[tuple[str | None, str]]:
        records = self.instance.event_log_storage.get_asset_check_execution_history(key, limit=1000)
        latest = {record.partition: record for record in reversed(records) if record.status.value != "PLANNED"}
        return [(partition, record.status.value) for partition, record in latest.items()]


def line(number: int, day: date, **fields: str) -> str:
    """One good row of the test institution's file; `fields` are its columns by name, `hour` of the day included."""
    values = {"id": str(number), "card": "c1", "shop": "s1", "hour": "10", "amount": "-12,50"} | fields
    at = f"{day:%d.%m.%Y} {int(values['hour']):02}:{number // 60 % 60:02}:{number % 60:02}"
    return ";".join((values["id"], values["card"], values["shop"], at, values["amount"])) + "\n"
