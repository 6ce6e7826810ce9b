"""What only PostgreSQL does: error codes and their meaning, waits of a swap, snapshots older than one."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pyarrow as pa
import pytest

from etl_assets.io_managers.errors import Refused, TypeRefused, Unavailable
from etl_assets.io_managers.postgres.types import sql_type
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.targets import Layout
from etl_assets_tests.payments import MONDAY, TUESDAY, Bank, payments, version, version_of
from etl_assets_tests.postgres_backend import PostgresBackend


@pytest.fixture
def plain(database: str) -> Bank:
    return Bank.of(PostgresWarehouse(url=database, retry_for_s=0), Layout.PLAIN)


@pytest.fixture
def partitioned(database: str) -> Bank:
    return Bank.of(PostgresWarehouse(url=database, retry_for_s=0), Layout.PARTITIONED)


@contextmanager
def a_server_that_fails(url: str, timing: str, sqlstate: str) -> Iterator[None]:
    """Every statement of `timing` on the table fails inside PostgreSQL with this error code."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '{sqlstate}'; END $$"
        )
        connection.execute(f"CREATE TRIGGER fail {timing} ON bank.payments EXECUTE FUNCTION fail()")
    yield


@pytest.mark.parametrize("timing", ["BEFORE DELETE", "AFTER DELETE", "BEFORE INSERT", "AFTER INSERT"])
def test_a_disk_that_fills_up_while_writing_leaves_the_old_rows(plain: Bank, timing: str) -> None:
    plain.write(payments(MONDAY, 1, 2), MONDAY)
    url = plain.warehouse.url
    with a_server_that_fails(url, timing, "53100"), pytest.raises(Unavailable, match="no room left"):
        plain.write(payments(MONDAY, 7, 8, 9), MONDAY)
    assert plain.stored(MONDAY) == [(MONDAY, 1), (MONDAY, 2)]


@pytest.mark.parametrize(
    ("sqlstate", "kind"), [("23514", Refused), ("57014", Refused), ("40P01", Unavailable), ("57P01", Unavailable)]
)
def test_an_error_code_says_whether_trying_again_can_help(plain: Bank, sqlstate: str, kind: type[Exception]) -> None:
    plain.write(payments(MONDAY, 1), MONDAY)
    with a_server_that_fails(plain.warehouse.url, "AFTER INSERT", sqlstate), pytest.raises(kind):
        plain.write(payments(MONDAY, 2), MONDAY)
    assert plain.stored(MONDAY) == [(MONDAY, 1)]


def test_a_table_altered_by_hand_is_refused_by_column(plain: Bank) -> None:
    plain.write(payments(MONDAY, 1), MONDAY)
    with psycopg.connect(plain.warehouse.url, autocommit=True) as connection:
        connection.execute("ALTER TABLE bank.payments ALTER COLUMN note TYPE varchar(5)")
    with pytest.raises(Exception, match=re.escape("note: character varying(5) instead of text")):
        plain.write(payments(MONDAY, 2), MONDAY)
    assert plain.stored(MONDAY) == [(MONDAY, 1)]


def test_the_days_of_a_table_that_was_dropped_by_hand_are_not_written_any_more(plain: Bank) -> None:
    plain.write(payments(MONDAY, 1), MONDAY)
    with psycopg.connect(plain.warehouse.url, autocommit=True) as connection:
        connection.execute("DROP TABLE bank.payments")
    plain.write(payments(TUESDAY, 2), TUESDAY)
    assert plain.warehouse.written("bank", "payments") == {TUESDAY.isoformat()}


def test_a_type_without_an_exact_counterpart_is_refused_by_name() -> None:
    with pytest.raises(TypeRefused) as refusal:
        sql_type(pa.timestamp("ns", "UTC"))
    assert "timestamp[ns" in str(refusal.value.description)


def test_an_unreachable_server_is_transient_and_its_password_stays_out_of_the_message() -> None:
    nowhere = PostgresWarehouse(url="postgresql://etl:topsecret@127.0.0.1:9/warehouse", retry_for_s=0)
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9") as failure:
        Bank.of(nowhere, Layout.PLAIN).write(payments(MONDAY, 1), MONDAY)
    assert "topsecret" not in str(failure.value) + repr(nowhere)
    with pytest.raises(Unavailable) as failure:
        nowhere.fetch("SELECT 1")
    assert "topsecret" not in str(failure.value)


def test_a_swap_gives_up_when_readers_never_leave_and_the_old_rows_stay(partitioned: Bank, database: str) -> None:
    partitioned.write(version(MONDAY, 1), MONDAY)
    hasty = Bank(PostgresWarehouse(url=database, retry_for_s=0, lock_timeout_s=1.5), partitioned.at)
    began = time.monotonic()
    with PostgresBackend(database, Layout.PARTITIONED).held_open(hasty.at):
        with pytest.raises(Unavailable):
            hasty.write(version(MONDAY, 2), MONDAY)
        assert 1.5 < time.monotonic() - began < 10
        assert version_of(partitioned.rows(MONDAY)) == 1
    hasty.write(version(MONDAY, 2), MONDAY)
    assert version_of(partitioned.rows(MONDAY)) == 2


@contextmanager
def an_older_snapshot(url: str) -> Iterator[psycopg.Connection[tuple[int]]]:
    """A transaction whose snapshot is of now and that has not read the table yet."""
    with psycopg.connect(url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("SELECT 1")
        yield connection


@pytest.mark.parametrize(("layout", "seen"), [(Layout.PLAIN, 1), (Layout.PARTITIONED, 3)])
def test_a_snapshot_older_than_a_write_sees_the_old_rows_or_after_a_swap_the_new(
    database: str, layout: Layout, seen: int
) -> None:
    """As the layout's description says: in no case none, and in no case some of both."""
    bank = Bank.of(PostgresWarehouse(url=database, retry_for_s=0), layout)
    bank.write(payments(MONDAY, 1), MONDAY)
    bank.write(payments(TUESDAY, 1), TUESDAY)
    with an_older_snapshot(database) as connection:
        bank.write(payments(MONDAY, 1, 2, 3), MONDAY)
        assert connection.execute("SELECT count(*) FROM bank.payments WHERE day = '2026-03-02'").fetchone() == (seen,)
        assert connection.execute("SELECT count(*) FROM bank.payments WHERE day = '2026-03-03'").fetchone() == (1,)


def test_a_snapshot_that_has_read_the_table_keeps_it_until_it_ends(partitioned: Bank, database: str) -> None:
    partitioned.write(payments(MONDAY, 1), MONDAY)
    hasty = Bank(PostgresWarehouse(url=database, retry_for_s=0, lock_timeout_s=0.1), partitioned.at)
    with an_older_snapshot(database) as connection:
        question = "SELECT count(*) FROM bank.payments"
        assert connection.execute(question).fetchone() == (1,)
        with pytest.raises(Unavailable):
            hasty.write(payments(MONDAY, 1, 2), MONDAY)
        assert connection.execute(question).fetchone() == (1,)
