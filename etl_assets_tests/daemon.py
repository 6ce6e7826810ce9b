"""Dagster's daemon as a test drives it, and a good day of the tests' bank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import dagster as dg

from etl_assets.backfill import QUIET
from etl_assets_tests.bank import HEADER, Platform, line


@dataclass
class Daemon:
    """What Dagster's daemon does with the sensor of one institution: ticks, keeps the cursor, launches runs."""

    platform: Platform
    cursor: str | None = None

    def tick(self) -> tuple[Sequence[dg.RunRequest], str | None]:
        """What one tick asks for, or why it asks for nothing."""
        definitions, name = self.platform.definitions, f"{self.platform.spec.institution}__arrivals"
        resources = {"warehouse": self.platform.warehouse}
        repository = definitions.get_repository_def()
        with dg.build_sensor_context(
            self.platform.instance, self.cursor, repository_def=repository, sensor_name=name, resources=resources
        ) as context:
            data = definitions.resolve_sensor_def(name).evaluate_tick(context)
        self.cursor = data.cursor
        return data.run_requests or [], data.skip_message

    def run(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        """The run that the request asks for has ended."""
        job = self.platform.definitions.resolve_job_def(f"{self.platform.spec.institution}__raw_to_scored")
        return job.execute_in_process(
            run_config=QUIET,
            partition_key=request.partition_key,
            tags=request.tags,
            instance=self.platform.instance,
            raise_on_error=False,
        )

    def settle(self) -> list[bool]:
        """Two ticks, and whether each run of what the second asks for succeeded."""
        self.tick()
        return [self.run(request).success for request in self.tick()[0]]


def good(day: date, first: int = 0) -> str:
    return HEADER + "".join(line(number, day) for number in range(first, first + 40))
