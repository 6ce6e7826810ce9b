"""A connection that is lost costs time and no rows: what was there stays, what is written is written once."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from threading import Timer

import psycopg
import pyarrow as pa
import pytest

from etl_assets.io_managers.errors import OutcomeUnknown, Unavailable
from etl_assets.io_managers.postgres import connections as postgres_connections
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.slices import daily_slice
from etl_assets.io_managers.targets import Mode
from etl_assets_tests.broken_network import COMMIT, COPY_TO_CLIENT, BrokenNetwork, broken_network
from etl_assets_tests.payments import AT, MONDAY, payments, stored, write

IN_THE_COPY = 200_000
"""Bytes; nothing else that a client says here is that long."""


@pytest.fixture
def net(database: str) -> Iterator[BrokenNetwork]:
    with broken_network(database) as network:
        yield network


@pytest.fixture
def warehouse(net: BrokenNetwork) -> PostgresWarehouse:
    """One that holds the rows 1 and 2 of Monday."""
    warehouse = PostgresWarehouse(url=net.url)
    write(warehouse, payments(MONDAY, 1, 2), MONDAY)
    return warehouse


def impatient(net: BrokenNetwork) -> PostgresWarehouse:
    return PostgresWarehouse(url=net.url, retry_for_s=0)


def many() -> pa.Table:
    return payments(MONDAY, *range(5_000), note="x" * 100)


def ids(warehouse: PostgresWarehouse, *days: date) -> list[int]:
    return [id_ for _, id_ in stored(warehouse, *days or (MONDAY,))]


def append(warehouse: PostgresWarehouse, rows: pa.Table) -> None:
    warehouse.write(AT, daily_slice("day", [MONDAY]), rows, "run", mode=Mode.APPEND)


@contextmanager
def in_a_second(act: Callable[[], None]) -> Iterator[None]:
    timer = Timer(1, act)
    timer.start()
    try:
        yield
    finally:
        timer.join()


def read_only(database: str, setting: str) -> None:
    """New sessions, and there are no others, have the `setting`."""
    with psycopg.connect(database, autocommit=True, options="-c default_transaction_read_only=off") as connection:
        connection.execute(f"ALTER DATABASE {connection.info.dbname} {setting}")
    end_sessions(database)


def end_sessions(database: str) -> None:
    """As an administrator does before a restart, and a primary when it is demoted."""
    with psycopg.connect(database, autocommit=True) as connection:
        others = "datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        connection.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {others}")


def test_a_connection_cut_in_the_middle_of_a_copy_leaves_the_old_rows(
    net: BrokenNetwork, warehouse: PostgresWarehouse
) -> None:
    net.cut_after(IN_THE_COPY)
    with pytest.raises(Unavailable):
        write(impatient(net), many(), MONDAY)
    assert net.cuts == 1
    assert ids(warehouse) == [1, 2]


def test_a_write_survives_a_connection_lost_once(net: BrokenNetwork, warehouse: PostgresWarehouse) -> None:
    net.cut_after(IN_THE_COPY)
    write(warehouse, many(), MONDAY)
    assert net.cuts == 1
    assert ids(warehouse) == list(range(5_000))


def test_a_stream_that_is_half_consumed_is_not_written_again(net: BrokenNetwork, warehouse: PostgresWarehouse) -> None:
    net.cut_after(IN_THE_COPY)
    with pytest.raises(Unavailable):
        write(warehouse, many().to_reader(max_chunksize=500), MONDAY)
    assert net.cuts == 1
    assert ids(warehouse) == [1, 2]


def test_a_server_that_comes_back_within_the_bound_is_written(net: BrokenNetwork, warehouse: PostgresWarehouse) -> None:
    net.down()
    net.cut()
    with in_a_second(net.up):
        write(warehouse, payments(MONDAY, 7), MONDAY)
    assert ids(warehouse) == [7]


def test_a_server_that_stays_away_is_given_up_when_the_bound_ends(net: BrokenNetwork) -> None:
    net.down()
    began = time.monotonic()
    with pytest.raises(Unavailable, match="nothing was written"):
        write(PostgresWarehouse(url=net.url, retry_for_s=1), payments(MONDAY, 7), MONDAY)
    assert 0.5 < time.monotonic() - began < 8


def test_a_read_survives_a_connection_lost_between_reads(net: BrokenNetwork, warehouse: PostgresWarehouse) -> None:
    assert ids(warehouse) == [1, 2]
    net.cut()
    assert ids(warehouse) == [1, 2]


def test_a_read_between_reads_survives_even_without_retries(net: BrokenNetwork, warehouse: PostgresWarehouse) -> None:
    assert ids(impatient(net)) == [1, 2]
    net.cut()
    assert ids(impatient(net)) == ids(warehouse) == [1, 2]


def test_a_read_cut_in_the_middle_is_read_again(net: BrokenNetwork, warehouse: PostgresWarehouse) -> None:
    net.lose_answer_to(COPY_TO_CLIENT)
    assert ids(warehouse) == [1, 2]
    assert net.cuts == 1


def test_sessions_that_an_administrator_ends_are_replaced(
    database: str, net: BrokenNetwork, warehouse: PostgresWarehouse
) -> None:
    assert ids(warehouse) == [1, 2]
    end_sessions(database)
    assert ids(warehouse) == [1, 2]
    end_sessions(database)
    write(warehouse, payments(MONDAY, 7), MONDAY)
    assert ids(warehouse) == [7]
    assert net.cuts == 0


def test_a_server_that_is_read_only_while_it_fails_over_is_written_when_it_is_promoted(
    database: str, warehouse: PostgresWarehouse
) -> None:
    read_only(database, "SET default_transaction_read_only = on")
    with in_a_second(lambda: read_only(database, "RESET default_transaction_read_only")):
        write(warehouse, payments(MONDAY, 7), MONDAY)
    assert ids(warehouse) == [7]


def test_a_commit_whose_answer_is_lost_is_not_done_twice(net: BrokenNetwork, warehouse: PostgresWarehouse) -> None:
    net.lose_answer_to(COMMIT)
    append(warehouse, payments(MONDAY, 3))
    assert net.cuts == 1
    assert ids(warehouse) == [1, 2, 3]


def test_a_commit_of_which_nobody_can_tell_is_reported_and_not_repeated(
    net: BrokenNetwork, warehouse: PostgresWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_connections, "ASK_FOR_S", 1)
    net.lose_answer_to(COMMIT, and_go_down=True)
    with pytest.raises(OutcomeUnknown):
        append(impatient(net), payments(MONDAY, 3))
    net.up()
    assert ids(warehouse) == [1, 2, 3]


def test_a_commit_that_never_arrived_is_done_again(net: BrokenNetwork, warehouse: PostgresWarehouse) -> None:
    net.lose(COMMIT)
    append(warehouse, payments(MONDAY, 3))
    assert net.cuts == 1
    assert ids(warehouse) == [1, 2, 3]


def test_a_lost_commit_of_a_replaced_slice_leaves_the_new_rows(
    net: BrokenNetwork, warehouse: PostgresWarehouse
) -> None:
    net.lose_answer_to(COMMIT)
    write(warehouse, payments(MONDAY, 7), MONDAY)
    assert net.cuts == 1
    assert ids(warehouse) == [7]


def test_a_write_goes_to_the_second_host_of_the_url_when_the_first_is_down(
    database: str, net: BrokenNetwork, warehouse: PostgresWarehouse
) -> None:
    with broken_network(database) as standby:
        both = net.url.replace(f"{net.host}:{net.port}", f"{net.host}:{net.port},{standby.host}:{standby.port}")
        failing_over = PostgresWarehouse(url=f"{both}?target_session_attrs=read-write")
        assert ids(failing_over) == ids(warehouse)
        net.down()
        net.cut()
        write(failing_over, payments(MONDAY, 7), MONDAY)
        assert ids(failing_over) == [7]
