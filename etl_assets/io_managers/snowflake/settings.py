"""What is said about a Snowflake account: where it is, who enters it with what, and how long things may take.

What these settings lead to is in `login.py`; a secret that is given here is shown by nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Self

import dagster as dg
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from etl_assets.io_managers.errors import Refused
from etl_assets.io_managers.snowflake.connections import Connections
from etl_assets.io_managers.snowflake.ways_in import problems_of, way_in

PREFIX = "SNOWFLAKE_"


class SnowflakeSettings(BaseModel):
    """Where the account is, who enters it with what, and how long it may take."""

    model_config = ConfigDict(hide_input_in_errors=True)

    account: str = Field(description="organisation-account, as in the account's URL")
    database: str = Field(description="database that holds a schema per institution")
    user: str | None = Field(default=None, description="the platform's own user, of TYPE = SERVICE")
    role: str | None = Field(
        default=None, description="role with the privileges of docs/snowflake.md; default: the user's"
    )
    warehouse: str | None = Field(default=None, description="virtual warehouse that computes; default: the user's")
    private_key: str | None = Field(
        default=None, description="private half of the user's key pair: PEM, or base64 of it"
    )
    private_key_path: str | None = Field(default=None, description="file with the private key, in place of the key")
    private_key_passphrase: str | None = Field(default=None, description="passphrase of an encrypted private key")
    authenticator: str | None = Field(
        default=None, description="what the token is: OAUTH or PROGRAMMATIC_ACCESS_TOKEN; or WORKLOAD_IDENTITY"
    )
    token: str | None = Field(default=None, description="OAuth, programmatic access or OIDC token")
    token_path: str | None = Field(default=None, description="file with the token, read again at each login")
    workload_identity_provider: str | None = Field(default=None, description="AWS, AZURE, GCP or OIDC (with a token)")
    password: str | None = Field(default=None, description="only with allow_password")
    allow_password: bool = Field(
        default=False, description="for accounts that still take a service's password, and for the local stand-in"
    )
    host: str | None = Field(default=None, description="for PrivateLink and the local stand-in; default: the account's")
    port: int | None = Field(default=None, description="default: 443")
    protocol: str | None = Field(default=None, description="https, or http to this machine")
    connect_timeout_s: float = Field(default=10, description="seconds until a server that does not answer is given up")
    lock_timeout_s: float = Field(
        default=360, description="seconds to wait for other writers of the same table; a lost one holds it for 300"
    )
    statement_timeout_s: float = Field(
        default=3600, description="seconds that one statement may take, 0 for Snowflake's own week"
    )
    retry_for_s: float = Field(
        default=15, description="seconds in which a lost session or a lock not got is tried again, 0 for never"
    )

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_not_given(cls, value: Any) -> Any:
        """An empty environment variable says nothing."""
        return None if value == "" else value

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        """Refused before anything connects. Values that come from the environment are checked when they are there."""
        values = [getattr(self, name) for name in SnowflakeSettings.model_fields]
        if not any(isinstance(value, dg.EnvVar) for value in values) and (problems := problems_of(self)):
            raise ValueError("; ".join(problems))
        return self

    def __repr__(self) -> str:
        """Without values: a resource's repr ends up in logs."""
        return f"{type(self).__name__}(...)"

    __str__ = __repr__

    @property
    def way_in(self) -> str:
        """The connector's name for how the user is proved."""
        return way_in(self)

    @property
    def server(self) -> str:
        """Account and database for messages; never user or secret."""
        return f"Snowflake {self.account}/{self.database}"

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for settings that can share sessions."""
        return tuple(getattr(self, name) for name in SnowflakeSettings.model_fields)

    @property
    def connections(self) -> Connections:
        return Connections(self)


def settings_from_environment(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """The fields that SNOWFLAKE_ variables give, from SNOWFLAKE_ACCOUNT to SNOWFLAKE_RETRY_FOR_S; they hold secrets.

    For a function that Dagster calls when a run starts: `dg.EnvVar` cannot say that a variable may be missing.

    Raises: Refused with the variables that are missing, wrong or contradict each other.
    """
    variables = {name: f"{PREFIX}{name.upper()}" for name in SnowflakeSettings.model_fields}
    given = {name: environment[variable] for name, variable in variables.items() if environment.get(variable)}
    try:
        return SnowflakeSettings(**given).model_dump(exclude_unset=True)  # type: ignore[arg-type]
    except ValidationError as refusal:
        raise Refused(f"Snowflake's environment variables do not do: {'; '.join(_named(refusal))}") from None


def _named(refusal: ValidationError) -> list[str]:
    said = []
    for error in refusal.errors(include_input=False, include_context=False, include_url=False):
        variable = "".join(f"{PREFIX}{str(name).upper()}: " for name in error["loc"])
        said.append(variable + error["msg"].removeprefix("Value error, ").replace("Field required", "is missing"))
    return said
