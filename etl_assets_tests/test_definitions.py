"""The platform as Dagster loads it: all tenants or a message that says which file is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import dagster as dg
import pytest
import yaml

from etl_assets import environment
from etl_assets.backfill import spans
from etl_assets.definitions import DEMO_INSTITUTIONS, build_definitions, load_institutions
from etl_assets.embedded import postgres as embedded_postgres
from etl_assets.embedded import snowflake as embedded_snowflake
from etl_assets.institution import LAYERS, MIRRORS, Institution
from etl_assets.institution_spec import InstitutionSpec, SpecRefused
from etl_assets.resources import resources, snowflake_is_configured

PROJECT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_definitions(DEMO_INSTITUTIONS)


def without(spec: InstitutionSpec) -> set[str]:
    """The assets that only an institution with labels has."""
    return set() if spec.labels else {"confirmed_labels"}


def test_each_institution_has_its_own_assets_group_and_jobs(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for spec in load_institutions(DEMO_INSTITUTIONS):
        keys = [key for key in graph.get_all_asset_keys() if spec.institution in key.path]
        mirrors = {key.path[-1] for key in keys if key.path[0] == "snowflake"}
        own = {asset for layer, assets in LAYERS.items() for asset in assets if layer != MIRRORS} - without(spec)
        assert {key.path[1] for key in keys if key.path[0] == spec.institution} == own
        assert mirrors == {*LAYERS[MIRRORS]} - {"raw_transactions"}
        assert {graph.get(key).group_name for key in keys} == {spec.institution, f"{spec.institution}_snowflake"}
        assert all(graph.get(key).owners == list(spec.owners) and graph.get(key).kinds for key in keys)
        for layer in LAYERS:
            assert definitions.resolve_job_def(f"{spec.institution}__{layer}").partitions_def is not None


def test_each_institution_has_sensors_that_a_person_starts_and_the_arrivals_train_nothing(
    definitions: dg.Definitions,
) -> None:
    for spec in load_institutions(DEMO_INSTITUTIONS):
        for name in ("arrivals", "restatements", "mirrors"):
            started = definitions.resolve_sensor_def(f"{spec.institution}__{name}").default_status
            assert started is dg.DefaultSensorStatus.STOPPED
        sensor = definitions.resolve_sensor_def(f"{spec.institution}__arrivals")
        job, carried = definitions.resolve_job_def(sensor.job_name), {*LAYERS["daily"], *LAYERS["scores"]}
        assert {key.path[1] for key in job.asset_layer.selected_asset_keys} == carried - without(spec)


def test_every_asset_says_what_it_is_and_which_code_made_it(definitions: dg.Definitions) -> None:
    for key in definitions.resolve_asset_graph().get_all_asset_keys():
        node = definitions.resolve_asset_graph().get(key)
        assert node.description
        assert node.code_version
        assert "dagster/column_schema" in node.metadata or key.path[-1] == "autoencoder"


def test_every_check_is_partitioned(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    assert len(graph.asset_check_keys) == 3 * (17 + 6)
    assert all(graph.get(key).partitions_def is not None for key in graph.asset_check_keys)


def test_an_institution_is_a_component_whose_attributes_are_the_yaml() -> None:
    attributes = yaml.safe_load((DEMO_INSTITUTIONS / "nordbank.yaml").read_text())
    component = Institution.from_attributes_dict(attributes={"spec": attributes})
    assert isinstance(component, dg.Component)
    built = dg.Definitions.merge(component.build_defs(None), dg.Definitions(resources=resources()))  # type: ignore[arg-type]
    assert len(list(built.resolve_asset_graph().get_all_asset_keys())) == 8 + 5


def test_wrong_files_are_all_named_at_once(tmp_path: Path) -> None:
    good = yaml.safe_load((DEMO_INSTITUTIONS / "nordbank.yaml").read_text())
    (tmp_path / "a.yaml").write_text(yaml.safe_dump({**good, "time_zone": "Europe/Berln"}))
    (tmp_path / "b.yaml").write_text(yaml.safe_dump({**good, "colour": "red"}))
    with pytest.raises(SpecRefused) as refusal:
        load_institutions(tmp_path)
    message = str(refusal.value)
    assert "a.yaml" in message
    assert "time_zone" in message
    assert "b.yaml" in message
    assert "colour" in message


def test_two_files_for_one_institution_are_refused(tmp_path: Path) -> None:
    for name in ("one.yaml", "two.yaml"):
        (tmp_path / name).write_text((DEMO_INSTITUTIONS / "nordbank.yaml").read_text())
    with pytest.raises(SpecRefused, match="nordbank has two files"):
        load_institutions(tmp_path)


def test_a_folder_without_institutions_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(SpecRefused, match="ETL_INSTITUTIONS"):
        load_institutions(tmp_path)


def test_missing_days_become_unbroken_ranges() -> None:
    keys = ["01", "02", "03", "04", "05"]
    assert spans(keys, set()) == [("01", "05")]
    assert spans(keys, {"03"}) == [("01", "02"), ("04", "05")]
    assert spans(keys, set(keys)) == []


def test_dagsters_own_tools_accept_the_workspace_and_the_instance(database: str, tmp_path: Path) -> None:
    storage = {"ETL_DAGSTER_URL": database.replace("postgresql://", "postgresql+psycopg2://")}
    settings = {**os.environ, **storage, "ETL_DAGSTER_STORAGE": str(tmp_path), "DAGSTER_DISABLE_TELEMETRY": "1"}
    command = [Path(sys.executable).parent / "dagster", "definitions", "validate", "-w", "workspace.yaml"]
    done = subprocess.run(command, cwd=PROJECT, env=settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Validation successful" in done.stdout + done.stderr


def test_the_env_file_has_a_url_per_database_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    urls = environment.urls("postgresql://etl:secret@db.example:5433/postgres?sslmode=verify-full")
    assert urls["ETL_WAREHOUSE_URL"] == "postgresql://etl:secret@db.example:5433/etl_warehouse?sslmode=verify-full"
    assert urls["ETL_MLFLOW_URL"].startswith("postgresql+psycopg2://etl:secret@db.example:5433/etl_mlflow")
    environment.write_env(tmp_path / ".env", urls)
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


def test_a_given_server_is_used_and_none_is_started(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("ETL_DELIVERIES", "ETL_MLFLOW_ARTIFACTS", "ETL_DAGSTER_STORAGE", *environment.DATABASES):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("ETL_POSTGRES_URL", database)
    variables = environment.prepare(tmp_path / "state")
    assert variables["ETL_POSTGRES_URL"] == database
    assert not (tmp_path / "state" / "postgres").exists()


@pytest.fixture
def no_settings() -> Iterator[None]:
    """The environment says nothing of the platform, and afterwards what it said before."""
    with patch.dict(os.environ):
        for name in [name for name in os.environ if name.startswith(("ETL_", "SNOWFLAKE_"))]:
            del os.environ[name]
        yield


@pytest.mark.usefixtures("no_settings")
def test_beside_the_embedded_server_there_is_a_snowflake_unless_an_account_is_given(
    server: embedded_postgres.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("etl_assets.environment.embedded_postgres.start", lambda _: server)
    state, folder = tmp_path / "state", tmp_path / "state" / "snowflake"
    os.environ["SNOWFLAKE_ACCOUNT"] = "organisation-account"
    assert not [name for name in environment.prepare(state) if name.startswith("SNOWFLAKE_")]
    assert not folder.exists()
    del os.environ["SNOWFLAKE_ACCOUNT"], os.environ["ETL_POSTGRES_URL"]
    variables = environment.prepare(state)
    try:
        here = embedded_snowflake.running(folder)
        assert here is not None
        assert os.environ["SNOWFLAKE_PORT"] == str(here.port)
        assert f"SNOWFLAKE_PORT={variables['SNOWFLAKE_PORT']}\n" in (tmp_path / ".env").read_text()
        assert snowflake_is_configured()
    finally:
        embedded_snowflake.destroy(folder)
