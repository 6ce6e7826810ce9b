"""Which ways into Snowflake there are, and what is missing or too much in what somebody has written.

Pure: fields in, sentences out. No sentence quotes a value.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etl_assets.io_managers.snowflake.settings import SnowflakeSettings

KEY_PAIR, PASSWORD, WORKLOAD = "SNOWFLAKE_JWT", "SNOWFLAKE", "WORKLOAD_IDENTITY"
TOKENS = ("OAUTH", "PROGRAMMATIC_ACCESS_TOKEN")
PROVIDERS = ("AWS", "AZURE", "GCP", "OIDC")
LOCAL = ("localhost", "127.0.0.1", "::1")


def way_in(settings: SnowflakeSettings) -> str:
    """The connector's name for how the user is proved."""
    if settings.private_key or settings.private_key_path:
        return KEY_PAIR
    return (settings.authenticator or PASSWORD).upper()


def problems_of(settings: SnowflakeSettings) -> list[str]:
    """What nobody could connect with, each with the field and what to do."""
    return [*_of_the_proof(settings), *_of_the_details(settings), *_of_the_place(settings)]


def _of_the_proof(settings: SnowflakeSettings) -> Iterator[str]:
    names = ("private_key", "private_key_path", "token", "token_path", "password")
    given = [name for name in names if getattr(settings, name)]
    if len(given) > 1:
        yield f"{' and '.join(given)} are given: keep one of them"
    elif not given and way_in(settings) != WORKLOAD:
        yield (
            "nothing proves the user: give private_key or private_key_path, token or token_path with authenticator, or "
            "authenticator=WORKLOAD_IDENTITY"
        )
    elif given == ["password"] and not settings.allow_password:
        yield (
            "password: services cannot sign in with one any more; give private_key, or allow_password=true for an "
            "account that still takes it"
        )


def _of_the_details(settings: SnowflakeSettings) -> Iterator[str]:
    way, has_key = way_in(settings), bool(settings.private_key or settings.private_key_path)
    said, provider = (settings.authenticator or way).upper(), (settings.workload_identity_provider or "").upper()
    has_token = bool(settings.token or settings.token_path)
    if said not in (KEY_PAIR, PASSWORD, WORKLOAD, *TOKENS):
        yield f"authenticator: must be one of {', '.join((*TOKENS, WORKLOAD))}, or left out"
    elif said != way or (has_token and way in (KEY_PAIR, PASSWORD)) or (settings.password and way != PASSWORD):
        yield f"authenticator: must say what is given: {', '.join(TOKENS)} for a token, nothing for a key or password"
    if settings.private_key_passphrase and not has_key:
        yield "private_key_passphrase: give the private_key or private_key_path that it opens"
    if not settings.user and way in (KEY_PAIR, PASSWORD):
        yield "user: is missing"
    if way == WORKLOAD and provider not in PROVIDERS:
        yield f"workload_identity_provider: must be one of {', '.join(PROVIDERS)}"
    if provider and way != WORKLOAD:
        yield f"workload_identity_provider: goes with authenticator={WORKLOAD}"
    if way == WORKLOAD and has_token != (provider == "OIDC"):
        yield "token: goes with workload_identity_provider=OIDC, and that with a token or token_path"


def _of_the_place(settings: SnowflakeSettings) -> Iterator[str]:
    if "/" in settings.account or ".snowflakecomputing." in settings.account.lower():
        yield "account: give organisation-account without https:// and .snowflakecomputing.com"
    if settings.protocol not in (None, "http", "https"):
        yield "protocol: must be https, or http to this machine"
    if settings.protocol == "http" and settings.host not in LOCAL:
        yield "protocol: http would show the secret to the network; leave it out"
