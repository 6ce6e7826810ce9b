"""Versions of scorers with their figures and curves, kept in MLflow. The only module that knows MLflow.

Which version is in force on which day is the promotion log's business; how a scorer is saved is `scorer.py`'s.
"""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from matplotlib.figure import Figure

from etl_assets.feature_groups import Feature
from models.scorer import Scorer

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

ARTEFACT, CURVE = "scorer", "training_curve.png"
DIGEST_TAG = "content_sha256"
CONNECT_TIMEOUT_S = 5
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


class RegistryUnavailable(Exception):  # noqa: N818  the state is the fact
    """The registry's database did not answer; the same call may succeed later."""


@dataclass(frozen=True)
class Registered:
    """One version in the registry and the run that trained it."""

    version: str
    run_id: str


@dataclass(frozen=True)
class Registry:
    """The MLflow tracking database at `tracking_uri`, a SQLAlchemy URL; artefacts are kept under `artifact_root`."""

    tracking_uri: str
    artifact_root: Path

    def register(  # noqa: PLR0913, PLR0917  these are what a version is
        self,
        name: str,
        scorer: Scorer,
        figures: Mapping[str, float],
        params: Mapping[str, str | float],
        loss_curve: Sequence[float],
        tags: Mapping[str, str],
        held_out_curve: Sequence[float] = (),
    ) -> Registered:
        """A new version of `name` that loads as `scorer`, with its run; the curves are losses per epoch.

        The run is finished and the version made only when every artefact is stored: a version without
        its files would be promoted on Monday and fail on Tuesday.
        Raises: RegistryUnavailable, in seconds and before anything is written.
        """
        curves = {"loss": loss_curve, "held_out_loss": held_out_curve}
        with self._client() as client:
            run = client.create_run(self._experiment(client, name), run_name=name, tags=dict(tags))
            try:
                _log_numbers(client, run.info.run_id, figures, params, curves)
                digest = _log_artefacts(client, run, name, scorer, curves)
                version = _new_version(client, run, name, {**tags, DIGEST_TAG: digest})
            except BaseException:
                client.set_terminated(run.info.run_id, "FAILED")
                raise
            client.set_terminated(run.info.run_id, "FINISHED")
            return Registered(version, run.info.run_id)

    def prepare(self) -> None:
        """The registry's tables exist. Two processes that met an empty database would both try to make them.

        Raises: RegistryUnavailable.
        """
        with self._client() as client:
            client.search_experiments(max_results=1)

    def load(self, name: str, version: str, inputs: Sequence[Feature]) -> Scorer:
        """The scorer of that version, for columns in the order of `inputs`.

        Raises: RegistryUnavailable; ArtefactRefused when the files are not those that were registered, or the
        inputs are others.
        """
        with self._client() as client, tempfile.TemporaryDirectory() as folder:
            found = client.get_model_version(name, version)
            copy = Path(client.download_artifacts(str(found.run_id), ARTEFACT, folder))
            return Scorer.load(copy, inputs, found.tags[DIGEST_TAG])

    def _experiment(self, client: MlflowClient, name: str) -> str:
        """The experiment named after the model, its artefacts under our root."""
        found = client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        return str(client.create_experiment(name, artifact_location=(self.artifact_root / name).resolve().as_uri()))

    @contextmanager
    def _client(self) -> Iterator[MlflowClient]:
        """A client of a database that has just answered; what the database fails at later is named the same way.

        MLflow itself tries to connect ten times over a hundred seconds, and logs the driver's message each time.
        """
        self._refuse_silence()
        try:
            yield _quiet_client(self.tracking_uri)
        except Exception as error:
            if getattr(error, "error_code", None) != "TEMPORARILY_UNAVAILABLE":
                raise
            raise RegistryUnavailable(f"{self._shown()} stopped answering") from None

    def _refuse_silence(self) -> None:
        options = {"connect_timeout": CONNECT_TIMEOUT_S} if self.tracking_uri.startswith("postgresql") else {}
        try:
            engine = sa.create_engine(self.tracking_uri, connect_args=options, poolclass=sa.pool.NullPool)
            with engine.connect() as connection:
                connection.execute(sa.text("SELECT 1"))
        except sa.exc.OperationalError as error:
            raise RegistryUnavailable(f"{self._shown()} does not answer: {type(error.orig).__name__}") from None

    def _shown(self) -> str:
        """Without user, password and query; of a password that is not percent-encoded, pieces stand in the host."""
        url = sa.make_url(self.tracking_uri).set(username=None, password=None, query={})
        scheme, _, place = url.render_as_string().partition("://")
        return f"model registry {scheme}://{place.rpartition('@')[2]}"


def _quiet_client(tracking_uri: str) -> MlflowClient:
    """A client with explicit addresses, no telemetry and no chatter, imported here because that takes seconds.

    MLflow's mappers use a loader that SQLAlchemy 2.1 deprecates; that is theirs to mend, not ours to fail on.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient  # noqa: PLC0415

    for logger in ("mlflow", "alembic"):
        logging.getLogger(logger).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sa.exc.SADeprecationWarning)
        return MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)


def _log_numbers(
    client: MlflowClient,
    run_id: str,
    figures: Mapping[str, float],
    params: Mapping[str, str | float],
    curves: Mapping[str, Sequence[float]],
) -> None:
    from mlflow.entities import Metric, Param  # noqa: PLC0415

    metrics = [Metric(name, float(value), 0, 0) for name, value in figures.items()]
    metrics += [
        Metric(name, float(loss), 0, epoch) for name, curve in curves.items() for epoch, loss in enumerate(curve)
    ]
    client.log_batch(run_id, metrics=metrics, params=[Param(name, str(value)) for name, value in params.items()])


def _log_artefacts(
    client: MlflowClient, run: Run, name: str, scorer: Scorer, curves: Mapping[str, Sequence[float]]
) -> str:
    """The content hash of the scorer whose files, signature and curve are now stored with the run."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        digest = scorer.save(folder / ARTEFACT)
        _signed(name, run.info.run_id, scorer).save(folder / ARTEFACT / "MLmodel")
        _drawn(curves).savefig(folder / CURVE, format="png")
        client.log_artifacts(run.info.run_id, str(folder))
    return digest


def _signed(name: str, run_id: str, scorer: Scorer) -> Any:
    """What MLflow shows as the model's schema; it has no flavour, since only `Scorer.load` may open it."""
    from mlflow.models import Model, ModelSignature  # noqa: PLC0415
    from mlflow.types import ColSpec, DataType, Schema  # noqa: PLC0415

    inputs = Schema([ColSpec(DataType.double, feature.name, required=False) for feature in scorer.inputs])
    outputs = Schema([ColSpec(DataType.double, "score"), ColSpec(DataType.string, "reasons")])
    return Model(artifact_path=name, run_id=run_id, signature=ModelSignature(inputs=inputs, outputs=outputs))


def _drawn(curves: Mapping[str, Sequence[float]]) -> Figure:
    """The losses per epoch, drawn without pyplot: its figures are global and outlive the run."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for name, curve in curves.items():
        axes.plot(range(1, len(curve) + 1), curve, label=name.replace("_", " "))
    axes.set(xlabel="epoch", ylabel="loss per hidden value (nats)")
    axes.legend()
    return figure


def _new_version(client: MlflowClient, run: Run, name: str, tags: Mapping[str, str]) -> str:
    """The number of the new version, whose source is the run's artefact."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    source = f"{run.info.artifact_uri}/{ARTEFACT}"
    made = client.create_model_version(name, source, run.info.run_id, tags=dict(tags), await_creation_for=0)
    return str(made.version)
