"""How long one tick of an institution's sensors takes at scale, and what the ledger costs a run.

    python bench/sensors.py [--files 10000] [--days 730] [--rows-per-day 1000] [--json PATH]

Ticks as Dagster's daemon makes them, over files of this machine and a PostgreSQL of its own with the platform's
ordinary settings; the median of three of each, wall and CPU time of this process. The days of the restatements are
filled by SQL, so that they hold rows that agree with each other. Dagster's own storage is in memory here.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import dagster as dg
from stored_days import DAY_ONE, fill, spec_of

from etl_assets.deliveries.ledger import Ledger, Read
from etl_assets.deliveries.schema_log import SchemaLog, as_json
from etl_assets.embedded import postgres as embedded_postgres
from etl_assets.institution import definitions_of
from etl_assets.institution_spec import InstitutionSpec
from etl_assets.io_managers.postgres.io_manager import PostgresIOManager
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.resources import ModelRegistry, snowflake_resources
from etl_assets.sources.listing import Found, listed

FILES_PER_DAY = 20
TIMES = 3
WIDTH, RENAMED_EVERY = 30, 50


@dataclass
class Figures:
    """Wall and CPU seconds by name, printed as they come."""

    found: dict[str, float] = field(default_factory=dict)

    def take(
        self, name: str, work: Callable[[], object], times: int = TIMES, before: Callable[[], object] = lambda: None
    ) -> None:
        """The medians of `work` are a line of the table; `before` is not in them."""
        taken = [(before(), _timed(work))[1] for _ in range(times)]
        wall, cpu = (median(one[n] for one in taken) for n in (0, 1))
        self.found |= {f"{name}_wall_s": wall, f"{name}_cpu_s": cpu}
        print(f"{name:<44} {wall:8.3f} s wall {cpu:8.3f} s CPU   {taken[-1][2]}", flush=True)


def _timed(work: Callable[[], object]) -> tuple[float, float, object]:
    wall, cpu = perf_counter(), process_time()
    said = work()
    return perf_counter() - wall, process_time() - cpu, said


@dataclass
class Sensor:
    """One sensor of an institution with the daemon's part: it keeps the cursor."""

    spec: InstitutionSpec
    warehouse: PostgresWarehouse
    name: str
    cursor: str | None = None

    def __post_init__(self) -> None:
        resources = {
            "warehouse": self.warehouse,
            "warehouse_io": PostgresIOManager(**self.warehouse.model_dump()),
            "registry": ModelRegistry(tracking_uri="", artifact_root=""),
            **snowflake_resources(),
        }
        self.definitions = dg.Definitions.merge(definitions_of(self.spec), dg.Definitions(resources=resources))
        self.repository = self.definitions.get_repository_def()
        self.instance = dg.DagsterInstance.ephemeral()

    def tick(self, *, keeps: bool = True) -> str:
        """What one tick says in words; the cursor stays where it does not `keep` it."""
        with dg.build_sensor_context(
            self.instance,
            self.cursor,
            repository_def=self.repository,
            sensor_name=self.name,
            resources={"warehouse": self.warehouse},
        ) as context:
            data = self.definitions.resolve_sensor_def(self.name).evaluate_tick(context)
        if keeps:
            self.cursor = data.cursor
        return data.skip_message or f"{len(data.run_requests or [])} requests"


def arrivals(figures: Figures, url: str, files: int) -> None:
    """Ticks over `files` files: none known, all known, announced by markers, announced by manifests."""
    warehouse = PostgresWarehouse(url=url)
    with tempfile.TemporaryDirectory() as folder:
        spec = spec_of("plain", folder)
        delivered(Path(folder), files)
        sensor = Sensor(spec, warehouse, "plain__arrivals")
        figures.take("arrivals_first_sight", lambda: sensor.tick(keeps=False))
        sensor.tick()
        figures.take("arrivals_all_new", lambda: sensor.tick(keeps=False))
        reads = [as_read(one, number) for number, one in enumerate(listed(spec))]
        figures.take("ledger_record_all", lambda: Ledger(warehouse, "plain").record(reads, "run"), 1)
        figures.take("arrivals_all_known", lambda: sensor.tick(keeps=False))
        announced(Path(folder), ".done", lambda _: "")
        markers = Sensor(spec_of("markers", folder, marker="{name}.done"), warehouse, "markers__arrivals")
        figures.take("arrivals_all_with_markers", lambda: markers.tick(keeps=False))
        announced(Path(folder), ".json", lambda path: json.dumps({"rows": 1, "size_bytes": path.stat().st_size}))
        manifest = {"name": "{name}.json", "fields": {"rows": "rows", "size_bytes": "size_bytes"}}
        manifests = Sensor(spec_of("manifests", folder, manifest=manifest), warehouse, "manifests__arrivals")
        figures.take("arrivals_all_with_manifests", lambda: manifests.tick(keeps=False))
        ledger(figures, warehouse, spec, reads)


def ledger(figures: Figures, warehouse: PostgresWarehouse, spec: InstitutionSpec, reads: list[Read]) -> None:
    """What a run of one day adds, with all the others known."""
    log, book = SchemaLog(warehouse, spec), Ledger(warehouse, spec.institution)
    some = reads[len(reads) // 2 : len(reads) // 2 + FILES_PER_DAY]
    figures.take("schema_log_first_record", lambda: log.record("run"), 1)
    figures.take("ledger_record_one_day", lambda: book.record(some, "again"))
    figures.take("schema_log_record_one_day", lambda: log.record("again"))


def restatements(figures: Figures, url: str, days: int, rows_per_day: int) -> None:
    """Ticks over a published history: the first looks at it, nothing new, one corrected day."""
    warehouse, spec = PostgresWarehouse(url=url), spec_of("long_bank", "unused")
    fill(url, spec, days, rows_per_day)
    sensor, ticks, said = Sensor(spec, warehouse, "long_bank__restatements"), list[float](), ""
    while said != "nothing is stale":
        wall, _, answer = _timed(sensor.tick)
        said, ticks = str(answer), [*ticks, wall]
        print(f"{'restatements, first look':<44} {wall:8.3f} s wall {'':14}   {said}", flush=True)
    figures.found |= {"restatements_first_ticks": len(ticks), "restatements_first_longest_wall_s": max(ticks)}
    figures.take("restatements_nothing_new", sensor.tick)
    corrected = [DAY_ONE + timedelta(days=days - 100 - n) for n in range(TIMES)]
    work = iter(corrected)

    def correct() -> None:
        fill(url, spec, 1, rows_per_day, first=next(work), cents=7, since="correction")

    figures.take("restatements_one_corrected_day", lambda: sensor.tick(keeps=False), before=correct)


def delivered(folder: Path, files: int) -> None:
    """So many small files, twenty for each business date, that came on the next morning."""
    for number in range(files):
        day = DAY_ONE + timedelta(days=number // FILES_PER_DAY)
        path = folder / f"tx_{day:%Y%m%d}_{number}.csv"
        path.write_text(f"id;card;at;amount;shop\n{number};c;{day} 10:00:00;-1.00;s\n")
        _arrived(path, day, hour=2)


def announced(folder: Path, suffix: str, content: Callable[[Path], str]) -> None:
    """A file of this suffix beside each delivery, an hour younger."""
    for path in folder.glob("*.csv"):
        beside = path.with_name(path.name + suffix)
        beside.write_text(content(path))
        _arrived(beside, date.fromisoformat(f"{path.name[3:7]}-{path.name[7:9]}-{path.name[9:11]}"), hour=3)


def _arrived(path: Path, day: date, hour: int) -> None:
    at = (datetime(day.year, day.month, day.day, hour, tzinfo=UTC) + timedelta(days=1)).timestamp()
    os.utime(path, (at, at))


def as_read(one: Found, number: int) -> Read:
    """The file as a run that read it reports it, with a wide header; now and then one column is spelt otherwise."""
    titles = dict.fromkeys([f"column of the bank {n}" for n in range(WIDTH)], "text")
    titles["Column of the bank" if number % RENAMED_EVERY == 0 else "column of the bank"] = "text"
    known = {"records_read": 2, "control_lines": 1, "titles": as_json(titles), "content_digest": one.relative_path}
    identity = {"delivery_id": one.relative_path, "content_sha256": one.relative_path}
    return Read(
        business_date=one.business_date,
        path=one.relative_path,
        size_bytes=one.size_bytes,
        delivered_at=one.delivered_at,
        **known,
        **identity,
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--files", type=int, default=10_000)
    arguments.add_argument("--days", type=int, default=730)
    arguments.add_argument("--rows-per-day", type=int, default=1_000)
    arguments.add_argument("--json", type=Path)
    asked, figures = arguments.parse_args(), Figures()
    with tempfile.TemporaryDirectory() as folder:
        try:
            server = embedded_postgres.start(Path(folder))
            embedded_postgres.databases(server.url("postgres"), ["bench"])
            arrivals(figures, server.url("bench"), asked.files)
            restatements(figures, server.url("bench"), asked.days, asked.rows_per_day)
        finally:
            embedded_postgres.destroy(Path(folder))
    if asked.json:
        asked.json.write_text(json.dumps(figures.found, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
