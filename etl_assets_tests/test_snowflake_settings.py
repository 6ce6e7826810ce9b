"""Settings say what leads to Snowflake and nothing else; what nobody could connect with is refused with the field."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
from pydantic import ValidationError

from etl_assets.io_managers.errors import Refused
from etl_assets.io_managers.snowflake.settings import SnowflakeSettings, settings_from_environment
from etl_assets_tests.snowflake_door import Door, opened_door

PLAIN, PASSPHRASE, TOKEN, PASSWORD = "pr1vate-k3y", "op3n s3same", "t0ken-of-a-b4nk", "p4ssw0rd-of-a-bank"
CONTRADICTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({"user": "etl"}, "nothing proves the user"),
    "two keys": ({"private_key": PLAIN, "private_key_path": "key.p8"}, "private_key and private_key_path are given"),
    "key and token": ({"private_key": PLAIN, "token": TOKEN, "authenticator": "OAUTH"}, "keep one of them"),
    "a password": ({"password": PASSWORD}, "allow_password=true"),
    "a token of a kind unknown": ({"token": TOKEN}, "authenticator: must say what is given"),
    "no such authenticator": ({"token": TOKEN, "authenticator": PASSWORD}, "authenticator: must be one of"),
    "key as oauth": ({"private_key": PLAIN, "authenticator": "OAUTH"}, "authenticator: must say what is given"),
    "a passphrase for nothing": (
        {"password": PASSWORD, "allow_password": True, "private_key_passphrase": PASSPHRASE},
        "private_key_passphrase: give",
    ),
    "key without user": ({"private_key": PLAIN, "user": None}, "user: is missing"),
    "workload without provider": ({"authenticator": "WORKLOAD_IDENTITY"}, "workload_identity_provider: must be one of"),
    "provider without workload": (
        {"private_key": PLAIN, "workload_identity_provider": "AWS"},
        "goes with authenticator",
    ),
    "oidc without token": (
        {"authenticator": "WORKLOAD_IDENTITY", "workload_identity_provider": "OIDC"},
        "token: goes with workload_identity_provider=OIDC",
    ),
    "a url": ({"private_key": PLAIN, "account": "https://org-bank.snowflakecomputing.com"}, "account: give"),
    "a secret in the clear": ({"private_key": PLAIN, "protocol": "http", "host": "snow.bank"}, "leave it out"),
    "no protocol": ({"private_key": PLAIN, "protocol": "ftp"}, "protocol: must be https"),
    "no number": ({"private_key": PLAIN, "port": TOKEN}, "port"),
}


@pytest.fixture
def door() -> Iterator[Door]:
    with opened_door() as door:
        yield door


def assert_secret(error: BaseException) -> None:
    text = "".join(traceback.format_exception(error)) + repr(error)
    assert not [secret for secret in (PLAIN, PASSPHRASE, TOKEN, PASSWORD) if secret in text]


class Account(SnowflakeSettings, dg.ConfigurableResource):  # type: ignore[type-arg]
    """As the warehouse and its I/O manager are."""


@pytest.mark.parametrize("kind", [SnowflakeSettings, Account])
@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_settings_that_nobody_could_connect_with_are_refused_with_the_field(
    case: str, kind: type[SnowflakeSettings]
) -> None:
    fields, words = CONTRADICTIONS[case]
    with pytest.raises(ValidationError, match=words) as refused:
        kind(**{"account": "org-bank", "database": "ETL", "user": "etl", **fields})
    assert_secret(refused.value)


def test_the_environment_says_what_dagster_does_not_have_to_know() -> None:
    given = settings_from_environment(
        {
            "SNOWFLAKE_ACCOUNT": "org-bank",
            "SNOWFLAKE_USER": "etl",
            "SNOWFLAKE_DATABASE": "ETL",
            "SNOWFLAKE_PRIVATE_KEY": PLAIN,
            "SNOWFLAKE_PRIVATE_KEY_PATH": "",
            "SNOWFLAKE_PORT": "8443",
            "SNOWFLAKE_LOCK_TIMEOUT_S": "1.5",
            "SNOWFLAKE_SOMETHING_ELSE": "x",
        }
    )
    assert given == {
        "account": "org-bank",
        "user": "etl",
        "database": "ETL",
        "private_key": PLAIN,
        "port": 8443,
        "lock_timeout_s": 1.5,
    }


def test_what_is_empty_is_not_given() -> None:
    given = SnowflakeSettings(
        account="bank", database="ETL", private_key="", token=TOKEN, authenticator="OAUTH", user=""
    )
    assert (given.private_key, given.user, given.way_in) == (None, None, "OAUTH")


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "SNOWFLAKE_ACCOUNT: is missing.*SNOWFLAKE_DATABASE: is missing"),
        ({"SNOWFLAKE_ACCOUNT": "a", "SNOWFLAKE_DATABASE": "d", "SNOWFLAKE_PASSWORD": PASSWORD}, "allow_password"),
        ({"SNOWFLAKE_ACCOUNT": "a", "SNOWFLAKE_DATABASE": "d", "SNOWFLAKE_PORT": TOKEN}, "SNOWFLAKE_PORT: "),
    ],
)
def test_an_environment_that_does_not_do_is_refused_with_its_variables(environment: dict[str, str], words: str) -> None:
    with pytest.raises(Refused, match=words) as refused:
        settings_from_environment(environment)
    assert_secret(refused.value)


@dg.asset
def who(account: Account) -> dg.MaterializeResult:
    account.connections.run(lambda session: session.cursor().execute("SELECT 1"), tag=json.dumps({"asset": "who"}))
    return dg.MaterializeResult()


@dg.resource
def account_of_the_environment(_: dg.InitResourceContext) -> Account:
    return Account(**settings_from_environment())


@pytest.mark.parametrize("is_function", [True, False])
def test_a_resource_takes_its_secrets_when_the_run_starts(
    door: Door, monkeypatch: pytest.MonkeyPatch, *, is_function: bool
) -> None:
    for name in [name for name in os.environ if name.startswith("SNOWFLAKE_")]:
        monkeypatch.delenv(name)
    place = {name: value for name, value in door.place.items() if name != "account"}
    given = Account(
        account=dg.EnvVar("SNOWFLAKE_ACCOUNT"),
        user="etl",
        token=dg.EnvVar("SNOWFLAKE_TOKEN"),
        authenticator="OAUTH",
        **place,
    )
    job = dg.Definitions(
        assets=[who], resources={"account": account_of_the_environment if is_function else given}
    ).resolve_implicit_global_asset_job_def()
    for name, value in {**door.place, "token": TOKEN, "authenticator": "OAUTH"}.items():
        monkeypatch.setenv(f"SNOWFLAKE_{name.upper()}", str(value))
    assert job.execute_in_process().success
    assert door.logins[0]["TOKEN"] == TOKEN
    assert door.statements == ['ALTER SESSION SET QUERY_TAG = \'{"asset": "who"}\'', "SELECT 1"]
