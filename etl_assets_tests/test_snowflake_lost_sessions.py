"""Lost sessions are replaced, and nobody waits for a Snowflake that is not there."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from etl_assets.embedded.snowflake import Server
from etl_assets.io_managers.errors import Refused, Unavailable
from etl_assets.io_managers.snowflake import login as snowflake_login
from etl_assets.io_managers.snowflake.connections import Connections, Session, close_all
from etl_assets.io_managers.snowflake.settings import SnowflakeSettings
from etl_assets_tests.broken_network import BrokenNetwork, broken_network
from etl_assets_tests.snowflake_door import Door, opened_door, took
from etl_assets_tests.statements import Statements

QUERY = b"POST /queries/v1/query-request"


@pytest.fixture(autouse=True)
def _no_session_outlives_its_test() -> Iterator[None]:
    yield
    close_all()


@pytest.fixture
def door() -> Iterator[Door]:
    with opened_door() as door:
        yield door


@pytest.fixture
def net(snowflake_server: Server) -> Iterator[BrokenNetwork]:
    with broken_network(f"http://127.0.0.1:{snowflake_server.port}") as network:
        yield network


def through(net: BrokenNetwork, server: Server, **changed: Any) -> Connections:
    fields = {**server.parameters, "port": net.port, "allow_password": True, "retry_for_s": 5, **changed}
    return SnowflakeSettings(**fields).connections


def one(session: Session) -> tuple[Any, Session]:
    """1, and the session that said so."""
    return session.cursor().execute("SELECT 1").fetchone()[0], session  # type: ignore[union-attr, index]


def test_a_session_that_was_lost_between_uses_is_replaced_without_a_retry(
    net: BrokenNetwork, snowflake_server: Server
) -> None:
    impatient = through(net, snowflake_server, retry_for_s=0)
    _, first = impatient.run(one)
    assert first.rest
    first.rest.delete_session()  # as when Snowflake forgets it after hours
    value, second = impatient.run(one)
    assert value == 1
    assert second is not first


def test_a_cut_connection_between_uses_costs_nothing(net: BrokenNetwork, snowflake_server: Server) -> None:
    impatient = through(net, snowflake_server, retry_for_s=0)
    impatient.run(one)
    net.cut()
    assert impatient.run(one)[0] == 1


def test_a_session_whose_answer_breaks_off_between_uses_is_replaced(door: Door) -> None:
    connections = door.settings().connections
    connections.run(lambda session: session.cursor().execute("SELECT 1"))
    door.cuts = 1
    connections.run(lambda session: session.cursor().execute("SELECT 2"))
    assert len(door.logins) == 2
    assert door.statements[-1] == "SELECT 2"


def test_an_answer_that_was_lost_is_asked_for_again(
    net: BrokenNetwork, snowflake_server: Server, statements: Statements
) -> None:
    connections = through(net, snowflake_server)
    connections.run(one)

    def work(session: Session) -> Any:
        net.lose_answer_to(QUERY)
        return one(session)

    assert connections.run(work, is_repeatable=False)[0] == 1
    assert net.cuts == 1
    assert [said.text for said in statements.said if not said.failed].count("SELECT 1") == 2


def test_a_server_that_goes_away_under_a_statement_is_given_up_in_time(
    net: BrokenNetwork, snowflake_server: Server
) -> None:
    def work(session: Session) -> None:
        net.down()
        net.cut()
        session.cursor().execute("SELECT 1")

    began = time.monotonic()
    with pytest.raises(Unavailable, match="was lost"):
        through(net, snowflake_server, retry_for_s=2).run(work, is_repeatable=False)
    assert 1 < took(began) < 8
    began = time.monotonic()
    with pytest.raises(Unavailable, match="does not answer"):
        through(net, snowflake_server, retry_for_s=0).run(one)
    assert took(began) < 4


def test_a_server_that_comes_back_is_used_again(net: BrokenNetwork, snowflake_server: Server) -> None:
    connections = through(net, snowflake_server, retry_for_s=20)
    connections.run(one)
    net.down()
    net.cut()
    timer = threading.Timer(1, net.up)
    timer.start()
    assert connections.run(one)[0] == 1
    timer.join()


@pytest.mark.parametrize("way", [{}, {"authenticator": "PROGRAMMATIC_ACCESS_TOKEN"}])
def test_a_server_that_listens_and_says_nothing_is_given_up_in_time(door: Door, way: dict[str, Any]) -> None:
    door.is_silent = True
    began = time.monotonic()
    with pytest.raises(Unavailable, match="does not answer"):
        door.settings(**way).connections.run(one)
    assert took(began) < 5


def test_a_statement_that_gets_no_answer_is_given_up_in_time(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snowflake_login, "ANSWER_WITHIN_S", 1)

    def work(session: Session) -> None:
        door.is_silent = True
        session.cursor().execute("SELECT 1")

    began = time.monotonic()
    with pytest.raises(Unavailable, match="was lost"):
        door.settings().connections.run(work)
    assert 0.9 < took(began) < 6


def test_a_statement_may_take_longer_than_anybody_would_wait_for_a_login(door: Door) -> None:
    def work(session: Session) -> None:
        door.delay_s = 2.5
        session.cursor().execute("SELECT SYSTEM$WAIT(2.5)")

    door.settings(retry_for_s=1).connections.run(work)
    assert door.statements == ["SELECT SYSTEM$WAIT(2.5)"]


def test_an_answer_that_breaks_off_is_no_answer(door: Door) -> None:
    door.cuts = 100
    began = time.monotonic()
    with pytest.raises(Unavailable):
        door.settings().connections.run(one)
    assert took(began) < 5


def test_a_port_where_nobody_listens_is_unavailable_and_a_name_that_is_nobodys_is_refused(door: Door) -> None:
    with pytest.raises(Unavailable, match=r"does not answer \(Connection refused\)"):
        door.settings(port=1).connections.run(one)
    with pytest.raises(Refused, match="is no account there: check `account`"):
        door.settings(host="snowflake.invalid", protocol="https").connections.run(one)
