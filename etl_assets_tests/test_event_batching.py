"""Events stored in batches: what Dagster knows after a backfill that went well, failed or was killed."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from multiprocessing import get_context
from pathlib import Path
from unittest.mock import patch

import dagster as dg
import pytest
from dagster import AssetPartitionStatus, DagsterEventType, EventLogEntry
from dagster_postgres import PostgresEventLogStorage

from etl_assets import environment
from etl_assets.backfill import Request, planned
from etl_assets.embedded import postgres as embedded_postgres
from etl_assets.institution import LAYERS
from etl_assets.institution_spec import InstitutionSpec
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.resources import ModelRegistry
from etl_assets_tests.bank import HEADER, Platform, line
from etl_assets_tests.conftest import empty_database

DAYS = [date(2026, 3, 2) + timedelta(days=n) for n in range(5)]
KEYS = {day.isoformat() for day in DAYS}
DAILY = [name for name in LAYERS["daily"] if name != "confirmed_labels"]  # this bank delivers none
BATCH_SIZE = "DAGSTER_EVENT_BATCH_SIZE"
Stored = list[Counter[str]]


@pytest.fixture
def recorded(platform: Platform, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """Five delivered days of a bank; Dagster's storage and settings are those of the command line."""
    for n, day in enumerate(DAYS):
        platform.deliver(day, HEADER + "".join(line(10 * n + i, day) for i in range(3)))
    folder = platform.spec.folder.parent
    (folder / "dagster.yaml").write_text((Path(__file__).parents[1] / "dagster.yaml").read_text())
    monkeypatch.chdir(folder)
    with empty_database(request.getfixturevalue("server")) as url:
        monkeypatch.setenv("ETL_DAGSTER_URL", url.replace("postgresql://", "postgresql+psycopg2://"))
        monkeypatch.setenv("ETL_DAGSTER_STORAGE", str(folder / "storage"))
        for name, value in environment.tuning().items():
            monkeypatch.setenv(name, value)
        with dg.DagsterInstance.from_config(".") as instance:
            yield replace(platform, instance=instance)


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> Stored:
    """The event types of every write to the event log, in order."""
    writes: Stored = []

    def noting(method: Callable[..., None]) -> Callable[..., None]:
        def write(storage: PostgresEventLogStorage, written: EventLogEntry | Sequence[EventLogEntry]) -> None:
            entries = [written] if isinstance(written, EventLogEntry) else written
            writes.append(Counter(str(e.dagster_event_type.value) for e in entries if e.dagster_event_type))
            method(storage, written)

        return write

    for name in ("store_event", "store_event_batch"):
        monkeypatch.setattr(PostgresEventLogStorage, name, noting(getattr(PostgresEventLogStorage, name)))
    return writes


def run_daily(platform: Platform) -> None:
    platform.run(DAYS[0], DAYS[-1], layers=("daily",))


def known(platform: Platform) -> dict[str, set[str]]:
    """The partitions that Dagster calls materialised, by table."""
    return {name: platform.instance.get_materialized_partitions(_key(platform, name)) for name in DAILY}


def counted(platform: Platform, name: str) -> dict[str | None, object]:
    """The rows per partition that Dagster shows for a table."""
    records = platform.instance.fetch_materializations(_key(platform, name), limit=100).records
    events = [record.asset_materialization for record in records]
    return {e.partition: e.metadata["dagster/partition_row_count"].value for e in events if e}


def _key(platform: Platform, name: str) -> dg.AssetKey:
    return dg.AssetKey([platform.spec.institution, name])


def test_the_events_of_a_backfill_are_stored_in_batches(recorded: Platform, stored: Stored) -> None:
    run_daily(recorded)
    materialisation = DagsterEventType.ASSET_MATERIALIZATION.value
    assert [write for write in stored if materialisation in write] == [Counter({materialisation: len(DAYS)})] * len(
        DAILY
    )
    assert known(recorded) == dict.fromkeys(DAILY, KEYS)


def test_batches_tell_dagster_the_same_as_single_events(recorded: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    run_daily(recorded)
    batched = [counted(recorded, name) for name in DAILY], recorded.evaluated_checks()
    monkeypatch.setenv(BATCH_SIZE, "0")
    run_daily(recorded)
    assert batched == ([counted(recorded, name) for name in DAILY], recorded.evaluated_checks())
    assert batched[0][1] == dict.fromkeys(KEYS, 3)


def test_a_failed_range_keeps_the_events_of_its_good_partitions(recorded: Platform) -> None:
    bad = DAYS[2]
    recorded.deliver(bad, HEADER + "7;c1;s1;nonsense;-1,00\n" * 3)
    run_daily(recorded)
    good = KEYS - {bad.isoformat()}
    assert bad.isoformat() in recorded.errors()
    assert known(recorded) == {**dict.fromkeys(DAILY, good), "raw_transactions": KEYS}


def test_a_failed_step_keeps_the_events_of_the_steps_before_it(
    recorded: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etl_assets.assets.featured.features_in_pieces", _refuse)
    run_daily(recorded)
    assert "no features today" in recorded.errors()
    assert known(recorded) == {**dict.fromkeys(DAILY, KEYS), "featured_transactions": set()}


def test_the_partitions_of_a_failed_step_are_marked_as_failed(
    recorded: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS` would cost."""
    monkeypatch.setattr("etl_assets.assets.featured.features_in_pieces", _refuse)
    run_daily(recorded)
    job = recorded.definitions.resolve_job_def(f"{recorded.spec.institution}__daily")
    assert job.partitions_def is not None
    key = _key(recorded, "featured_transactions")
    status = recorded.instance.get_status_by_partition(key, sorted(KEYS), job.partitions_def)
    assert status == dict.fromkeys(KEYS, AssetPartitionStatus.FAILED)


def test_events_lost_with_a_killed_process_cost_a_second_run_and_no_row(recorded: Platform) -> None:
    arguments = (recorded.spec, recorded.warehouse.url, recorded.registry.tracking_uri)
    process = get_context("spawn").Process(target=_killed_backfill, args=arguments)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert known(recorded)["cleaned_transactions"] == set()
    assert recorded.warehouse.written(recorded.spec.institution, "cleaned_transactions") == KEYS
    before = recorded.table("cleaned_transactions")
    request = Request(recorded.spec.institution, DAYS[0], DAYS[-1], only_missing=True)
    again = planned(recorded.definitions, recorded.instance, request)[0]
    assert (again.layer, again.first, again.last) == ("daily", DAYS[0].isoformat(), DAYS[-1].isoformat())
    run_daily(recorded)
    assert known(recorded) == dict.fromkeys(DAILY, KEYS)
    assert recorded.table("cleaned_transactions") == before


def test_runs_from_the_user_interface_find_the_setting_in_env(
    tmp_path: Path, server: embedded_postgres.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with patch.dict(os.environ, {"ETL_POSTGRES_URL": server.url("postgres")}):
        environment.prepare(tmp_path / "state")
        assert os.environ[BATCH_SIZE] == "1000"
    assert f"{BATCH_SIZE}=1000" in (tmp_path / ".env").read_text().splitlines()


def test_a_batch_size_that_the_environment_names_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BATCH_SIZE, "0")
    assert environment.tuning() == {BATCH_SIZE: "0"}


def _refuse(*_: object, **__: object) -> None:
    raise ValueError("no features today")


def _killed_backfill(spec: InstitutionSpec, url: str, tracking_uri: str) -> None:
    """In a process of its own: killed when the cleaned rows are committed and Dagster is about to be told."""
    registry = ModelRegistry(tracking_uri=tracking_uri, artifact_root="artefacts")
    with (
        dg.DagsterInstance.from_config(".") as instance,
        patch.object(PostgresEventLogStorage, "store_event_batch", _killed),
    ):
        run_daily(Platform(spec, PostgresWarehouse(url=url), registry, instance))


def _killed(storage: PostgresEventLogStorage, events: Sequence[EventLogEntry]) -> None:
    event = events[0].get_dagster_event()
    if event.is_step_materialization and event.asset_key and event.asset_key.path[-1] == "cleaned_transactions":
        os.kill(os.getpid(), signal.SIGKILL)
    for entry in events:
        storage.store_event(entry)
