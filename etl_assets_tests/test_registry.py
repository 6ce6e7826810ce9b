"""What the model registry promises: a version that loads as what was registered, or a clear and quick refusal."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

from etl_assets.feature_groups import Feature
from models import registry as registry_module
from models.artefacts import ArtefactRefused
from models.registry import Registered, Registry, RegistryUnavailable
from models.scorer import Scorer
from models.training import Trained, train

NAME = "demo_bank.autoencoder"
INPUTS = (
    Feature("spend", "amount", "high", "EUR", "Money that left the account."),
    Feature("count_1d", "velocity", "high", "payments", "Payments in one day."),
    Feature("mean_30d", "history", "high", "EUR", "Mean payment in 30 days."),
    Feature("gap", "velocity", "low", "s", "Time since the last payment."),
)
FIGURES = {"scorer_auc": 0.9, "alert_share": 0.005}
ROWS = np.exp(np.random.default_rng(0).normal(size=(400, 4)))


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train(ROWS, INPUTS, seed=3)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    folder = tmp_path_factory.mktemp("registry")
    return Registry(f"sqlite:///{folder}/mlflow.db", folder / "artefacts")


@pytest.fixture(scope="module")
def registered(registry: Registry, trained: Trained) -> Registered:
    return registered_again(registry, trained)


def registered_again(registry: Registry, trained: Trained, name: str = NAME) -> Registered:
    tags = {"week": "2018-05-01"}
    curves = (trained.loss_curve, tags, trained.held_out_curve)
    return registry.register(name, trained.scorer, FIGURES, trained.params, *curves)


@pytest.fixture
def client(registry: Registry) -> MlflowClient:
    return registry_module._quiet_client(registry.tracking_uri)


def test_a_registered_scorer_loads_as_what_it_was(registry: Registry, registered: Registered, trained: Trained) -> None:
    loaded = registry.load(NAME, registered.version, INPUTS)
    assert np.array_equal(loaded.score(ROWS).score, trained.scorer.score(ROWS).score)


def test_each_registration_is_a_version_of_its_own(
    registry: Registry, registered: Registered, trained: Trained
) -> None:
    again = registered_again(registry, trained)
    assert int(again.version) == int(registered.version) + 1
    assert again.run_id != registered.run_id


def test_a_run_keeps_figures_params_tags_and_every_epoch(
    client: MlflowClient, registered: Registered, trained: Trained
) -> None:
    run = client.get_run(registered.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["scorer_auc"] == 0.9
    assert run.data.params["rows"] == "400"
    assert run.data.tags["week"] == "2018-05-01"
    history = client.get_metric_history(registered.run_id, "held_out_loss")
    assert [(m.step, m.value) for m in history] == list(enumerate(trained.held_out_curve))


def test_a_run_has_the_artefact_a_schema_and_a_picture_under_the_given_root(
    client: MlflowClient, registry: Registry, registered: Registered
) -> None:
    folder = Path(client.get_run(registered.run_id).info.artifact_uri.removeprefix("file://"))
    assert folder.is_relative_to(registry.artifact_root)
    assert (folder / "training_curve.png").read_bytes().startswith(b"\x89PNG")
    assert "mean_30d" in (folder / "scorer" / "MLmodel").read_text()
    assert not [path for path in folder.rglob("*") if path.suffix in {".pkl", ".pickle", ".pt", ".pth"}]


def test_registering_and_loading_say_nothing_on_the_terminal(
    registry: Registry, trained: Trained, capfd: pytest.CaptureFixture[str]
) -> None:
    again = registered_again(registry, trained)
    registry.load(NAME, again.version, INPUTS)
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_files_replaced_in_the_store_are_refused(registry: Registry, trained: Trained, client: MlflowClient) -> None:
    victim = registered_again(registry, trained, "demo_bank.victim")
    folder = Path(client.get_run(victim.run_id).info.artifact_uri.removeprefix("file://")) / "scorer"
    train(ROWS, INPUTS, seed=4).scorer.save(folder)
    with pytest.raises(ArtefactRefused, match="registered"):
        registry.load("demo_bank.victim", victim.version, INPUTS)


def test_a_version_for_other_inputs_is_refused_by_name(registry: Registry, registered: Registered) -> None:
    swapped = (INPUTS[1], INPUTS[0], *INPUTS[2:])
    with pytest.raises(ArtefactRefused, match="input 1 of the model is spend, of the table count_1d"):
        registry.load(NAME, registered.version, swapped)


def test_a_registration_that_fails_leaves_a_failed_run_and_no_version(
    registry: Registry, trained: Trained, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> str:
        raise OSError("disk full")

    monkeypatch.setattr(Scorer, "save", refuse)
    with pytest.raises(OSError, match="disk full"):
        registered_again(registry, trained, "demo_bank.unlucky")
    experiment = client.get_experiment_by_name("demo_bank.unlucky")
    assert [run.info.status for run in client.search_runs([experiment.experiment_id])] == ["FAILED"]
    assert client.search_model_versions("name = 'demo_bank.unlucky'") == []


def test_a_registry_that_is_down_is_named_without_its_password(trained: Trained, tmp_path: Path) -> None:
    down = Registry("postgresql+psycopg2://etl:hunter2@127.0.0.1:1/mlflow", tmp_path / "artefacts")
    with pytest.raises(RegistryUnavailable, match=r"://127.0.0.1:1/mlflow does not answer") as raised:
        registered_again(down, trained)
    assert "hunter2" not in str(raised.value)
    assert not (tmp_path / "artefacts").exists()


def test_a_registry_that_accepts_but_never_answers_is_given_up_quickly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_module, "CONNECT_TIMEOUT_S", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mute = Registry(f"postgresql+psycopg2://etl@127.0.0.1:{silent.getsockname()[1]}/mlflow", tmp_path)
        begun = time.monotonic()
        with pytest.raises(RegistryUnavailable):
            mute.load(NAME, "1", INPUTS)
    assert time.monotonic() - begun < 10
