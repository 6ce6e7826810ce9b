"""A write that fails leaves what was there: lost connections at every statement, broken streams, wrong passwords."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext

import pyarrow as pa
import pytest

from etl_assets.io_managers.errors import Refused, Unavailable
from etl_assets_tests.backends import Backend, a_backend, a_bank, a_suite_database  # noqa: F401
from etl_assets_tests.payments import MONDAY, Bank, payments, version, version_of


def test_a_failure_at_any_statement_of_the_first_write_leaves_nothing(backend: Backend) -> None:
    """The connection is really lost, once before every statement until a write needs no more of them."""
    bank, number, has_fired = Bank.of(backend.warehouse(), backend.layout), 0, True
    while has_fired:
        number += 1
        with backend.failing_at_statement(number) as fault:
            assert _outcome(bank, version(MONDAY, 1)) is (Unavailable if fault.has_fired else None)
        has_fired = fault.has_fired
        assert backend.strangers(bank.at) == set()
        assert bank.warehouse.exists("bank", "payments") is not has_fired
    assert number > 10
    assert version_of(bank.rows(MONDAY)) == 1


@pytest.mark.parametrize("retry_for_s", [0, 15])
def test_a_failure_at_any_statement_leaves_the_old_rows_or_is_overcome(backend: Backend, retry_for_s: float) -> None:
    bank, number, has_fired, old = Bank.of(backend.warehouse(retry_for_s=retry_for_s), backend.layout), 0, True, 0
    bank.write(version(MONDAY, old), MONDAY)
    while has_fired:
        number += 1
        with backend.failing_at_statement(number) as fault:
            outcome = _outcome(bank, version(MONDAY, number))
        has_fired = fault.has_fired
        assert outcome is (Unavailable if has_fired and not retry_for_s else None)
        old = old if outcome else number
        assert version_of(bank.rows(MONDAY)) == old
        assert backend.strangers(bank.at) == set()
    assert number > 7


def _outcome(bank: Bank, rows: object) -> type[Exception] | None:
    try:
        bank.write(rows, MONDAY)
    except Unavailable as failure:
        return type(failure)
    return None


def _breaking(action: Callable[[], None], rows: int = 40_000) -> pa.RecordBatchReader:
    """A stream of rows of Monday in the middle of which something happens."""

    def batches() -> Iterator[pa.RecordBatch]:
        batch = payments(MONDAY, *range(rows // 2)).to_batches()[0]
        yield batch
        action()
        yield payments(MONDAY, *range(rows // 2, rows)).to_batches()[0]

    return pa.RecordBatchReader.from_batches(payments(MONDAY).schema, batches())


def test_a_stream_that_fails_half_way_leaves_the_old_rows(backend: Backend, bank: Bank) -> None:
    def fail() -> None:
        raise OSError("the source is gone")

    bank.write(payments(MONDAY, 1), MONDAY)
    with pytest.raises(OSError, match="the source is gone"):
        bank.write(_breaking(fail), MONDAY)
    assert bank.stored(MONDAY) == [(MONDAY, 1)]
    assert backend.strangers(bank.at) == set()
    assert bank.write(_breaking(lambda: None), MONDAY) == {"2026-03-02": 40_000}


def test_a_connection_dropped_in_the_middle_of_a_stream_leaves_the_old_rows(backend: Backend) -> None:
    """Even with retries: the half of the stream that is consumed will not come again, unless it is kept aside."""
    bank = Bank.of(backend.warehouse(retry_for_s=15), backend.layout)
    bank.write(payments(MONDAY, 1), MONDAY)
    with nullcontext() if backend.outlives_sessions else pytest.raises(Unavailable):
        bank.write(_breaking(backend.lose_connections), MONDAY)
    assert bank.rows(MONDAY).num_rows == (40_000 if backend.outlives_sessions else 1)
    bank.write(payments(MONDAY, 2), MONDAY)
    assert bank.stored(MONDAY) == [(MONDAY, 2)]


def test_connections_dropped_while_idle_are_not_noticed(backend: Backend, bank: Bank) -> None:
    bank.write(payments(MONDAY, 1), MONDAY)
    assert bank.stored(MONDAY) == [(MONDAY, 1)]
    backend.lose_connections()
    bank.write(payments(MONDAY, 2), MONDAY)
    backend.lose_connections()
    assert bank.stored(MONDAY) == [(MONDAY, 2)]


def test_a_wrong_password_is_permanent_and_stays_out_of_the_message(backend: Backend) -> None:
    wrong = backend.with_wrong_password("topsecret")
    for use in (
        lambda: wrong.written("bank", "payments"),
        lambda: Bank.of(wrong, backend.layout).write(payments(MONDAY), MONDAY),
    ):
        with pytest.raises(Refused, match=r"refuses (the login|user or password)") as refusal:
            use()
        assert "topsecret" not in str(refusal.value.description) + repr(wrong)
