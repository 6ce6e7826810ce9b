"""Two runs that record at once: no attempt is lost, and of a pair exactly one is the first."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

from etl_assets.deliveries.ledger import Ledger
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets_tests.reads import MONDAY, read

ROUNDS = 12


def together(first: Callable[[int], None], second: Callable[[int], None]) -> None:
    """Both are done, round by round, each pair begun at the same moment."""
    barrier = Barrier(2)

    def rounds(work: Callable[[int], None]) -> None:
        for number in range(ROUNDS):
            barrier.wait(timeout=60)
            work(number)

    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(rounds, work) for work in (first, second)]:
            future.result(timeout=120)


def test_no_attempt_is_lost(warehouse: PostgresWarehouse) -> None:
    ledger, both = Ledger(warehouse, "bank"), [read("a.csv"), read("b.csv", "b")]
    together(lambda n: ledger.record(both, f"one-{n}"), lambda n: ledger.record(both[::-1], f"two-{n}"))
    assert ledger.history(MONDAY, MONDAY)["attempt"].to_pylist() == [2 * ROUNDS] * 2


def test_of_two_copies_that_are_recorded_at_once_the_earlier_is_the_first(warehouse: PostgresWarehouse) -> None:
    ledger, later = Ledger(warehouse, "bank"), MONDAY + timedelta(days=1)
    together(
        lambda n: ledger.record([read(f"{n}_a.csv", f"{n}")], "one"),
        lambda n: ledger.record([read(f"{n}_b.csv", f"{n}", day=later)], "two"),
    )
    states = ledger.history(MONDAY, later)["state"].to_pylist()
    assert states == ["read"] * ROUNDS + ["redelivered"] * ROUNDS
