"""A process that writes version after version of one day and says so, for tests that kill it.

It is forked from a server that has the imports already, so that it writes within milliseconds.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext

from etl_assets_tests.backends import Backend
from etl_assets_tests.payments import MONDAY, Bank, version


def _processes() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _write_versions(backend: Backend, first: int, reports: Connection) -> None:
    bank = Bank.of(backend.warehouse(), backend.layout)
    reports.send(first - 1)
    for number in count(first):
        bank.write(version(MONDAY, number), MONDAY)
        reports.send(number)


@contextmanager
def killed_at_the_end(backend: Backend, first: int) -> Iterator[Connection]:
    """In the block a process writes and reports what it knows as written; after it, it is dead by SIGKILL."""
    here, there = multiprocessing.Pipe(duplex=False)
    process = _processes().Process(target=_write_versions, args=(backend, first, there))
    process.start()
    there.close()
    try:
        yield here
    finally:
        process.kill()
        process.join()
        process.close()


def reported(reports: Connection) -> int:
    """The last version that the writer knows as written."""
    last = None
    try:
        while True:
            last = reports.recv()
    except EOFError:
        reports.close()
    assert isinstance(last, int)
    return last
