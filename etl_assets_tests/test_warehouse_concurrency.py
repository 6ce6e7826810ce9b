"""Many writers, readers and sudden deaths at once: a slice is always one version of itself, whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from threading import Barrier, Event, Thread
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from etl_assets.io_managers.slices import Dimension, Part, Slice, daily_slice
from etl_assets_tests.abilities import Ability, needs
from etl_assets_tests.backends import Backend, a_backend, a_bank, a_suite_database  # noqa: F401
from etl_assets_tests.payments import MONDAY, PAYMENTS, TUESDAY, Bank, payments, version, version_of
from etl_assets_tests.writers import killed_at_the_end, reported

KILLS, LONGEST_S = 50, 0.05
PATIENCE_S = 20


class Running:
    """A call in a thread of its own, whose exception is raised where its end is waited for."""

    def __init__(self, call: Callable[..., Any], *values: Any) -> None:
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, args=(call, *values), daemon=True)
        self._thread.start()

    def _run(self, call: Callable[..., Any], *values: Any) -> None:
        try:
            call(*values)
        except BaseException as error:  # noqa: BLE001  it is raised again in `end`
            self._error = error

    @property
    def goes_on(self) -> bool:
        return self._thread.is_alive()

    def end(self) -> None:
        self._thread.join(PATIENCE_S)
        assert not self.goes_on
        if self._error:
            raise self._error


def test_a_writer_killed_at_any_moment_leaves_the_old_or_the_new_rows(backend: Backend) -> None:
    """What it knows as written is there; at most the write that it was in is there beyond that, whole or not at all."""
    bank, last = Bank.of(backend.warehouse(), backend.layout), 0
    bank.write(version(MONDAY, last), MONDAY)
    longest_s, kills = LONGEST_S * backend.slowness, max(12, int(KILLS / backend.slowness))
    for moment in np.random.default_rng().uniform(0, longest_s, kills):
        with killed_at_the_end(backend, last + 1) as reports:
            assert reports.poll(PATIENCE_S)
            time.sleep(moment)
        known = reported(reports)
        backend.settle()
        assert version_of(bank.rows(MONDAY)) in (known, known + 1)
        assert backend.strangers(bank.at) == set()
        last = known + 2
        bank.write(version(MONDAY, last), MONDAY)
        assert version_of(bank.rows(MONDAY)) == last


@pytest.mark.parametrize("writers", [2, 4])
@pytest.mark.parametrize("is_first", [True, False], ids=["first write", "rerun"])
def test_concurrent_writers_of_one_slice_leave_the_rows_of_one_of_them(
    bank: Bank,
    writers: int,
    is_first: bool,  # noqa: FBT001
) -> None:
    if not is_first:
        bank.write(version(MONDAY, 99), MONDAY)
    at_once(*(lambda number=n: bank.write(version(MONDAY, number), MONDAY) for n in range(writers)))
    assert version_of(bank.rows(MONDAY)) in range(writers)


@pytest.mark.parametrize("writers", [2, 4])
@pytest.mark.parametrize("is_first", [True, False], ids=["first write", "rerun"])
def test_concurrent_writers_of_neighbouring_slices_all_succeed(
    bank: Bank,
    writers: int,
    is_first: bool,  # noqa: FBT001
) -> None:
    days = [MONDAY + timedelta(days=n) for n in range(writers)]
    if not is_first:
        bank.write(pa.concat_tables([version(day, 99) for day in days]), *days)
    at_once(*(lambda number=n, day=d: bank.write(version(day, number), day) for n, d in enumerate(days)))
    assert [version_of(bank.rows(day)) for day in days] == list(range(writers))


def test_writers_that_name_the_same_partitions_in_another_order_do_not_wait_in_a_circle(bank: Bank) -> None:
    days = [MONDAY + timedelta(days=n) for n in range(40)]

    def write(number: int, order: list[date]) -> None:
        slice_ = Slice((Dimension("day", tuple(Part(str(day), day) for day in order)),))
        bank.put(pa.concat_tables([payments(day, 1, note=str(number)) for day in order]), slice_)

    write(0, days)
    orders = [days, days[::-1], days[20:] + days[:20], days[:30][::-1]]
    at_once(*(lambda number=n, order=order: write(number, order) for n, order in enumerate(orders)))
    notes = bank.notes(*days)
    assert len(notes) == len(days)
    assert len(set(notes[:30])) == 1


def at_once(*calls: Callable[[], object]) -> None:
    """All have happened, begun in the same moment."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], object]) -> None:
        barrier.wait()
        call()

    for running in [Running(run, call) for call in calls]:
        running.end()


@contextmanager
def slow_write(bank: Bank) -> Iterator[Running]:
    """In the block somebody is in the middle of writing 20,000 rows of Monday; after it he has ended."""
    is_open, may_end = Event(), Event()

    def batches() -> Iterator[pa.RecordBatch]:
        yield payments(MONDAY, *range(20_000)).to_batches()[0]
        is_open.set()
        assert may_end.wait(PATIENCE_S)

    slow = Running(bank.write, pa.RecordBatchReader.from_batches(payments(MONDAY).schema, batches()), MONDAY)
    assert is_open.wait(PATIENCE_S)
    yield slow
    may_end.set()
    slow.end()


def test_neighbouring_slices_are_written_at_the_same_time(bank: Bank) -> None:
    for day in (MONDAY, TUESDAY):
        bank.write(version(day, 0), day)
    with slow_write(bank) as slow:
        bank.write(version(TUESDAY, 1), TUESDAY)
        assert version_of(bank.rows(TUESDAY)) == 1
        assert version_of(bank.rows(MONDAY)) == 0
        assert slow.goes_on
    assert bank.rows(MONDAY).num_rows == 20_000


def test_one_slice_is_not_written_by_two_at_the_same_time(backend: Backend, bank: Bank) -> None:
    """The later one waits, or both prepare at the same time and the one that has its rows last comes last."""
    bank.write(version(MONDAY, 0), MONDAY)
    with slow_write(bank) as slow:
        same = Running(bank.write, version(MONDAY, 2), MONDAY)
        if backend.writers_queue:
            time.sleep(0.1)
            assert same.goes_on
        else:
            same.end()
            assert version_of(bank.rows(MONDAY)) == 2
        assert slow.goes_on
    same.end()
    if backend.writers_queue:
        assert version_of(bank.rows(MONDAY)) == 2
    else:
        assert bank.rows(MONDAY).num_rows == 20_000


def test_a_polling_reader_never_sees_a_mixture(backend: Backend, bank: Bank) -> None:
    bank.write(version(MONDAY, 0), MONDAY)
    seen, is_over, until = [0], Event(), time.monotonic() + 2

    def poll() -> None:
        while not is_over.is_set():
            seen.append(version_of(bank.rows(MONDAY)) or 0)

    readers, number = [Running(poll), Running(poll)], 0
    while time.monotonic() < until or number < 6:
        number += 1
        bank.write(version(MONDAY, number), MONDAY)
    is_over.set()
    for reader in readers:
        reader.end()
    assert len(seen) > 10
    assert len(set(seen)) > 3
    backend.settle()


def test_batches_that_are_still_read_are_of_one_version(bank: Bank) -> None:
    """A write in the middle of them waits for the reader or leaves it its snapshot."""
    size = 40_000
    bank.write(payments(MONDAY, *range(size), note="a" * 200), MONDAY)
    with bank.warehouse.read_batches(bank.at, daily_slice("day", [MONDAY]), ["note"]) as batches:
        first = batches.read_next_batch()
        assert first.num_rows < size
        replaced = Running(bank.write, payments(MONDAY, *range(size), note="b"), MONDAY)
        time.sleep(0.3)
        rest = batches.read_all()
    replaced.end()
    assert first.num_rows + rest.num_rows == size
    assert set(rest["note"].to_pylist()) == {"a" * 200}
    assert set(bank.notes(MONDAY)) == {"b"}


@needs(Ability.WRITES_UNDER_READERS)
def test_a_write_does_not_wait_for_readers(backend: Backend) -> None:
    bank = Bank.of(backend.warehouse(lock_timeout_s=1), backend.layout)
    bank.write(version(MONDAY, 1), MONDAY)
    with backend.held_open(bank.at):
        bank.write(version(MONDAY, 2), MONDAY)
    assert version_of(bank.rows(MONDAY)) == 2


def test_a_write_waits_for_a_reader_if_it_must_and_other_readers_hardly_do(backend: Backend, bank: Bank) -> None:
    bank.write(version(MONDAY, 1), MONDAY)
    with backend.held_open(bank.at):
        write, waits, until = Running(bank.write, version(MONDAY, 2), MONDAY), [], time.monotonic() + 2.5
        while (began := time.monotonic()) < until:
            assert version_of(bank.rows(MONDAY)) in (1, 2)
            waits.append(time.monotonic() - began)
            time.sleep(0.05)
        assert max(waits) < 2
    write.end()
    assert version_of(bank.rows(MONDAY)) == 2


def test_the_rows_of_readers_are_typed_while_writers_make_the_table(bank: Bank) -> None:
    """Before the first commit a reader that may find nothing finds nothing, and not half a table."""
    write = Running(bank.write, version(MONDAY, 1), MONDAY)
    while write.goes_on:
        rows = bank.warehouse.read_slice(bank.at, daily_slice("day", [MONDAY]), must_exist=False)
        assert rows.schema == PAYMENTS.schema
        assert version_of(rows) in (None, 1)
    write.end()
