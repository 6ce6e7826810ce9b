"""Rows on their way into Snowflake: files of a size, several at once, counted when there, swept if orphaned."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Barrier

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl_assets.io_managers.errors import Refused, Unavailable
from etl_assets.io_managers.slices import daily_slice
from etl_assets.io_managers.snowflake import staging as snowflake_staging
from etl_assets.io_managers.snowflake.connections import Session
from etl_assets.io_managers.snowflake.parquet import MOST_AT_ONCE, Sizes, written_while
from etl_assets.io_managers.snowflake.sql import say
from etl_assets.io_managers.snowflake.staging import ORPHANED_AFTER_S, Staging
from etl_assets.io_managers.snowflake.writing import Write
from etl_assets_tests.payments import AT, MONDAY, Bank, payments, version, version_of
from etl_assets_tests.snowflake_backend import TIDYING, SnowflakeBackend, snowflake_backend
from etl_assets_tests.statements import Statements

SMALL = Sizes(file_bytes=60_000, group_bytes=100_000)


@pytest.fixture(name="backend")
def a_backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> SnowflakeBackend:
    """Where nobody has swept yet."""
    monkeypatch.setattr(snowflake_staging, "_swept_at", {})
    backend = snowflake_backend(request)
    backend.clear()
    return backend


@pytest.fixture(name="bank")
def a_bank(backend: SnowflakeBackend) -> Bank:
    return Bank.of(backend.warehouse(), backend.layout)


def batches(rows: int = 30_000) -> Iterator[pa.Table]:
    noise = os.urandom(16 * rows).hex()
    for start in range(0, rows, 1_000):
        ids = range(start, start + 1_000)
        yield pa.table({"id": ids, "text": [noise[n * 32 : n * 32 + 32] for n in ids]})


def test_files_have_their_size_and_are_gone_once_sent(tmp_path: Path) -> None:
    found: dict[str, tuple[int, int, int]] = {}

    def send(file: Path) -> None:
        rows = pq.ParquetFile(file).metadata.num_rows
        found[file.name] = rows, file.stat().st_size, len(list(tmp_path.iterdir()))

    assert written_while(send, batches(), tmp_path, SMALL) == len(found) > 5
    assert sum(rows for rows, _, _ in found.values()) == 30_000
    *full, _ = (found[name][1] for name in sorted(found))
    assert min(full) >= SMALL.file_bytes
    assert max(full) < SMALL.file_bytes + SMALL.group_bytes
    assert max(there for *_, there in found.values()) <= MOST_AT_ONCE + 1
    assert list(tmp_path.glob(f"{snowflake_staging.FOLDER}*")) == []


def test_files_are_sent_side_by_side(tmp_path: Path) -> None:
    together = Barrier(MOST_AT_ONCE)
    rows = list(batches(4_000))
    assert written_while(lambda _: together.wait(20) and None, rows, tmp_path, Sizes(1, 1)) == MOST_AT_ONCE


def test_a_file_that_cannot_be_sent_ends_the_rest(tmp_path: Path) -> None:
    sent = []

    def send(file: Path) -> None:
        sent.append(file)
        raise OSError("no way")

    with pytest.raises(OSError, match="no way"):
        written_while(send, batches(), tmp_path, SMALL)
    assert len(sent) <= 2 * MOST_AT_ONCE


def test_no_rows_are_no_file(tmp_path: Path) -> None:
    assert written_while(pytest.fail, [pa.table({"id": []})], tmp_path) == 0


def test_many_files_are_one_table(backend: SnowflakeBackend, bank: Bank, statements: Statements) -> None:
    write = Write(bank.at, daily_slice("day", [MONDAY]), "run")
    rows = (payments(MONDAY, *range(n, n + 1_000), note=os.urandom(2_000).hex()) for n in range(0, 8_000, 1_000))
    write.perform(backend.warehouse().connections, rows, Sizes(1, 1))
    assert len(statements.of("PUT")) == 8
    assert len({said.session for said in statements.of("PUT")}) > 1
    assert [id_ for _, id_ in bank.stored(MONDAY)] == list(range(8_000))
    assert backend.staged() == set()


def test_rows_that_get_lost_on_the_way_are_noticed(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(staging: Staging, session: Session) -> None:
        whole(staging, session)
        say(session, f"DELETE FROM {staging.table} WHERE C1 = 2")

    bank.write(payments(MONDAY, 7), MONDAY)
    whole = Staging.load
    monkeypatch.setattr(Staging, "load", load)
    with pytest.raises(Refused, match="2 of 3 rows were loaded"):
        bank.write(payments(MONDAY, 1, 2, 3), MONDAY)
    assert bank.stored(MONDAY) == [(MONDAY, 7)]


def test_tables_and_folders_of_dead_runs_are_swept_after_a_day_and_not_before(
    backend: SnowflakeBackend, bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    bank.write(payments(MONDAY, 1), MONDAY)
    age = {"old": ORPHANED_AFTER_S + 60, "young": ORPHANED_AFTER_S - 60}
    for name, seconds in age.items():
        made = int(time.time() - seconds)
        backend._say(f"CREATE TABLE _STAGING.S{made}_0123456789ABCDEF_{name.upper()} (A INT)")
        (tmp_path / f"etl_assets_snowflake_{name}").mkdir()
        os.utime(tmp_path / f"etl_assets_snowflake_{name}", (made, made))
    backend._say("CREATE TABLE _STAGING.NOT_OURS (A INT)")
    bank.write(payments(MONDAY, 2), MONDAY)
    assert len(backend.staged()) == 3
    snowflake_staging._swept_at.clear()
    bank.write(payments(MONDAY, 3), MONDAY)
    assert sorted(name.split("_")[-1] for name in backend.staged()) == ["ours", "young"]
    assert [folder.name for folder in tmp_path.iterdir()] == ["etl_assets_snowflake_young"]


@pytest.mark.parametrize("word", ["CREATE TRANSIENT", "PUT", "COPY", "BEGIN", "INSERT", "COMMIT"])
def test_a_write_that_fails_takes_its_staging_table_with_it(
    backend: SnowflakeBackend, bank: Bank, statements: Statements, word: str
) -> None:
    for _ in range(2):
        statements.said.clear()
        bank.write(version(MONDAY, 1), MONDAY)
    counted = [said.text for said in statements.said if not said.text.startswith(TIDYING)]
    number = 1 + next(n for n, text in enumerate(counted) if text.startswith(word))
    with backend.failing_at_statement(number) as fault, pytest.raises(Unavailable):
        bank.write(version(MONDAY, 2), MONDAY)
    assert fault.has_fired
    assert backend.staged() == set()
    assert version_of(bank.rows(MONDAY)) == 1


def _write_for_ever(backend: SnowflakeBackend, reports: Connection, folder: Path) -> None:
    """Files of Monday are sent from `folder`, one after the other, and it never ends."""
    tempfile.tempdir = str(folder)

    def rows() -> Iterator[pa.Table]:
        yield payments(MONDAY, 1)
        yield payments(MONDAY, 2)
        reports.send("sent")
        time.sleep(60)

    Write(AT, daily_slice("day", [MONDAY]), "run").perform(backend.warehouse().connections, rows(), Sizes(1, 1))


def test_a_process_that_dies_while_it_stages_leaves_the_old_rows_and_a_table_to_sweep(
    backend: SnowflakeBackend, bank: Bank, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # a sweep of the machine's would take what others send
    bank.write(version(MONDAY, 1), MONDAY)
    here, there = multiprocessing.Pipe(duplex=False)
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["etl_assets_tests.writers", __name__])
    process = processes.Process(target=_write_for_ever, args=(backend, there, tmp_path))
    process.start()
    assert here.poll(60)
    process.kill()
    process.join()
    assert version_of(bank.rows(MONDAY)) == 1
    assert len(backend.staged()) == 1
    bank.write(version(MONDAY, 2), MONDAY)
    assert len(backend.staged()) == 1
    snowflake_staging._swept_at.clear()
    monkeypatch.setattr(snowflake_staging, "ORPHANED_AFTER_S", -1)
    bank.write(version(MONDAY, 3), MONDAY)
    assert backend.staged() == set()
    assert list(tmp_path.glob(f"{snowflake_staging.FOLDER}*")) == []
    assert version_of(bank.rows(MONDAY)) == 3
