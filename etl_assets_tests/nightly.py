"""A bank whose days are carried one by one, with the daemon's part for its restatements."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import dagster as dg

from etl_assets.backfill import QUIET
from etl_assets_tests.bank import Platform


@dataclass
class Nightly:
    """A bank whose days are carried one by one, and the daemon's part for the restatements."""

    platform: Platform
    cursor: str | None = None
    ran: list[dg.RunRequest] = field(default_factory=list)

    def carry(self, *days: date) -> None:
        """What the arrivals' sensor launches for each of these days has ended well."""
        job = self.job("raw_to_scored")
        for day in days:
            assert job.execute_in_process(
                run_config=QUIET, partition_key=str(day), instance=self.platform.instance
            ).success

    def tick(self) -> list[dg.RunRequest]:
        """What one tick of the restatements asks for."""
        definitions, name = self.platform.definitions, f"{self.platform.spec.institution}__restatements"
        with dg.build_sensor_context(
            self.platform.instance,
            self.cursor,
            repository_def=definitions.get_repository_def(),
            sensor_name=name,
            resources={"warehouse": self.platform.warehouse},
        ) as context:
            data = definitions.resolve_sensor_def(name).evaluate_tick(context)
        self.cursor = data.cursor
        self.skipped = data.skip_message
        return list(data.run_requests or [])

    def run(self, request: dg.RunRequest, definitions: dg.Definitions | None = None) -> bool:
        """Whether the run that was asked for succeeded."""
        assert request.job_name
        job = (definitions or self.platform.definitions).resolve_job_def(request.job_name)
        self.ran.append(request)
        return job.execute_in_process(
            run_config=QUIET,
            tags=request.tags,
            asset_selection=request.asset_selection,
            instance=self.platform.instance,
            raise_on_error=False,
        ).success

    def settle(self) -> list[tuple[str, date, date]]:
        """Layer, first and last day of every run until a tick asks for nothing."""
        self.ran = []
        while requests := self.tick():
            assert len(self.ran) < 10
            assert all(self.run(request) for request in requests)
        return [_said(request) for request in self.ran]

    def materialised(self, name: str) -> dict[date, int]:
        """How often each day of a table was written."""
        key = dg.AssetKey([self.platform.spec.institution, name])
        found = self.platform.instance.fetch_materializations(key, limit=1000).records
        days = [date.fromisoformat(str(record.partition_key)) for record in found]
        return {day: days.count(day) for day in sorted(set(days))}

    def job(self, layer: str) -> dg.JobDefinition:
        return self.platform.definitions.resolve_job_def(f"{self.platform.spec.institution}__{layer}")


def _said(request: dg.RunRequest) -> tuple[str, date, date]:
    ends = (request.tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end"))
    first, last = (date.fromisoformat(end) for end in ends)
    return str(request.job_name).split("__")[-1], first, last
