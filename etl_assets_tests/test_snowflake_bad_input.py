"""What people and networks do to a write into Snowflake: a clear error that says what to do, and the old rows stay.

Tables that were altered by hand and accounts that refuse. Networks are in `test_snowflake_bad_network.py`; what every
backend must survive is in the contract suite.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace

import pyarrow as pa
import pytest

from etl_assets.io_managers.errors import Refused, SchemaDrifted, Unavailable
from etl_assets.io_managers.snowflake.schema import in_place_of_a_table
from etl_assets.io_managers.targets import Drift, Layout
from etl_assets_tests.payments import MONDAY, PAYMENTS, TUESDAY, Bank, Row, payments
from etl_assets_tests.snowflake_backend import SnowflakeBackend, snowflake_backend
from etl_assets_tests.snowflake_relay import Relay, a_relay  # noqa: F401

CARD = "4111111111111111"


@pytest.fixture(name="backend")
def a_backend(request: pytest.FixtureRequest) -> SnowflakeBackend:
    backend = snowflake_backend(request)
    backend.clear()
    return backend


@pytest.fixture(name="bank")
def a_bank(backend: SnowflakeBackend) -> Bank:
    """Monday has a row."""
    bank = Bank.of(backend.warehouse(), backend.layout)
    bank.write(payments(MONDAY, 1, note="old"), MONDAY)
    return bank


@pytest.mark.parametrize("drift", Drift)
@pytest.mark.parametrize(
    ("statements", "named"),
    [
        (["DROP COLUMN AMOUNT", "ADD COLUMN AMOUNT NUMBER(10,2)"], r"amount: NUMBER\(10,2\) instead of NUMBER\(24,4\)"),
        (["DROP COLUMN NOTE", "ADD COLUMN NOTE NUMBER(5,0)"], r"note: NUMBER\(5,0\) instead of VARCHAR"),
        (["ADD COLUMN BOOKED_BY VARCHAR DEFAULT 'hand' NOT NULL"], r"columns of its own \['booked_by'\]"),
        (["DROP COLUMN ID"], r"lacks the columns \['id'\]"),
        (["RENAME COLUMN ID TO NUMBER_OF_PAYMENT"], r"lacks the columns \['id'\]"),
    ],
    ids=["scale", "type", "a required column more", "a required column less", "another name"],
)
def test_a_table_that_was_altered_by_hand_is_refused_before_anything_is_deleted(
    backend: SnowflakeBackend, bank: Bank, statements: list[str], named: str, drift: Drift
) -> None:
    for statement in statements:
        backend._say(f"ALTER TABLE BANK.PAYMENTS {statement}")
    with pytest.raises(SchemaDrifted, match=named) as refusal:
        bank.changed(PAYMENTS, drift).write(payments(MONDAY, 2), MONDAY)
    assert "Migrate the table or the contract" in str(refusal.value.description)
    assert rows_of_monday(backend) == 1
    assert backend.staged() == set()


def test_a_column_that_was_dropped_by_hand_is_named_or_added_again(backend: SnowflakeBackend, bank: Bank) -> None:
    backend._say("ALTER TABLE BANK.PAYMENTS DROP COLUMN NOTE")
    with pytest.raises(SchemaDrifted, match=r"lacks the columns \['note'\].*`schema_drift: add`"):
        bank.write(payments(MONDAY, 2), MONDAY)
    assert rows_of_monday(backend) == 1
    adding = bank.changed(PAYMENTS, Drift.ADD)
    adding.write(payments(TUESDAY, 2, note="new"), TUESDAY)
    assert adding.notes(MONDAY, TUESDAY) == [None, "new"]


def test_a_table_that_was_dropped_by_hand_is_made_again_and_what_it_had_is_not_called_written(
    backend: SnowflakeBackend, bank: Bank
) -> None:
    """Monday would otherwise be read as a day on which nobody paid for anything."""
    bank.write(payments(TUESDAY), TUESDAY)
    backend._say("DROP TABLE BANK.PAYMENTS")
    assert not bank.warehouse.exists("bank", "payments")
    bank.write(payments(TUESDAY, 2), TUESDAY)
    assert bank.stored(MONDAY, TUESDAY) == [(TUESDAY, 2)]
    assert bank.warehouse.written("bank", "payments") == {str(TUESDAY)}


@pytest.mark.parametrize(("dropped", "left"), [("_SLICES_OF_PAYMENTS", [(MONDAY, 1)]), ("PAYMENTS", [])])
def test_a_table_that_is_dropped_in_the_middle_of_a_write_is_named_and_the_next_write_makes_it(
    backend: SnowflakeBackend, bank: Bank, dropped: str, left: list[Row]
) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield from rows.to_batches()
        backend._say(f'DROP TABLE BANK."{dropped}"')

    rows = payments(TUESDAY, 2)
    with pytest.raises(Refused, match=dropped):
        bank.write(pa.RecordBatchReader.from_batches(rows.schema, batches()), TUESDAY)
    assert backend.staged() == set()
    bank.write(rows, TUESDAY)
    assert bank.stored(MONDAY, TUESDAY) == [*left, (TUESDAY, 2)]
    assert bank.warehouse.written("bank", "payments") == {str(TUESDAY)}


def test_a_view_in_the_place_of_the_table_is_read_and_not_written(backend: SnowflakeBackend, bank: Bank) -> None:
    backend._say("ALTER TABLE BANK.PAYMENTS RENAME TO BANK.BEFORE")
    backend._say("CREATE VIEW BANK.PAYMENTS AS SELECT * FROM BANK.BEFORE")
    with pytest.raises(SchemaDrifted, match=r"bank\.payments is a view in the database.*Rename or drop the view"):
        bank.write(payments(MONDAY, 2), MONDAY)
    assert bank.stored(MONDAY) == [(MONDAY, 1)]
    assert backend.staged() == set()


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"TABLE_TYPE": "BASE TABLE", "IS_DYNAMIC": "NO"}, ""),
        ({"TABLE_TYPE": "TEMPORARY TABLE", "IS_DYNAMIC": "NO"}, ""),
        ({"TABLE_TYPE": "BASE TABLE", "IS_DYNAMIC": "YES"}, "dynamic table"),
        ({"TABLE_TYPE": "MATERIALIZED VIEW", "IS_DYNAMIC": "NO"}, "materialized view"),
        ({"TABLE_TYPE": "EXTERNAL TABLE", "IS_DYNAMIC": "NO"}, "external table"),
        ({"TABLE_TYPE": None, "IS_DYNAMIC": None}, "view"),
    ],
)
def test_what_looks_like_a_table_and_takes_no_rows_is_called_by_its_kind(found: dict[str, str], said: str) -> None:
    assert in_place_of_a_table(found) == said


def test_a_database_that_is_not_there_is_named(backend: SnowflakeBackend) -> None:
    with pytest.raises(Refused, match="database"):
        Bank.of(backend._with(database="NOWHERE"), Layout.PLAIN).write(payments(MONDAY, 1), MONDAY)


@dataclass(frozen=True)
class Answer:
    """What Snowflake says in a state that the stand-in is never in, and what a person is told."""

    number: int
    state: str
    text: str
    told: str


PRIVILEGE = Answer(
    3001, "42501", "SQL access control error:\nInsufficient privileges to operate on schema 'BANK'.", r"'BANK'; .*grant"
)
QUOTA = Answer(
    90073,
    "22000",
    "Warehouse 'ETL_LOAD' cannot be resumed because resource monitor 'M' has exceeded its quota.",
    "quota",
)
NO_WAREHOUSE = Answer(
    606, "57P03", "No active warehouse selected in the current session.", "name one in `warehouse`.*grant USAGE"
)
TOO_LONG = Answer(100078, "22000", f"String '{CARD}' is too long and would be truncated", "does not fit its column")
TOO_LARGE = Answer(100046, "22003", f"Number out of representable range: value {CARD}", "does not fit its column")


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("CREATE TRANSIENT TABLE", PRIVILEGE),
        ("PUT", PRIVILEGE),
        ("INSERT", PRIVILEGE),
        ("COPY", QUOTA),
        ("DELETE", QUOTA),
        ("COPY", NO_WAREHOUSE),
        ("INSERT", NO_WAREHOUSE),
        ("COPY", TOO_LONG),
        ("INSERT", TOO_LARGE),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value.number),
)
def test_an_account_that_refuses_a_step_is_told_of_with_what_to_do(
    backend: SnowflakeBackend, bank: Bank, relay: Relay, word: str, answer: Answer
) -> None:
    """Permanent: no retry hides it, no half of the write stays, and no value of a row is told."""
    there = replace(bank, warehouse=relay.warehouse(backend.database, retry_for_s=15))
    relay.fails(word, answer.number, answer.state, answer.text)
    with pytest.raises(Refused, match=answer.told) as refusal:
        there.write(payments(MONDAY, 2, 3), MONDAY)
    assert CARD not in str(refusal.value.description)
    assert relay.done == 1
    assert bank.stored(MONDAY) == [(MONDAY, 1)]
    assert backend.staged() == set()
    there.write(payments(MONDAY, 2, 3), MONDAY)
    assert bank.stored(MONDAY) == [(MONDAY, 2), (MONDAY, 3)]


@pytest.mark.parametrize("expiry", [(390112, 0), (390114, 15)], ids=["390112, tried once", "390114, tried again"])
@pytest.mark.parametrize("word", ["PUT", "COPY", "INSERT", "COMMIT"])
def test_a_session_that_expires_in_a_write_is_replaced_or_the_old_rows_stay(
    backend: SnowflakeBackend, bank: Bank, relay: Relay, word: str, expiry: tuple[int, float]
) -> None:
    number, retry_for_s = expiry
    there = replace(bank, warehouse=relay.warehouse(backend.database, retry_for_s=retry_for_s))
    relay.fails(word, number, "08001", "token has expired")
    with nullcontext() if retry_for_s else pytest.raises(Unavailable, match="was lost"):
        there.write(payments(MONDAY, 2), MONDAY)
    assert relay.done == 1
    assert bank.stored(MONDAY) == [(MONDAY, 2 if retry_for_s else 1)]
    assert backend.staged() == set()


def rows_of_monday(backend: SnowflakeBackend) -> int:
    """Counted beside the contract, which may not fit the table any more."""
    return int(backend._ask("SELECT COUNT(*) AS N FROM BANK.PAYMENTS WHERE DAY = '2026-03-02'")[0]["N"])
