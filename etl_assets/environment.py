"""The environment that everything else reads: databases, folders, and the `.env` that plain `dagster dev` loads.

Here the embedded server is started where none is given; no other module starts processes or writes settings.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from etl_assets.embedded import postgres as embedded_postgres
from etl_assets.embedded import snowflake as embedded_snowflake
from etl_assets.spec.privacy import KEY_VARIABLE

DATABASES = {"ETL_WAREHOUSE_URL": "etl_warehouse", "ETL_DAGSTER_URL": "etl_dagster", "ETL_MLFLOW_URL": "etl_mlflow"}
SQLALCHEMY = ("ETL_DAGSTER_URL", "ETL_MLFLOW_URL")
TUNING = {"DAGSTER_EVENT_BATCH_SIZE": "1000"}


class SettingMissing(RuntimeError):  # noqa: N818  the fact, not a fault
    """An environment variable that the platform needs is not set."""


def state_folder() -> Path:
    """Where the embedded parts keep their state: `ETL_STATE`, or `state` in the working directory."""
    return Path(os.environ.get("ETL_STATE") or "state").resolve()


def prepare(state: Path) -> dict[str, str]:
    """Servers answer, databases exist, and this process and `.env` name them.

    With `ETL_POSTGRES_URL` set, that server is used and nothing is started. With `SNOWFLAKE_ACCOUNT` set, that account
    is used; without either, a local stand-in for one.
    """
    given = os.environ.get("ETL_POSTGRES_URL")
    server = given or embedded_postgres.start(state).url("postgres")
    embedded_postgres.databases(server, list(DATABASES.values()))
    variables = {"ETL_POSTGRES_URL": server, **urls(server), **folders(state), **tuning()}
    variables |= token_key(None if given else state) | ({} if given else snowflake(state))
    os.environ.update(variables)
    write_env(Path(".env"), variables)
    return variables


def urls(server: str) -> dict[str, str]:
    """One URL per database. SQLAlchemy 2.1 would take psycopg 3 for `postgresql://`, with which Dagster fails."""
    parts = urlsplit(server)
    return {
        variable: urlunsplit(
            parts._replace(scheme="postgresql+psycopg2" if variable in SQLALCHEMY else parts.scheme, path=f"/{name}")
        )
        for variable, name in DATABASES.items()
    }


def folders(state: Path) -> dict[str, str]:
    """Where deliveries, artefacts and logs are, unless the environment already says so; all exist."""
    names = {"ETL_DELIVERIES": "deliveries", "ETL_MLFLOW_ARTIFACTS": "mlflow", "ETL_DAGSTER_STORAGE": "dagster"}
    chosen = {variable: os.environ.get(variable) or str(state / name) for variable, name in names.items()}
    for folder in chosen.values():
        if "://" not in folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
    return chosen


def tuning() -> dict[str, str]:
    """Dagster stores the materialisations of one output together, unless the environment already says otherwise.

    Safe: the buffer is of one output, filled after its rows and their note in `_slices` are committed and stored
    before the output counts as handled, so a failure of that step or a later one loses nothing. A process killed in
    between loses events and no data: Dagster then calls partitions missing that are there, and running them again,
    as `--only-missing` does, gives the same rows. Check evaluations are stored one by one as before.

    Not set: `DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS`. It saves more, but a run that fails would no longer
    mark its partitions as failed.
    """
    return {name: os.environ.get(name) or value for name, value in TUNING.items()}


def token_key(state: Path | None) -> dict[str, str]:
    """The secret of the tokens: the one given, or for the embedded server one of its own, made once.

    For another server, where `state` is None, none is made: each machine would make its own, and no card of one would
    be known to the next.
    """
    secret = os.environ.get(KEY_VARIABLE)
    if not secret and state is not None:
        path = state / "token_key"
        with suppress(FileExistsError):
            _write_private(path, secrets.token_urlsafe(32))
        secret = path.read_text(encoding="utf-8")
    return {KEY_VARIABLE: secret} if secret else {}


def snowflake(state: Path) -> dict[str, str]:
    """Where the local stand-in for Snowflake answers, started for this; nothing where an account is given."""
    if os.environ.get("SNOWFLAKE_ACCOUNT"):
        return {}
    return snowflake_variables(embedded_snowflake.start(state / "snowflake"))


def snowflake_variables(server: embedded_snowflake.Server) -> dict[str, str]:
    """What names the stand-in to everything that would else use an account."""
    parameters = server.parameters | {"allow_password": True}
    return {f"SNOWFLAKE_{name.upper()}": str(value) for name, value in parameters.items()}


def write_env(path: Path, variables: dict[str, str]) -> None:
    """`path` holds the variables and only its owner can read it: the URLs carry a password."""
    content = "# Written by etl-assets; plain `dagster dev` reads it. Not for version control.\n"
    content += "".join(f"{name}={value}\n" for name, value in sorted(variables.items()))
    path.unlink(missing_ok=True)
    _write_private(path, content)


def _write_private(path: Path, content: str) -> None:
    """A new file that only its owner can read. Raises: FileExistsError."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(content)


def variable(name: str) -> str:
    """The environment variable's value.

    Raises: SettingMissing, naming it and what sets it.
    """
    value = os.environ.get(name)
    if not value:
        raise SettingMissing(f"{name} is not set; `etl-assets up` sets it up and writes .env")
    return value
