"""Files and answers that get lost on their way between us and Snowflake: nothing half-published, nothing twice.

What happens at each statement of a write is in the contract suite; here it is bytes of a file, and a COMMIT whose
answer never comes, over real HTTP.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from etl_assets.io_managers.errors import NoRoom, Refused, Unavailable
from etl_assets.io_managers.snowflake import parquet as snowflake_parquet
from etl_assets.io_managers.snowflake.connections import close_all
from etl_assets.io_managers.targets import Mode
from etl_assets_tests.broken_network import BrokenNetwork, broken_network
from etl_assets_tests.payments import KEYLESS, MONDAY, Bank, payments
from etl_assets_tests.snowflake_backend import SnowflakeBackend, snowflake_backend
from etl_assets_tests.snowflake_relay import Lost, Relay, a_relay  # noqa: F401

NOISE = os.urandom(200_000).hex()
OLD = [(MONDAY, 1)]


@pytest.fixture(name="backend")
def a_backend(request: pytest.FixtureRequest) -> SnowflakeBackend:
    backend = snowflake_backend(request)
    backend.clear()
    return backend


@pytest.fixture(name="bank")
def a_bank(backend: SnowflakeBackend) -> Bank:
    """Monday has a row."""
    bank = Bank.of(backend.warehouse(), backend.layout, KEYLESS)
    bank.write(payments(MONDAY, 1), MONDAY)
    return bank


@pytest.fixture
def net(backend: SnowflakeBackend) -> Iterator[BrokenNetwork]:
    with broken_network(backend.door) as network:
        yield network
        close_all()


def test_a_network_that_is_cut_in_the_middle_of_a_file_costs_a_second(
    backend: SnowflakeBackend, bank: Bank, net: BrokenNetwork
) -> None:
    there = replace(bank, warehouse=backend._with(port=net.port, retry_for_s=0))
    there.write(payments(MONDAY, 1), MONDAY)
    net.cut_after(100_000)
    there.write(payments(MONDAY, 2, note=NOISE), MONDAY)
    assert net.cuts == 1
    assert bank.stored(MONDAY) == [(MONDAY, 2)]
    assert backend.staged() == set()


def test_a_network_that_goes_away_in_the_middle_of_a_file_leaves_the_old_rows(
    backend: SnowflakeBackend, bank: Bank, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("snowflake.connector.storage_client.SnowflakeStorageClient.SLEEP_UNIT", 0.01)
    there = replace(bank, warehouse=relay.warehouse(backend.database))
    relay.file = lambda _: None
    with pytest.raises(Unavailable, match="could not be sent a file: nothing was written"):
        there.write(payments(MONDAY, 2, note=NOISE), MONDAY)
    assert bank.stored(MONDAY) == OLD
    assert backend.staged() == set()


@pytest.mark.parametrize("mode", [Mode.APPEND, Mode.REPLACE_PARTITION])
@pytest.mark.parametrize("what", Lost)
def test_a_commit_of_which_nobody_hears_happens_once_or_not_at_all(
    backend: SnowflakeBackend, bank: Bank, relay: Relay, what: Lost, mode: Mode
) -> None:
    """The token in the notes says which of both it was."""
    there = replace(bank, warehouse=relay.warehouse(backend.database))
    there.write(payments(MONDAY, 1), MONDAY)
    relay.loses(what, "COMMIT", times=3)
    if what is Lost.QUESTION:
        with pytest.raises(Unavailable):
            there.write(payments(MONDAY, 2), MONDAY, mode=mode)
    else:
        there.write(payments(MONDAY, 2), MONDAY, mode=mode)
    assert relay.done
    new = [*OLD, (MONDAY, 2)] if mode is Mode.APPEND else [(MONDAY, 2)]
    assert sorted(bank.stored(MONDAY)) == (OLD if what is Lost.QUESTION else new)
    assert backend.staged() == set()


def shortened(file: bytes) -> bytes:
    """A sound file that lacks its last row."""
    rows = pq.read_table(io.BytesIO(file))
    pq.write_table(rows.slice(0, rows.num_rows - 1), short := io.BytesIO())
    return short.getvalue()


def broken_off(file: bytes) -> bytes:
    return file[: len(file) // 2]


def emptied(_: bytes) -> bytes:
    return b""


@pytest.mark.parametrize(
    ("change", "told"), [(shortened, "2 of 3 rows were loaded"), (broken_off, None), (emptied, None)]
)
def test_a_file_that_arrives_otherwise_than_it_was_sent_is_not_published(
    backend: SnowflakeBackend, bank: Bank, relay: Relay, change: Callable[[bytes], bytes], told: str | None
) -> None:
    there = replace(bank, warehouse=relay.warehouse(backend.database))
    relay.file = change
    with pytest.raises((Refused, Unavailable), match=told):
        there.write(payments(MONDAY, 2, 3, 4), MONDAY)
    assert bank.stored(MONDAY) == OLD
    assert backend.staged() == set()


def test_a_disk_that_is_full_says_where_and_leaves_the_old_rows(
    backend: SnowflakeBackend, bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_a_full_disk(_: Path, *said: Any, **how: Any) -> pq.ParquetWriter:
        return written("/dev/full", *said, **how)

    written = pq.ParquetWriter
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(snowflake_parquet.pq, "ParquetWriter", on_a_full_disk)
    with pytest.raises(NoRoom, match="TMPDIR"):
        bank.write(payments(MONDAY, 2), MONDAY)
    monkeypatch.undo()
    assert bank.stored(MONDAY) == OLD
    assert backend.staged() == set()
    assert list(tmp_path.iterdir()) == []
