"""A session is used again, by one thread at a time, and with what each use has asked for."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from snowflake.connector.cursor import SnowflakeCursorBase

from etl_assets.embedded.snowflake import Server
from etl_assets.io_managers.errors import Refused, Unavailable
from etl_assets.io_managers.snowflake import connections as snowflake_connections
from etl_assets.io_managers.snowflake.connections import Connections, Session, close_all
from etl_assets.io_managers.snowflake.settings import SnowflakeSettings
from etl_assets_tests.snowflake_door import Door, opened_door, took


@pytest.fixture(autouse=True)
def _no_session_outlives_its_test() -> Iterator[None]:
    yield
    close_all()


@pytest.fixture
def door() -> Iterator[Door]:
    with opened_door() as door:
        yield door


def connections(server: Server, **changed: Any) -> Connections:
    fields = {**server.parameters, "allow_password": True, "retry_for_s": 5, **changed}
    return SnowflakeSettings(**fields).connections


def say(statement: str) -> Callable[[Session], Any]:
    """Work that asks for one value, with the session that it was asked in."""

    def work(session: Session) -> Any:
        return session.cursor().execute(statement).fetchone()[0], session  # type: ignore[union-attr, index]

    return work


one = say("SELECT 1")


def test_a_session_is_used_again(snowflake_server: Server) -> None:
    first, second = (connections(snowflake_server).run(one) for _ in range(2))
    assert first == second
    assert first[0] == 1


def test_a_session_whose_first_question_was_interrupted_is_not_used_again(
    snowflake_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would have no patience left: the connector would give up a request at the first packet that is lost."""

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    _, before = connections(snowflake_server).run(one)
    with monkeypatch.context() as patch:
        patch.setattr(SnowflakeCursorBase, "execute", interrupted)
        with pytest.raises(KeyboardInterrupt):
            connections(snowflake_server).run(one)
    gc.collect()  # what nobody holds any more goes back into the pool
    _, after = connections(snowflake_server).run(one)
    assert after is not before
    assert snowflake_connections._patience[after].for_s == 5


def test_numbers_with_decimal_places_are_read_as_decimals(snowflake_server: Server) -> None:
    """An account sends them as scaled integers, which the connector makes doubles of unless it is told not to."""
    assert connections(snowflake_server).run(lambda session: session.arrow_number_to_decimal)


def test_settings_that_differ_share_no_session(snowflake_server: Server) -> None:
    patient, impatient = connections(snowflake_server), connections(snowflake_server, lock_timeout_s=1)
    assert patient.run(one)[1] is not impatient.run(one)[1]


def test_two_threads_have_two_sessions(snowflake_server: Server) -> None:
    together = threading.Barrier(2, timeout=20)

    def work(session: Session) -> Session:
        together.wait()
        return session

    with ThreadPoolExecutor(2) as threads:
        used = list(threads.map(lambda _: connections(snowflake_server).run(work), range(2)))
    assert used[0] is not used[1]


def test_more_threads_than_sessions_take_turns(snowflake_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snowflake_connections, "POOL_SIZE", 1)
    with ThreadPoolExecutor(6) as threads:
        used = list(threads.map(lambda _: connections(snowflake_server).run(one), range(6)))
    assert len({id(session) for _, session in used}) <= 6
    assert [value for value, _ in used] == [1] * 6


def test_a_session_that_an_exception_went_through_is_closed_with_its_transaction(
    snowflake_server: Server, snowflake_schema: str
) -> None:
    table = f'"{snowflake_schema}"."t"'
    patient = connections(snowflake_server)
    patient.run(lambda session: session.cursor().execute(f"CREATE TABLE {table} (n INT)"))
    used: list[Session] = []

    def work(session: Session) -> None:
        used.append(session)
        session.cursor().execute("BEGIN")
        session.cursor().execute(f"INSERT INTO {table} VALUES (1)")
        raise KeyError

    with pytest.raises(KeyError):
        patient.run(work)
    assert used[0].is_closed()
    assert patient.run(say(f"SELECT COUNT(*) FROM {table}"))[0] == 0


def test_a_pool_that_is_closed_opens_new_sessions(snowflake_server: Server) -> None:
    _, first = connections(snowflake_server).run(one)
    close_all()
    assert first.is_closed()
    assert connections(snowflake_server).run(one)[1] is not first


def test_a_lock_is_waited_for_as_long_as_the_settings_say(snowflake_server: Server, snowflake_schema: str) -> None:
    table = f'"{snowflake_schema}"."t"'
    impatient = connections(snowflake_server, lock_timeout_s=1, retry_for_s=0)
    impatient.run(lambda session: session.cursor().execute(f"CREATE TABLE {table} (n INT)"))
    with connections(snowflake_server).session() as holder:
        holder.cursor().execute("BEGIN")
        holder.cursor().execute(f"DELETE FROM {table}")
        began = time.monotonic()
        with pytest.raises(Unavailable, match="waited too long"):
            impatient.run(lambda session: session.cursor().execute(f"DELETE FROM {table}"))
        assert 0.9 < took(began) < 10
        holder.cursor().execute("ROLLBACK")


def test_a_tag_is_on_the_statements_of_its_use_and_of_no_other(door: Door) -> None:
    connections = door.settings().connections
    for tag in ("", '{"run": "it\'s"}', "x" * 3000, ""):
        connections.run(lambda session: session.cursor().execute("SELECT 1"), tag=tag)
    assert len(door.logins) == 1
    assert door.logins[0]["SESSION_PARAMETERS"]["QUERY_TAG"] == "etl_assets"
    assert door.statements == [
        "SELECT 1",
        'ALTER SESSION SET QUERY_TAG = \'{"run": "it\\\'s"}\'',
        "SELECT 1",
        f"ALTER SESSION SET QUERY_TAG = '{'x' * 2000}'",
        "SELECT 1",
        "ALTER SESSION UNSET QUERY_TAG",
        "SELECT 1",
    ]


def test_unavailable_work_is_done_again_and_other_failures_are_not(snowflake_server: Server) -> None:
    tries: list[type[Exception]] = []

    def work(fails_with: type[Exception]) -> Callable[[Session], int]:
        def once(_: Session) -> int:
            tries.append(fails_with)
            if len(tries) < 3:
                raise fails_with("not yet")
            return len(tries)

        return once

    patient = connections(snowflake_server)
    assert patient.run(work(Unavailable)) == 3
    for kind, is_repeatable in ((Unavailable, False), (Refused, True)):
        tries.clear()
        with pytest.raises(kind):
            patient.run(work(kind), is_repeatable=is_repeatable)
        assert len(tries) == 1
