"""Why Snowflake lets nobody in, in words: what fails before there is a session.

The numbers of a login mean something else than in a session, and many refusals share one, so the text counts too. Of
that nothing is repeated: it may quote the user, and a token that could not be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from snowflake.connector import errors as driver
from snowflake.connector.vendored.requests.exceptions import RequestException

from etl_assets.io_managers.errors import Permanent, Refused, Unavailable
from etl_assets.io_managers.snowflake.errors import TLS, number_of

WRONG_KEY = (
    "refuses the key: `account` or `user` is misspelt, the user's RSA_PUBLIC_KEY is not the other half of the private "
    "key, or this machine's clock is wrong"
)
EXPIRED = "says that the token has expired: give a new one"
WRONG_TOKEN = "refuses the token: make a new one for this user and account, and check `authenticator`"  # noqa: S105
SECOND_FACTOR = "wants a second factor: a service signs in with a key pair, a token or workload identity"
UNKNOWN = "knows no such {object}, or the role may not use it: check `{object}` and the grants"
UNKNOWN_ACCOUNT = "is no account there: check `account` (organisation-account), and `host` where one is given"
ADDRESS = "does not let this machine in: its address is outside the network policy of the account or user"
SILENCE = "does not answer: nothing was written; is it reachable from here?"
NO_IDENTITY = "cannot be shown a workload identity: this machine has none of `workload_identity_provider`"
BY_NUMBER = {
    390100: "refuses user or password: check both, and whether the user may still use a password",
    390101: "has disabled the user",
    390102: "has locked the user for some minutes after failed logins",
    390114: EXPIRED,
    390144: WRONG_KEY,
    390186: UNKNOWN.format(object="role"),
    390189: UNKNOWN.format(object="role"),
    390197: SECOND_FACTOR,
    390303: WRONG_TOKEN,
    390318: EXPIRED,
    390420: ADDRESS,
    390422: ADDRESS,
    390432: "takes a programmatic access token only from a user with a network policy: give the user one",
    **dict.fromkeys(range(394300, 394307), WRONG_KEY),
    394400: WRONG_TOKEN,
    **dict.fromkeys((251017, 251018, 251021), NO_IDENTITY),
    **dict.fromkeys((290401, 290403, 290404), UNKNOWN_ACCOUNT),
}
BY_SIGN = {
    "jwt": WRONG_KEY,
    "programmatic access token": WRONG_TOKEN,
    "expired": EXPIRED,
    "oauth": WRONG_TOKEN,
    "multi-factor": SECOND_FACTOR,
    "mfa": SECOND_FACTOR,
    "authentication policy": "takes no such login: the authentication policy of the account or user wants another one",
    "network policy": ADDRESS,
    "not allowed to access": ADDRESS,
    "temporarily locked": BY_NUMBER[390102],
    "disabled": BY_NUMBER[390101],
    "suspended": "has suspended the account: ask who pays for it",
    "verify the account name": UNKNOWN_ACCOUNT,
    "requested warehouse": UNKNOWN.format(object="warehouse"),
    "requested database": UNKNOWN.format(object="database"),
    "role": UNKNOWN.format(object="role"),
    "workload identity": NO_IDENTITY,
    "incorrect username": BY_NUMBER[390100],
}
SILENT = {250001, 250003, 251011, 251012, 290408, 290429, *range(290500, 290600)}


@contextmanager
def login_translated(server: str) -> Iterator[None]:
    """A login that failed is Unavailable where nobody answered, else Refused with what to check; no secret is told."""
    try:
        yield
    except (Permanent, Unavailable):
        raise
    except driver.Error as error:
        raise _translated(server, error) from None
    except RequestException as error:
        raise Unavailable(f"{server} {SILENCE} [{type(error).__name__}]") from None
    except Exception as error:  # noqa: BLE001  what reads tokens and fetches identities raises its libraries' own kinds
        raise Refused(f"{server}: signing in failed with {type(error).__name__}; check the secret's form") from None


def _translated(server: str, error: driver.Error) -> Exception:
    number, text = number_of(error), str(error.raw_msg).lower()
    if isinstance(error, driver.NonRetryableTlsError | driver.RevocationCheckError):
        return Refused(f"{server} {TLS.format(kind=type(error).__name__)}")
    if number in BY_NUMBER:
        return Refused(f"{server} {BY_NUMBER[number]} [{number}]")
    for sign, meaning in BY_SIGN.items():
        if sign in text:
            return Refused(f"{server} {meaning} [{number}]")
    if number in SILENT:
        return Unavailable(f"{server} {SILENCE} [{number}]")
    return Refused(f"{server} refuses the login [{number}]")
