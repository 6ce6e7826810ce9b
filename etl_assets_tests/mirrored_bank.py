"""A bank whose tables are mirrored into the local Snowflake, with the daemon's part for its mirrors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from etl_assets.backfill import QUIET
from etl_assets.embedded import snowflake as embedded_snowflake
from etl_assets.environment import snowflake_variables
from etl_assets.io_managers.snowflake.connections import close_all
from etl_assets.io_managers.snowflake.names import identifier
from etl_assets.io_managers.snowflake.warehouse import SnowflakeWarehouse
from etl_assets.resources import Snowflake
from etl_assets_tests.bank import HEADER, Platform, line
from etl_assets_tests.conftest import fresh_platform

MONDAY = date(2026, 3, 2)
DAYS = [MONDAY + timedelta(days=n) for n in range(4)]


def payments(day: date, amount: str = "-12,50") -> str:
    """Thirty good ones of a day, one that is repeated and one that cannot be read."""
    start = (day - MONDAY).days * 100
    good = [line(start + n, day, card=f"c{n % 3}", amount=amount) for n in range(30)]
    return HEADER + "".join([*good, good[0], line(start + 99, day, amount="many")])


@dataclass
class Mirrors:
    """The bank, and what its sensor for the mirrors asks for."""

    platform: Platform
    skipped: str = ""
    ran: list[dg.RunRequest] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.platform.spec.institution

    @property
    def snowflake(self) -> SnowflakeWarehouse:
        return Snowflake().open()

    def publish(self, *days: date, amount: str = "-12,50", hour: int = 2) -> None:
        """PostgreSQL has these days, from raw to scored."""
        for day in days:
            self.platform.deliver(day, payments(day, amount), hour=hour)
        runs = self.platform.run(days[0], days[-1], layers=("daily", "scores"))
        assert not self.platform.errors()
        assert runs

    def tick(self) -> list[dg.RunRequest]:
        """What one tick of the sensor asks for."""
        definitions = self.platform.definitions
        with dg.build_sensor_context(
            self.platform.instance,
            repository_def=definitions.get_repository_def(),
            sensor_name=f"{self.name}__mirrors",
            resources={"warehouse": self.platform.warehouse},
        ) as context:
            data = definitions.resolve_sensor_def(f"{self.name}__mirrors").evaluate_tick(context)
        self.skipped = str(data.skip_message)
        return list(data.run_requests or [])

    def run(self, request: dg.RunRequest) -> bool:
        """Whether the run that was asked for succeeded."""
        self.ran.append(request)
        job = self.platform.definitions.resolve_job_def(f"{self.name}__mirrors").get_subset(
            asset_selection=set(request.asset_selection or []),
            asset_check_selection=set(request.asset_check_keys or []),
        )
        return job.execute_in_process(
            run_config=QUIET, tags=request.tags, instance=self.platform.instance, raise_on_error=False
        ).success

    def settle(self) -> list[tuple[date, date, set[str]]]:
        """First and last day and the tables of every run until a tick asks for nothing."""
        self.ran = []
        while requests := self.tick():
            assert len(self.ran) < 10
            assert all(self.run(request) for request in requests)
        return [said(request) for request in self.ran]

    def materialise(self, *days: date, tables: Sequence[str] = ()) -> bool:
        """Whether a run by hand of the mirrors of these days succeeded."""
        names = tables or self.platform.spec.snowflake.tables
        keys = [dg.AssetKey(["snowflake", self.name, name]) for name in names]
        ends = {
            f"dagster/asset_partition_range_{end}": str(day) for end, day in zip(("start", "end"), days, strict=True)
        }
        job = self.platform.definitions.resolve_job_def(f"{self.name}__mirrors")
        return job.execute_in_process(
            run_config=QUIET, tags=ends, asset_selection=keys, instance=self.platform.instance, raise_on_error=False
        ).success

    def check(self, first: date | None = None, last: date | None = None) -> None:
        """The checks of these days, or with none named those of the run without partitions, were made again."""
        definitions = self.platform.definitions
        checks = definitions.resolve_asset_graph().asset_check_keys
        job = definitions.resolve_job_def(f"{self.name}__mirrors").get_subset(
            asset_selection=set(), asset_check_selection={key for key in checks if key.asset_key.path[0] == "snowflake"}
        )
        ends = {"dagster/asset_partition_range_start": str(first), "dagster/asset_partition_range_end": str(last)}
        ends = ends if first and last else {}
        assert job.execute_in_process(run_config=QUIET, tags=ends, instance=self.platform.instance).success

    def times_written(self, table: str) -> dict[date, int]:
        """How often each day of a mirror was written."""
        key = dg.AssetKey(["snowflake", self.name, table])
        found = self.platform.instance.fetch_materializations(key, limit=1000).records
        days = [date.fromisoformat(str(record.partition_key)) for record in found]
        return {day: days.count(day) for day in sorted(set(days))}

    def rows(self, table: str, columns: Sequence[str], order: str) -> list[tuple[Any, ...]]:
        """These columns of the table in Snowflake."""
        found = self.snowflake.fetch(
            f"SELECT {', '.join(map(identifier, columns))} FROM {identifier(self.name, table)} ORDER BY {order}"
        )
        return list(zip(*(column.to_pylist() for column in found.columns), strict=True))

    def change(self, table: str, statement: str) -> None:
        """Somebody says this to the table in Snowflake; `{}` stands for its name."""
        self.snowflake.connections.run(
            lambda session: session.cursor().execute(statement.replace("{}", identifier(self.name, table)))
        )

    def failed(self, table: str) -> dict[str, Mapping[str, Any]]:
        """Days on which `mirror_equals_postgres` failed last, with what the evaluation says."""
        return self.verdicts(table, "mirror_equals_postgres", "FAILED")

    def verdicts(self, table: str, check: str, status: str) -> dict[str, Mapping[str, Any]]:
        """By day the metadata of the check's last evaluation, of the days on which it had this status."""
        key = dg.AssetCheckKey(dg.AssetKey(["snowflake", self.name, table]), check)
        records = self.platform.instance.event_log_storage.get_asset_check_execution_history(key, limit=1000)
        latest = {record.partition: record for record in reversed(records) if record.status.value != "PLANNED"}
        return {
            str(day): {name: value.value for name, value in _evaluation(record).metadata.items()}
            for day, record in latest.items()
            if record.status.value == status
        }


def _evaluation(record: Any) -> dg.AssetCheckEvaluation:
    found: dg.AssetCheckEvaluation = record.event.dagster_event.event_specific_data
    return found


def said(request: dg.RunRequest) -> tuple[date, date, set[str]]:
    """First and last day of a request, and its tables."""
    first, last = (date.fromisoformat(request.tags[f"dagster/asset_partition_range_{end}"]) for end in ("start", "end"))
    return first, last, {key.path[-1] for key in request.asset_selection or []}


@contextmanager
def mirrored_bank(request: pytest.FixtureRequest, folder: Path, **overrides: object) -> Iterator[Mirrors]:
    """A bank in a Snowflake that the environment names."""
    with fresh_platform(request, folder, **overrides) as platform:
        yield Mirrors(platform)
        close_all()


def configure(monkeypatch: pytest.MonkeyPatch, server: embedded_snowflake.Server) -> None:
    """The environment names this server; what does not answer is given up soon."""
    for name, value in {**snowflake_variables(server), "SNOWFLAKE_RETRY_FOR_S": "0"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("etl_assets.assets.mirrored.RETRY_DELAY_S", 0.0)
    monkeypatch.setattr("etl_assets.mirroring.checks.RETRY_DELAY_S", 0.0)
