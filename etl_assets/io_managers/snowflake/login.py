"""How a session with Snowflake begins: by whom it is entered, with which parameters, and who gives up after how long.

What fails here is put into words in `login_errors.py`; sessions are kept in `connections.py`.
"""

from __future__ import annotations

import base64
import math
import socket
import time
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies, proxy_bypass

from cryptography.hazmat.primitives import serialization
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import OperationalError
from snowflake.connector.util_text import construct_hostname

from etl_assets.io_managers.errors import Refused, Unavailable
from etl_assets.io_managers.snowflake.login_errors import UNKNOWN_ACCOUNT, login_translated

if TYPE_CHECKING:
    from dagster_snowflake import SnowflakeResource

    from etl_assets.io_managers.snowflake.settings import SnowflakeSettings

Session = SnowflakeConnection
APPLICATION = "etl_assets"
ANSWER_WITHIN_S = 60
"""Snowflake holds a request for 45 s before it says that the statement still runs; less would break every long one."""


class Patience:
    """The connector's own retries of one request end after `for_s` seconds; by default they never do.

    They are the better ones, as Snowflake knows a repeated request by its number and does it once. Its
    `network_timeout` is no bound for them: it also cancels statements that run longer.
    """

    def __init__(self, for_s: float) -> None:
        self.for_s = for_s

    def __call__(self) -> Iterator[int]:
        """Seconds to wait before each retry of one request."""
        yield 0
        end = time.monotonic() + self.for_s
        while time.monotonic() < end:
            yield 1
        raise OperationalError(msg="nobody answers", errno=250001)


def opened(settings: SnowflakeSettings, patience: Patience) -> Session:
    """A session of the settings. Raises: Unavailable, Refused; after about `connect_timeout_s` where nobody listens.

    Where somebody listens and says nothing, after twice that; with a key pair after 10 s, which the connector fixes.
    `SnowflakeResource` makes the connection, as for all of Dagster. We read the key ourselves: it takes a wrong
    passphrase for a key that should be base64. It closes no session either; whoever asked for one does.
    """
    with login_translated(settings.server):
        _reach(settings)
        resource = _resource_type()(**arguments(settings, patience))
        # The context is never left: it would close the session, which we keep.
        session: Session = resource.get_connection().__enter__()
    answers_within(session, ANSWER_WITHIN_S)
    return session


@cache
def _resource_type() -> type[SnowflakeResource]:
    """Imported where somebody connects: it takes 3 s and 80 MB, and warns of itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from dagster_snowflake import SnowflakeResource as Resource  # noqa: PLC0415
    return Resource


def answers_within(session: Session, seconds: float) -> None:
    """A request of the session that gets no byte for so long has failed. The connector lets nobody change it later."""
    session._socket_timeout = max(1, math.ceil(seconds))  # type: ignore[attr-defined]  # noqa: SLF001


def arguments(settings: SnowflakeSettings, patience: Patience) -> dict[str, Any]:
    """What `SnowflakeResource` is given; its additional arguments are the connector's own.

    TLS certificates are always verified. Revocation lists are not asked for (the connector's default), nothing is
    sent to Snowflake about programs and errors, and no cloud is asked at each login whether we are in it.
    """
    connect_s = max(1, math.ceil(settings.connect_timeout_s))
    said = {
        "account": settings.account,
        "user": settings.user or "",
        "database": settings.database,
        "warehouse": settings.warehouse,
        "role": settings.role,
        "autocommit": True,
        "timezone": "UTC",
        "login_timeout": connect_s,
        "authenticator": settings.way_in,
        "password": settings.password,
    }
    additional = {
        "application": APPLICATION,
        "arrow_number_to_decimal": True,  # else a NUMBER with decimal places is read as a double
        "host": settings.host,
        "port": settings.port,
        "protocol": settings.protocol,
        "socket_timeout": connect_s,
        "platform_detection_timeout_seconds": 0.0,
        "log_imported_packages_in_telemetry": False,
        "backoff_policy": patience,
        "session_parameters": session_parameters(settings),
        **_proof(settings),
    }
    return {**_given(said), "additional_snowflake_connection_args": _given(additional)}


def session_parameters(settings: SnowflakeSettings) -> dict[str, Any]:
    """What every session relies on, whatever the account or the user has for a default.

    A statement that fails ends its transaction, so that no COMMIT after it can publish a DELETE without its INSERT.
    A session that is lost lets go of its locks after five minutes.
    """
    return {
        "ABORT_DETACHED_QUERY": True,
        "BINARY_INPUT_FORMAT": "HEX",
        "BINARY_OUTPUT_FORMAT": "HEX",
        "CLIENT_TELEMETRY_ENABLED": False,
        "CLIENT_VALIDATE_DEFAULT_PARAMETERS": True,
        "DATE_INPUT_FORMAT": "AUTO",
        "ERROR_ON_NONDETERMINISTIC_MERGE": True,
        "ERROR_ON_NONDETERMINISTIC_UPDATE": True,
        "LOCK_TIMEOUT": math.ceil(settings.lock_timeout_s),
        "PYTHON_CONNECTOR_QUERY_RESULT_FORMAT": "ARROW",
        "QUERY_TAG": APPLICATION,
        "QUOTED_IDENTIFIERS_IGNORE_CASE": False,
        "ROWS_PER_RESULTSET": 0,
        "STATEMENT_TIMEOUT_IN_SECONDS": math.ceil(settings.statement_timeout_s),
        "TIME_INPUT_FORMAT": "AUTO",
        "TIMESTAMP_INPUT_FORMAT": "AUTO",
        "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ",
        "TIMEZONE": "UTC",
        "TRANSACTION_ABORT_ON_ERROR": True,
    }


def private_key(text: bytes, passphrase: str | None) -> bytes:
    """The key as the connector takes it, from PEM, PEM on one line with its line ends spelt out, or base64 of PEM.

    Raises: Refused with what is wrong; never with a piece of the key.
    """
    text = text.strip(b" \t\r\n\"'").replace(b"\\n", b"\n")
    if not text.startswith(b"-----BEGIN"):
        text = _decoded(text)
    is_encrypted = b"ENCRYPTED" in text
    if is_encrypted and not passphrase:
        raise Refused("the private key is encrypted: give private_key_passphrase")
    try:
        secret = passphrase.encode() if passphrase and is_encrypted else None
        key = serialization.load_pem_private_key(text, secret)
    except (ValueError, TypeError):
        wrong = "private_key_passphrase does not open the private key" if is_encrypted else NOT_A_KEY
        raise Refused(wrong) from None
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


NOT_A_KEY = (
    "the private key cannot be read: give PEM (-----BEGIN PRIVATE KEY-----) or base64 of it, as from "
    "`openssl genrsa 2048 | openssl pkcs8 -topk8 -inform PEM`"
)


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except ValueError:
        raise Refused(NOT_A_KEY) from None


def _proof(settings: SnowflakeSettings) -> dict[str, Any]:
    """What proves the user, read when it is needed: a file's content may be renewed while we run."""
    if settings.private_key or settings.private_key_path:
        text = settings.private_key.encode() if settings.private_key else _read(settings.private_key_path, "key")
        return {"private_key": private_key(text, settings.private_key_passphrase)}
    token = settings.token or (_read(settings.token_path, "token").decode().strip() if settings.token_path else None)
    provider = settings.workload_identity_provider
    return {"token": token, "workload_identity_provider": provider.upper() if provider else None}


def _read(path: str | None, what: str) -> bytes:
    try:
        return Path(path or "").expanduser().read_bytes()
    except OSError as problem:
        raise Refused(
            f"the file of the {what} cannot be read ({problem.strerror}): check its path and rights"
        ) from None


def _reach(settings: SnowflakeSettings) -> None:
    """Somebody listens there. The connector tells no failure from another, and takes several times as long.

    Raises: Unavailable, or Refused where the name is nobody's.
    """
    host, port = settings.host or construct_hostname(None, settings.account), settings.port or 443
    if getproxies().get(settings.protocol or "https") and not proxy_bypass(host):
        return
    try:
        socket.create_connection((host, port), timeout=settings.connect_timeout_s).close()
    except socket.gaierror as problem:
        if problem.errno == socket.EAI_NONAME:
            raise Refused(f"{settings.server} {UNKNOWN_ACCOUNT}") from None
        raise Unavailable(f"{settings.server}: its name cannot be looked up now ({problem.strerror})") from None
    except OSError as problem:
        why = problem.strerror or str(problem)
        raise Unavailable(f"{settings.server} does not answer ({why}): nothing was written; is it reachable?") from None


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
