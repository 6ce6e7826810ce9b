"""What the local Snowflake promises: a life of its own, and to be no milder than an account."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from decimal import Decimal
from pathlib import Path

import psutil
import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import DatabaseError, IntegrityError, ProgrammingError

from etl_assets.embedded import snowflake as embedded_snowflake
from etl_assets.embedded.snowflake import Server
from etl_assets_tests.embedded_servers import until
from etl_assets_tests.snowflake_server import ask, connected

START = """
import pathlib, os, sys, time
from etl_assets.embedded import snowflake as embedded_snowflake
embedded_snowflake.start(pathlib.Path(sys.argv[1]), ends_with=os.getpid())
"""


def test_a_restart_keeps_committed_rows_and_a_stop_leaves_no_process(tmp_path: Path) -> None:
    server = embedded_snowflake.start(tmp_path, ends_with=os.getpid())
    assert embedded_snowflake.start(tmp_path) == embedded_snowflake.running(tmp_path) == server
    process = psutil.Process(int((tmp_path / "pid").read_text()))
    with connected(server) as connection:
        ask(connection, 'CREATE SCHEMA "bank"', 'CREATE TABLE "paid" ("amount" NUMBER(24,4), "at" TIMESTAMP_TZ)')
        ask(connection, 'INSERT INTO "bank"."paid" VALUES (1.5, NULL)', "BEGIN", 'DELETE FROM "bank"."paid"')
        embedded_snowflake.stop(tmp_path)
        connection._rest = None
    assert embedded_snowflake.running(tmp_path) is None
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    with connected(embedded_snowflake.start(tmp_path, ends_with=os.getpid())) as connection:
        assert ask(connection, 'SELECT * FROM "bank"."paid"') == [(Decimal("1.5000"), None)]
    embedded_snowflake.destroy(tmp_path)
    assert not tmp_path.exists()


def test_a_server_ends_with_the_process_that_it_was_started_for(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", START, str(tmp_path)], check=True)
    until(lambda: embedded_snowflake.running(tmp_path) is None)


def test_the_server_says_no_to_a_wrong_password_and_never_shows_the_right_one(snowflake_server: Server) -> None:
    with pytest.raises(DatabaseError, match="Incorrect username or password"):
        connected(snowflake_server, password="guessed")  # noqa: S106
    assert snowflake_server.password not in repr(snowflake_server)


def test_ddl_commits_the_transaction_in_which_it_stands(snowflake_session: SnowflakeConnection) -> None:
    ask(snowflake_session, "CREATE TABLE paid (n INT)", "BEGIN", "INSERT INTO paid VALUES (1)")
    ask(snowflake_session, "CREATE TABLE late (n INT)", "ROLLBACK")
    assert ask(snowflake_session, "SELECT n FROM paid") == [(1,)]
    assert ask(snowflake_session, "SELECT n FROM late") == []


def test_other_sessions_see_committed_rows_only(
    snowflake_session: SnowflakeConnection, second_session: SnowflakeConnection
) -> None:
    ask(snowflake_session, "CREATE TABLE paid (n INT)", "BEGIN", "INSERT INTO paid VALUES (1)")
    assert ask(second_session, "SELECT n FROM paid") == []
    ask(snowflake_session, "COMMIT")
    assert ask(second_session, "SELECT n FROM paid") == [(1,)]
    ask(snowflake_session, "BEGIN", "DELETE FROM paid", "ROLLBACK")
    assert ask(second_session, "SELECT n FROM paid") == [(1,)]


def test_a_second_writer_waits_for_the_first(
    snowflake_session: SnowflakeConnection, second_session: SnowflakeConnection
) -> None:
    """Otherwise both delete before either inserts, and the rows are there twice."""
    ask(snowflake_session, "CREATE TABLE paid (n INT)", "BEGIN", "DELETE FROM paid")
    publish = ("BEGIN", "DELETE FROM paid", "INSERT INTO paid VALUES (2)", "COMMIT")
    waits = threading.Thread(target=ask, args=(second_session, *publish))
    waits.start()
    waits.join(0.5)
    assert waits.is_alive()
    ask(snowflake_session, "INSERT INTO paid VALUES (1)", "COMMIT")
    waits.join(20)
    assert ask(snowflake_session, "SELECT n FROM paid") == [(2,)]


def test_a_writer_that_has_asked_before_it_waited_sees_what_the_other_left(
    snowflake_session: SnowflakeConnection, second_session: SnowflakeConnection
) -> None:
    ask(snowflake_session, "CREATE TABLE paid (n INT)")
    ask(second_session, "BEGIN", "SELECT COUNT(*) FROM paid")
    ask(snowflake_session, "BEGIN", "DELETE FROM paid", "INSERT INTO paid VALUES (1)", "COMMIT")
    assert ask(second_session, "SELECT COUNT(*) FROM paid") == [(1,)]
    ask(second_session, "DELETE FROM paid", "INSERT INTO paid VALUES (2)", "COMMIT")
    assert ask(snowflake_session, "SELECT n FROM paid") == [(2,)]


def test_a_lock_wait_ends_with_the_error_of_snowflake(
    snowflake_session: SnowflakeConnection, snowflake_server: Server
) -> None:
    """However LOCK_TIMEOUT was set: at login or later."""
    ask(snowflake_session, "CREATE TABLE paid (n INT)", "BEGIN", "DELETE FROM paid")
    schema = f'"{snowflake_session.schema}"'
    with connected(snowflake_server, schema=schema, session_parameters={"LOCK_TIMEOUT": 1}) as session:
        for setting in ("SELECT 1", "ALTER SESSION SET LOCK_TIMEOUT = 0, QUERY_TAG = 'a run'"):
            ask(session, setting)
            with pytest.raises(ProgrammingError) as refused:
                ask(session, "DELETE FROM paid")
            assert (refused.value.errno, refused.value.sqlstate) == (625, "57014")


def test_a_closed_session_holds_no_table(snowflake_session: SnowflakeConnection, snowflake_server: Server) -> None:
    ask(snowflake_session, "CREATE TABLE paid AS SELECT 1 AS n")
    with connected(snowflake_server, schema=f'"{snowflake_session.schema}"') as leaving:
        ask(leaving, "BEGIN", "DELETE FROM paid")
    assert ask(snowflake_session, "DELETE FROM paid") == [(1,)]


def test_a_commit_after_a_failed_statement_is_never_silent(snowflake_session: SnowflakeConnection) -> None:
    ask(snowflake_session, "CREATE TABLE paid (n INT)", "BEGIN", "INSERT INTO paid VALUES (1)")
    with pytest.raises(ProgrammingError):
        ask(snowflake_session, "SELECT missing FROM paid")
    with pytest.raises(ProgrammingError, match="roll back"):
        ask(snowflake_session, "COMMIT")
    assert ask(snowflake_session, "SELECT n FROM paid") == []


@pytest.mark.parametrize(
    ("statement", "errno"),
    [
        ("SELECT * FROM missing", 2003),
        ("SELECT missing FROM paid", 904),
        ("CREATE TABLE paid (n INT)", 2002),
        ("SELEKT 1", 1003),
        ("DROP STAGE missing", 2003),
        ('SELECT n FROM "paid"', 2003),
        ('SELECT "n" FROM paid', 904),
        ('INSERT INTO paid ("n") VALUES (1)', 904),
        ('DELETE FROM paid WHERE "n" = 1', 904),
    ],
)
def test_mistakes_have_the_numbers_of_snowflake(
    snowflake_session: SnowflakeConnection, statement: str, errno: int
) -> None:
    ask(snowflake_session, "CREATE TABLE paid (n INT)")
    with pytest.raises(ProgrammingError) as refused:
        ask(snowflake_session, statement)
    assert refused.value.errno == errno


def test_keys_are_not_enforced_and_nulls_are(snowflake_session: SnowflakeConnection) -> None:
    ask(snowflake_session, "CREATE TABLE paid (n INT PRIMARY KEY)", "INSERT INTO paid VALUES (1), (1)")
    with pytest.raises(IntegrityError) as refused:
        ask(snowflake_session, "INSERT INTO paid VALUES (NULL)")
    assert refused.value.errno == 100072
