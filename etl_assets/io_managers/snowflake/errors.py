"""Snowflake's exceptions as ours: what happened, whether trying again can help, and what to do.

Of a driver's message only names of objects, the place in a file, the code and the query's number are kept: the rest may
quote a row, a file or a statement. What fails before there is a session is in `login_errors.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from snowflake.connector import errors as driver
from snowflake.connector.network import RetryRequest
from snowflake.connector.vendored.requests.exceptions import RequestException
from sqlalchemy.exc import TimeoutError as PoolTimeout

from etl_assets.io_managers.errors import KeyRepeated, Refused, Unavailable

Meaning = tuple[type[Exception], str]
DRIVERS = (driver.Error, RequestException)
LOST = (Unavailable, "was lost: nothing was committed that it has not confirmed")
NOT_NOW = (Unavailable, "failed inside: nothing was written; if it goes on, ask Snowflake about the query")
LOCKED = (Unavailable, "waited too long for others who write the table: nothing was written")
STOPPED = (Refused, "stopped a statement: raise statement_timeout_s or write less at once")
PLAIN = (Refused, "refused a statement: {said}")
NAMES = (Refused, "refused a statement: {said}; where the object exists, grant its privileges to the role")
DATA = (Refused, "refused a value that does not fit its column{place}; nothing was written")
REPEATED = (KeyRepeated, "two rows have one key; nothing was written")
WAREHOUSE = (
    "has no warehouse to compute with: name one in `warehouse`, running or with AUTO_RESUME, and grant USAGE on it"
)
QUOTA = "does not start the warehouse ({said}): raise the quota of its resource monitor or wait for the next period"
SUSPENDED = "has suspended the account: ask who pays for it"
UNSENT = "cannot be sent a file that is not there any more"
MEANINGS: dict[int, Meaning] = {
    603: NOT_NOW,
    604: STOPPED,
    606: (Refused, WAREHOUSE),
    609: (Refused, WAREHOUSE),
    625: LOCKED,
    630: STOPPED,
    666: (Refused, SUSPENDED),
    904: NAMES,
    2002: PLAIN,
    2003: NAMES,
    2043: NAMES,
    3001: NAMES,
    90073: (Refused, QUOTA),
    90105: PLAIN,
    90106: PLAIN,
    100072: (Refused, "refused an empty value in a column that must not be{place}; nothing was written"),
    100090: REPEATED,
    200001: REPEATED,
    250001: LOST,
    250002: LOST,
    250003: LOST,
    251011: LOST,
    251012: LOST,
    252013: LOST,
    253002: LOST,
    253003: (Unavailable, "could not be sent a file: nothing was written"),
    253006: (Refused, UNSENT),
    290401: LOST,
    290408: LOST,
    290429: (Unavailable, "has too many requests to answer: nothing was written"),
    370001: NOT_NOW,
    **dict.fromkeys((390104, 390110, 390111, 390112, 390113, 390114, 390115, 390195), LOST),
}
STATES: dict[str, Meaning] = {  # by SQL state or the beginning of one, where the number says nothing
    "08": LOST,
    "22": DATA,
    "40": LOCKED,
    "42501": NAMES,
    "42": (Refused, "refused a statement{place}"),
    "57014": STOPPED,
    "57P03": (Refused, WAREHOUSE),
    "XX": NOT_NOW,
}
LOCKS = re.compile(r"deadlock|has locked table|waiters for this lock|lock timeout|waiting \w+ lock", re.IGNORECASE)
TLS = "cannot be trusted ({kind}): check `host`, the certificates of this machine and what stands between"
KEPT_CHARACTERS = 200


@contextmanager
def translated(server: str) -> Iterator[None]:
    """A driver's exception leaves as one of ours, naming `server` and what to do, without secret, row or statement."""
    try:
        yield
    except DRIVERS as error:
        raise _translated(server, error) from None
    except PoolTimeout:
        raise Unavailable(f"{server}: this process has no session left to lend; lower its concurrency") from None


def is_lost(error: BaseException) -> bool:
    """Whether nobody answers any more in the session that the exception comes from."""
    if isinstance(error, RequestException):
        return True
    return isinstance(error, driver.Error) and MEANINGS.get(number_of(error)) is LOST


def _translated(server: str, error: Exception) -> Exception:
    if not isinstance(error, driver.Error):
        return Unavailable(f"{server} {LOST[1]} [{type(error).__name__}]")
    error = _cause(error)
    if isinstance(error, driver.NonRetryableTlsError | driver.RevocationCheckError):
        return Refused(f"{server} {TLS.format(kind=type(error).__name__)}")
    kind, words = _meaning(error)
    return kind(f"{server} {words.format(said=_said(error), place=_place(error))} [{_signature(error)}]")


def _cause(error: driver.Error) -> driver.Error:
    """What was tried again until our patience ended; the end itself says nothing."""
    cause = next(iter(getattr(error.__context__, "args", ())), None)
    return cause if isinstance(error.__context__, RetryRequest) and isinstance(cause, driver.Error) else error


def _meaning(error: driver.Error) -> Meaning:
    number, state = number_of(error), str(error.sqlstate)
    if LOCKS.search(str(error.raw_msg)) and (number < 1000 or state[:2] in {"40", "57"}):
        return LOCKED
    if number in MEANINGS:
        return MEANINGS[number]
    if 290500 <= number < 290600:
        return LOST
    for beginning in (state, state[:2]):
        if beginning in STATES:
            return STATES[beginning]
    return Refused, "refused a statement{place}"


def number_of(error: driver.Error) -> int:
    """The error's number. The connector adds 290000 to what goes over HTTP, to what has it already a second time."""
    number = int(error.errno or -1)
    return number - 290000 if number >= 500000 else number


def _said(error: driver.Error) -> str:
    """The line of the message that names the object."""
    text = re.sub(r"^\d{6} \(\w+\): (?:[0-9a-f-]{36}: )?", "", str(error.raw_msg or ""))
    lines = [line.strip() for line in text.splitlines() if not line.strip().endswith("error:")]
    return (lines or [type(error).__name__])[0][:KEPT_CHARACTERS].rstrip(".")


def _place(error: driver.Error) -> str:
    """Where in a file or a statement; never what stands there."""
    text = str(error.raw_msg or "")
    if found := re.search(r"Row (\d+)[^\n]*?column \"(?:[^\"]|\"\")*\"\[\"?([^\"\]:\n]{1,255})", text):
        return f" (row {found[1]} of its file, column {found[2]})"
    if found := re.search(r"line (\d+) at position (\d+)", text):
        return f" (line {found[1]}, position {found[2]})"
    return ""


def _signature(error: driver.Error) -> str:
    parts = [f"{number_of(error):06d}", str(error.sqlstate)]
    return " ".join([*parts, f"query {error.sfqid}"] if error.sfqid else parts)
