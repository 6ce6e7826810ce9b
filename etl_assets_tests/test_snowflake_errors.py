"""What Snowflake and its connector say leaves as one of our kinds, in our words, with no value of a row in it.

The answers are Snowflake's, numbers and texts; the connector that reads them is the real one.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from snowflake.connector.errors import OperationalError, RevocationCheckError
from snowflake.connector.vendored.requests.exceptions import ChunkedEncodingError

from etl_assets.io_managers.errors import KeyRepeated, Refused, Unavailable
from etl_assets.io_managers.snowflake.connections import Session
from etl_assets.io_managers.snowflake.errors import is_lost, translated
from etl_assets.io_managers.snowflake.login_errors import login_translated
from etl_assets_tests.snowflake_door import Door, opened_door, took

CARD = "4111111111111111"
LOCKED = (
    "Statement '01b2-1' has locked table 'CLEANED' in transaction 17 and this lock has not yet been released.\n"
    "Your statement '01b2-2' was aborted because the number of waiters for this lock exceeds the 20 statements limit."
)


@dataclass(frozen=True)
class Answer:
    """What a statement is answered and what becomes of it."""

    number: int
    state: str
    text: str
    kind: type[Exception]
    words: str


STATEMENTS = [
    Answer(625, "57014", LOCKED, Unavailable, "waited too long for others"),
    Answer(604, "57014", "Statement was aborted because the lock timeout was exceeded", Unavailable, "waited too long"),
    Answer(612, "40001", "Your statement was aborted: deadlock detected", Unavailable, "waited too long"),
    Answer(604, "57014", "SQL execution canceled", Refused, "raise statement_timeout_s"),
    Answer(
        630, "57014", "Statement reached its statement timeout of 9 second(s)", Refused, "raise statement_timeout_s"
    ),
    Answer(603, "XX000", f"SQL execution internal error: {CARD}", Unavailable, "failed inside.*000603"),
    Answer(370001, "XX000", "Internal error", Unavailable, "failed inside"),
    Answer(606, "57P03", "No active warehouse selected in the current session.", Refused, "name one in `warehouse`"),
    Answer(
        90073,
        "22000",
        "Warehouse 'ETL_WH' cannot be resumed because resource monitor 'M' has exceeded its quota.",
        Refused,
        "'ETL_WH' cannot be resumed.*raise the quota",
    ),
    Answer(666, "57014", "Your account is suspended", Refused, "has suspended the account"),
    Answer(
        2003,
        "42S02",
        "SQL compilation error:\nObject 'ETL.BANK.CLEANED' does not exist or not authorized.",
        Refused,
        "'ETL.BANK.CLEANED' does not exist.*grant.*002003 42S02 query 01b2c3d4",
    ),
    Answer(
        3001,
        "42501",
        "SQL access control error:\nInsufficient privileges to operate on schema 'BANK'",
        Refused,
        "Insufficient privileges to operate on schema 'BANK'; .*grant",
    ),
    Answer(
        904, "42000", "SQL compilation error: error line 1 at position 7\ninvalid identifier 'NOTE'", Refused, "refused"
    ),
    Answer(
        1003,
        "42000",
        f"SQL compilation error:\nsyntax error line 1 at position 8 unexpected '{CARD}'.",
        Refused,
        r"refused a statement \(line 1, position 8\)",
    ),
    Answer(100072, "22000", "NULL result in a non-nullable column", Refused, "refused an empty value"),
    Answer(
        100038,
        "22018",
        f"Numeric value '{CARD}' is not recognized\n  File 'part_0.parquet', line 3, character 14\n"
        f'  Row 2, column "CLEANED"["AMOUNT":2]\n  If you would like to continue loading when an error is encountered',
        Refused,
        r"does not fit its column \(row 2 of its file, column AMOUNT\)",
    ),
    Answer(100046, "22003", f"Number out of representable range: value {CARD}", Refused, "does not fit its column"),
    Answer(100040, "22007", f"Date '{CARD}' is not recognized", Refused, "does not fit its column"),
    Answer(100078, "22000", f"String '{CARD}' is too long and would be truncated", Refused, "does not fit its column"),
    Answer(100132, "P0000", f"Something new about {CARD}", Refused, "refused a statement"),
    Answer(100090, "42P18", f"Duplicate row detected during DML action\nRow Values: [{CARD}]", KeyRepeated, "one key"),
    Answer(200001, "22000", f"A primary key already exists: {CARD}", KeyRepeated, "one key"),
    Answer(390114, "08001", "Authentication token has expired.", Unavailable, "was lost"),
    Answer(390111, "08003", "Session no longer exists.", Unavailable, "was lost"),
]
LOGINS: list[tuple[int, str, type[Exception], str]] = [
    (390100, "Incorrect username or password was specified.", Refused, "refuses user or password"),
    (390101, "User access disabled.", Refused, "has disabled the user"),
    (390102, "User temporarily locked.", Refused, "has locked the user"),
    (390114, "Authentication token has expired.", Refused, "token has expired: give a new one"),
    (390144, "JWT token is invalid. [7fb8]", Refused, "RSA_PUBLIC_KEY.*clock is wrong"),
    (394304, "JWT token is invalid: fingerprint mismatch", Refused, "RSA_PUBLIC_KEY"),
    (390189, "Role 'NIX' specified in the connect string does not exist", Refused, "no such role.*`role`"),
    (390186, "Role 'NIX' specified in the connect string is not granted", Refused, "no such role"),
    (390201, "The requested warehouse does not exist or not authorized.", Refused, "no such warehouse"),
    (390201, "The requested database does not exist or not authorized.", Refused, "no such database"),
    (390303, "Invalid OAuth access token.", Refused, "refuses the token"),
    (390318, "OAuth access token expired.", Refused, "token has expired"),
    (394400, "Programmatic access token is invalid.", Refused, "refuses the token"),
    (390197, "Multi-factor authentication is required for this account.", Refused, "wants a second factor"),
    (390202, "Authentication attempt rejected by the current authentication policy.", Refused, "authentication policy"),
    (390422, "Incoming request with IP/Token 1.2.3.4 is not allowed to access Snowflake.", Refused, "network policy"),
    (390999, f"Something new about {CARD}", Refused, r"refuses the login \[390999\]"),
    (390000, "Your account is suspended due to lack of payment method.", Refused, "has suspended the account"),
]
STATUSES: list[tuple[int, type[Exception], str]] = [
    (403, Refused, "is no account there: check `account`"),
    (404, Refused, "is no account there"),
    (401, Refused, "is no account there"),
    (429, Unavailable, "does not answer"),
    (500, Unavailable, "does not answer"),
    (503, Unavailable, "does not answer"),
]


@pytest.fixture
def door() -> Iterator[Door]:
    with opened_door() as door:
        yield door


def said_to(door: Door, **changed: Any) -> None:
    door.settings(**changed).connections.run(lambda session: session.cursor().execute(f"SELECT '{CARD}'"))


@pytest.mark.parametrize("answer", STATEMENTS, ids=lambda answer: f"{answer.number} {answer.text[:20]}")
def test_a_statement_that_fails_tells_what_to_do_and_no_value(door: Door, answer: Answer) -> None:
    door.fails(answer.number, answer.state, answer.text)
    with pytest.raises(answer.kind, match=f"^Snowflake org-bank/ETL (.|\n)*{answer.words}") as failed:
        said_to(door)
    assert CARD not in "".join(traceback.format_exception(failed.value))
    assert isinstance(failed.value, Unavailable) == (answer.kind is Unavailable)


@pytest.mark.parametrize(("number", "text", "kind", "words"), LOGINS, ids=lambda value: str(value)[:30])
def test_a_login_that_is_refused_tells_what_to_check(
    door: Door, number: int, text: str, kind: type[Exception], words: str
) -> None:
    door.refuses(number, text)
    with pytest.raises(kind, match=f"^Snowflake org-bank/ETL .*{words}") as failed:
        said_to(door)
    assert len(door.logins) == 1
    assert CARD not in str(failed.value)


@pytest.mark.parametrize(("status", "kind", "words"), STATUSES)
def test_a_door_that_is_no_snowflakes_is_told_from_one_that_is_busy(
    door: Door, status: int, kind: type[Exception], words: str
) -> None:
    door.status = status
    began = time.monotonic()
    with pytest.raises(kind, match=f"^Snowflake org-bank/ETL .*{words}"):
        said_to(door, connect_timeout_s=2)
    assert took(began) < 6


@pytest.mark.parametrize(("status", "words"), [(503, "was lost"), (429, "too many requests"), (401, "was lost")])
def test_a_server_that_is_busy_in_a_session_is_unavailable(door: Door, status: int, words: str) -> None:
    def work(session: Session) -> None:
        door.status = status
        session.cursor().execute("SELECT 1")

    began = time.monotonic()
    with pytest.raises(Unavailable, match=words):
        door.settings(retry_for_s=1).connections.run(work, is_repeatable=False)
    assert took(began) < 5


def test_what_the_connector_does_not_translate_is_a_lost_session() -> None:
    error = ChunkedEncodingError(f"broken: {CARD}")
    with pytest.raises(Unavailable, match="was lost") as failed, translated("Snowflake bank/ETL"):
        raise error
    assert CARD not in str(failed.value)
    assert is_lost(error)
    assert is_lost(OperationalError(msg="nobody answers", errno=250003))
    assert not is_lost(OperationalError(msg="no", errno=604))


def test_what_the_connector_stumbles_over_in_a_secret_is_not_repeated() -> None:
    with (
        pytest.raises(Refused, match="signing in failed with ValueError") as failed,
        login_translated("Snowflake bank"),
    ):
        raise ValueError(CARD)
    assert CARD not in "".join(traceback.format_exception(failed.value))


def test_a_certificate_that_cannot_be_trusted_is_not_tried_again() -> None:
    with pytest.raises(Refused, match="cannot be trusted"), translated("Snowflake bank/ETL"):
        raise RevocationCheckError(msg="revoked", errno=254007)


def test_a_file_that_could_not_be_sent_may_be_sent_again() -> None:
    with pytest.raises(Unavailable, match="could not be sent a file") as failed, translated("Snowflake bank/ETL"):
        raise OperationalError(msg=f"Failed to upload /tmp/{CARD}", errno=253003)
    assert CARD not in str(failed.value)


def test_what_is_not_the_drivers_passes_as_it_is() -> None:
    with pytest.raises(KeyError), translated("Snowflake bank/ETL"):
        raise KeyError
