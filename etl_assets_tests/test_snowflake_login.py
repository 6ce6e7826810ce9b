"""Each way into Snowflake reaches its door as it should, and shows its secret to nobody."""

from __future__ import annotations

import base64
import logging
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from etl_assets.io_managers.errors import Refused
from etl_assets.io_managers.snowflake.connections import close_all
from etl_assets.io_managers.snowflake.settings import SnowflakeSettings
from etl_assets_tests.snowflake_door import Door, opened_door

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PASSPHRASE, TOKEN, PASSWORD = "op3n s3same", "t0ken-of-a-b4nk", "p4ssw0rd-of-a-bank"
PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
PLAIN = KEY.private_bytes(PEM, PKCS8, serialization.NoEncryption()).decode()
LOCKED = KEY.private_bytes(PEM, PKCS8, serialization.BestAvailableEncryption(PASSPHRASE.encode())).decode()
OLD_FORM = serialization.PrivateFormat.TraditionalOpenSSL
OLD = KEY.private_bytes(PEM, OLD_FORM, serialization.NoEncryption()).decode()
OLD_LOCKED = KEY.private_bytes(PEM, OLD_FORM, serialization.BestAvailableEncryption(PASSPHRASE.encode())).decode()
SECRETS = [PASSPHRASE, TOKEN, PASSWORD, *PLAIN.splitlines()[1:-1], *LOCKED.splitlines()[1:-1]]
KEYS: dict[str, dict[str, str]] = {
    "pem": {"private_key": PLAIN},
    "pem on one line": {"private_key": PLAIN.strip().replace("\n", "\\n")},
    "base64 of pem": {"private_key": base64.b64encode(PLAIN.encode()).decode()},
    "base64 as the shell breaks it": {"private_key": base64.encodebytes(PLAIN.encode()).decode()},
    "encrypted": {"private_key": LOCKED, "private_key_passphrase": PASSPHRASE},
    "base64 of encrypted": {
        "private_key": base64.b64encode(LOCKED.encode()).decode(),
        "private_key_passphrase": PASSPHRASE,
    },
    "as openssl once wrote it": {"private_key": OLD},
    "encrypted as openssl once did": {"private_key": OLD_LOCKED, "private_key_passphrase": PASSPHRASE},
    "quoted as in an env file": {"private_key": f'"{PLAIN}"'},
    "with line ends of windows": {"private_key": PLAIN.replace("\n", "\r\n")},
    "a passphrase too many": {"private_key": PLAIN, "private_key_passphrase": PASSPHRASE},
}
NO_KEYS: dict[str, tuple[dict[str, str], str]] = {
    "wrong passphrase": ({"private_key": LOCKED, "private_key_passphrase": TOKEN}, "does not open the private key"),
    "no passphrase": ({"private_key": LOCKED}, "give private_key_passphrase"),
    "no key": ({"private_key": TOKEN}, "cannot be read: give PEM"),
    "no key in base64": ({"private_key": base64.b64encode(TOKEN.encode()).decode()}, "cannot be read: give PEM"),
    "half a key": ({"private_key": PLAIN[:400]}, "cannot be read: give PEM"),
    "no file": ({"private_key_path": "nowhere.p8"}, "file of the key cannot be read"),
}


@pytest.fixture
def door() -> Iterator[Door]:
    with opened_door() as door:
        yield door


def settings(door: Door, **fields: Any) -> SnowflakeSettings:
    return SnowflakeSettings(**{"user": "etl", "retry_for_s": 0, **door.place, **fields})


def enter(settings: SnowflakeSettings) -> None:
    settings.connections.run(lambda session: session.session_id)


def printed(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error)


def assert_secret(text: str) -> None:
    assert not [secret for secret in SECRETS if secret in text]


def test_a_session_begins_where_and_as_what_it_was_told(door: Door) -> None:
    enter(settings(door, private_key=PLAIN, role="ETL_ROLE", warehouse="ETL_WH", lock_timeout_s=7.5))
    asked, said = door.asked_for[0], door.logins[0]
    assert {name: asked.get(name) for name in ("databaseName", "roleName", "warehouse")} == {
        "databaseName": "ETL",
        "roleName": "ETL_ROLE",
        "warehouse": "ETL_WH",
    }
    assert (said["LOGIN_NAME"], said["CLIENT_ENVIRONMENT"]["APPLICATION"]) == ("etl", "etl_assets")
    parameters = said["SESSION_PARAMETERS"]
    assert {
        name: parameters[name] for name in ("TIMEZONE", "AUTOCOMMIT", "LOCK_TIMEOUT", "TRANSACTION_ABORT_ON_ERROR")
    } == {
        "TIMEZONE": "UTC",
        "AUTOCOMMIT": True,
        "LOCK_TIMEOUT": 8,
        "TRANSACTION_ABORT_ON_ERROR": True,
    }
    assert parameters["STATEMENT_TIMEOUT_IN_SECONDS"] == 3600
    assert parameters["ABORT_DETACHED_QUERY"] is True
    assert parameters["ROWS_PER_RESULTSET"] == 0, "a user's own limit would cut what is read, without a word"
    assert parameters["CLIENT_TELEMETRY_ENABLED"] is False
    assert said["CLIENT_ENVIRONMENT"]["PLATFORM"] == []


@pytest.mark.parametrize("form", KEYS)
@pytest.mark.parametrize("is_file", [False, True])
def test_a_private_key_signs_the_login_in_whatever_form_it_is_given(
    door: Door, form: str, tmp_path: Path, *, is_file: bool
) -> None:
    fields = dict(KEYS[form])
    if is_file:
        (tmp_path / "key").write_text(fields.pop("private_key"))
        fields["private_key_path"] = str(tmp_path / "key")
    enter(settings(door, **fields))
    said = door.logins[0]
    claims = jwt.decode(said["TOKEN"], KEY.public_key(), algorithms=["RS256"])
    assert said["AUTHENTICATOR"] == "SNOWFLAKE_JWT"
    assert claims["sub"] == "ORG-BANK.ETL"
    assert claims["iss"].startswith("ORG-BANK.ETL.SHA256:")


@pytest.mark.parametrize("case", NO_KEYS)
def test_a_key_that_is_none_is_refused_before_anybody_is_asked(door: Door, case: str) -> None:
    fields, words = NO_KEYS[case]
    with pytest.raises(Refused, match=words) as refused:
        enter(settings(door, **fields))
    assert door.logins == []
    assert_secret(printed(refused.value))


@pytest.mark.parametrize("authenticator", ["OAUTH", "oauth", "PROGRAMMATIC_ACCESS_TOKEN"])
@pytest.mark.parametrize("is_file", [False, True])
def test_a_token_is_shown_as_what_it_is(door: Door, authenticator: str, tmp_path: Path, *, is_file: bool) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    given = {"token_path": str(tmp_path / "token")} if is_file else {"token": TOKEN}
    enter(settings(door, authenticator=authenticator, user=None, **given))
    assert (door.logins[0]["AUTHENTICATOR"], door.logins[0]["TOKEN"]) == (authenticator.upper(), TOKEN)


def test_a_token_file_is_read_again_at_each_login(door: Door, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first")
    given = settings(door, authenticator="OAUTH", token_path=str(file))
    enter(given)
    close_all()
    file.write_text("second")
    enter(given)
    assert [said["TOKEN"] for said in door.logins] == ["first", "second"]


def test_a_workload_shows_its_identity(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNOWFLAKE_WIF_ALLOWED_HOST_SUFFIXES", "localhost")
    token = jwt.encode({"iss": "https://cluster.bank", "sub": "system:serviceaccount:etl"}, "x" * 32, algorithm="HS256")
    given = {"authenticator": "WORKLOAD_IDENTITY", "workload_identity_provider": "oidc", "token": token}
    enter(settings(door, user=None, **given, host="localhost"))
    said = door.logins[0]
    assert (said["AUTHENTICATOR"], said["PROVIDER"], said["TOKEN"]) == ("WORKLOAD_IDENTITY", "OIDC", token)


def test_a_workload_identity_is_not_shown_to_strangers(door: Door) -> None:
    given = {"authenticator": "WORKLOAD_IDENTITY", "workload_identity_provider": "OIDC", "token": TOKEN}
    with pytest.raises(Refused, match="workload identity") as refused:
        enter(settings(door, user=None, **given))
    assert door.logins == []
    assert_secret(printed(refused.value))


def test_a_password_is_used_where_it_is_allowed(door: Door) -> None:
    enter(settings(door, password=PASSWORD, allow_password=True))
    assert door.logins[0]["PASSWORD"] == PASSWORD
    assert "AUTHENTICATOR" not in door.logins[0]


WAYS: dict[str, dict[str, Any]] = {
    "key": {"private_key": LOCKED, "private_key_passphrase": PASSPHRASE},
    "token": {"token": TOKEN, "authenticator": "OAUTH"},
    "access token": {"token": TOKEN, "authenticator": "PROGRAMMATIC_ACCESS_TOKEN"},
    "password": {"password": PASSWORD, "allow_password": True},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("is_let_in", [True, False])
def test_no_secret_is_shown_by_repr_logs_or_errors(
    door: Door, way: str, caplog: pytest.LogCaptureFixture, *, is_let_in: bool
) -> None:
    given = settings(door, **WAYS[way])
    if not is_let_in:
        door.refuses(390100, f"Incorrect username or password was specified: {TOKEN} {PASSWORD}")
    told = [repr(given), str(given), f"{given.connections}", given.server]
    with caplog.at_level(logging.DEBUG):
        try:
            enter(given)
        except Refused as refused:
            told.append(printed(refused))
    signed = door.logins[0].get("TOKEN", "-" * 9)
    assert len(door.logins) == 1
    for text in (*told, caplog.text):
        assert_secret(text)
        assert signed not in text
        assert "session-t0ken" not in text
