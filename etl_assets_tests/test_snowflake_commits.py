"""Commits that nobody has heard of: what happened counts once, what did not happen leaves the old rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from snowflake.connector.cursor import SnowflakeCursorBase
from snowflake.connector.errors import OperationalError

from etl_assets.io_managers.errors import NeverWritten, OutcomeUnknown, Unavailable
from etl_assets.io_managers.snowflake import schema as snowflake_schema
from etl_assets.io_managers.snowflake import writing as snowflake_writing
from etl_assets.io_managers.snowflake.connections import Session
from etl_assets.io_managers.snowflake.writing import Publication
from etl_assets.io_managers.targets import Layout, Mode, Target
from etl_assets_tests.payments import KEYLESS, MONDAY, TUESDAY, Bank, payments
from etl_assets_tests.snowflake_backend import SnowflakeBackend, snowflake_backend


@pytest.fixture(name="backend")
def a_backend(request: pytest.FixtureRequest) -> SnowflakeBackend:
    backend = snowflake_backend(request)
    backend.clear()
    return backend


@pytest.fixture(name="bank")
def a_bank(backend: SnowflakeBackend) -> Bank:
    return Bank.of(backend.warehouse(), backend.layout)


@contextmanager
def commits(act: Callable[[Callable[[], Any]], Any], times: int = 1, said: str = "COMMIT") -> Iterator[None]:
    """In the block a COMMIT, or what begins with `said`, is what `act` makes of it, for so many times."""
    original, left = SnowflakeCursorBase.execute, [None] * times

    def execute(cursor: Any, command: str, *values: Any, **how: Any) -> Any:
        if command.startswith(said) and left:
            left.pop()
            return act(lambda: original(cursor, command, *values, **how))
        return original(cursor, command, *values, **how)

    with patch.object(SnowflakeCursorBase, "execute", execute):
        yield


def answer_is_lost(commit: Callable[[], Any]) -> None:
    commit()
    raise OperationalError(msg="nobody answers", errno=250001)


def question_is_lost(commit: Callable[[], Any]) -> None:  # noqa: ARG001  it never arrives
    raise OperationalError(msg="nobody answers", errno=250001)


@pytest.mark.parametrize("mode", [Mode.APPEND, Mode.REPLACE_PARTITION])
@pytest.mark.parametrize("retry_for_s", [0, 15])
def test_a_commit_that_happened_unheard_is_a_success_and_happens_once(
    backend: SnowflakeBackend, mode: Mode, retry_for_s: float
) -> None:
    bank = Bank.of(backend.warehouse(retry_for_s=retry_for_s), Layout.PLAIN, KEYLESS)
    bank.write(payments(MONDAY, 1), MONDAY, mode=mode)
    with commits(answer_is_lost):
        bank.write(payments(MONDAY, 2), MONDAY, mode=mode)
    assert [id_ for _, id_ in bank.stored(MONDAY)] == ([1, 2] if mode is Mode.APPEND else [2])


def test_a_commit_that_did_not_happen_is_tried_again_and_happens_once(backend: SnowflakeBackend) -> None:
    bank = Bank.of(backend.warehouse(retry_for_s=15), Layout.PLAIN, KEYLESS)
    bank.write(payments(MONDAY, 1), MONDAY)
    with commits(question_is_lost, times=2):
        bank.write(payments(MONDAY, 2), MONDAY, mode=Mode.APPEND)
    assert [id_ for _, id_ in bank.stored(MONDAY)] == [1, 2]


def test_a_commit_that_did_not_happen_and_is_not_tried_again_leaves_the_old_rows(bank: Bank) -> None:
    bank.write(payments(MONDAY, 1), MONDAY)
    with commits(question_is_lost), pytest.raises(Unavailable):
        bank.write(payments(MONDAY, 2), MONDAY)
    assert bank.stored(MONDAY) == [(MONDAY, 1)]


def test_a_commit_is_found_though_others_have_written_since(bank: Bank) -> None:
    def others_write(commit: Callable[[], Any]) -> None:
        commit()
        for day in (MONDAY, TUESDAY, MONDAY):
            bank.write(payments(day, 9), day, mode=Mode.APPEND)
        raise OperationalError(msg="nobody answers", errno=250001)

    bank = bank.changed(KEYLESS)
    bank.write(payments(MONDAY, 1), MONDAY)
    with commits(others_write):
        bank.write(payments(MONDAY, 2), MONDAY, mode=Mode.APPEND)
    assert sorted(bank.stored(MONDAY, TUESDAY)) == [(MONDAY, n) for n in (1, 2, 9, 9)] + [(TUESDAY, 9)]


@pytest.mark.parametrize(("mode", "error"), [(Mode.APPEND, OutcomeUnknown), (Mode.REPLACE_PARTITION, Unavailable)])
def test_where_nobody_can_say_what_became_of_a_commit_only_an_append_is_given_up(
    bank: Bank, monkeypatch: pytest.MonkeyPatch, mode: Mode, error: type[Exception]
) -> None:
    def silent(*_: Any) -> bool:
        raise Unavailable("nobody answers")

    bank.write(payments(MONDAY, 1), MONDAY)
    monkeypatch.setattr(Publication, "_asked", silent)
    monkeypatch.setattr(snowflake_writing, "ASK_FOR_S", 0.1)
    with commits(question_is_lost), pytest.raises(error):
        bank.write(payments(MONDAY, 2), MONDAY, mode=mode)


def test_a_first_write_that_fails_leaves_a_table_that_nobody_has_written(bank: Bank) -> None:
    with commits(question_is_lost), pytest.raises(Unavailable):
        bank.put(payments(MONDAY, 1))
    assert not bank.warehouse.exists("bank", "payments")
    for read in (bank.all, lambda: bank.warehouse.described("bank", "payments", None)):
        with pytest.raises(NeverWritten):
            read()
    assert bank.put(payments(MONDAY, 1)) == {"": 1}
    assert bank.all().num_rows == 1


def test_a_first_write_that_fails_after_the_table_was_dropped_brings_no_day_back_as_an_empty_one(
    backend: SnowflakeBackend, bank: Bank
) -> None:
    """The table is made before the transaction: what its notes say of the one before must be gone by then."""
    bank.write(payments(MONDAY, 1), MONDAY)
    backend._say("DROP TABLE BANK.PAYMENTS")
    with commits(question_is_lost, said='INSERT INTO "BANK"."PAYMENTS"'), pytest.raises(Unavailable):
        bank.write(payments(TUESDAY, 2), TUESDAY)
    assert not bank.warehouse.exists("bank", "payments")
    assert bank.warehouse.written("bank", "payments") == set()
    bank.write(payments(TUESDAY, 2), TUESDAY)
    assert bank.warehouse.written("bank", "payments") == {str(TUESDAY)}


def test_a_table_that_another_writer_has_made_meanwhile_keeps_its_days(
    backend: SnowflakeBackend, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made_by_another(session: Session, target: Target) -> None:
        monkeypatch.setattr(snowflake_schema, "_forget_what_is_gone", original)
        bank.write(payments(MONDAY, 7), MONDAY)
        original(session, target)

    original = snowflake_schema._forget_what_is_gone
    bank.write(payments(MONDAY, 1), MONDAY)
    backend._say("DROP TABLE BANK.PAYMENTS")
    monkeypatch.setattr(snowflake_schema, "_forget_what_is_gone", made_by_another)
    bank.write(payments(TUESDAY, 2), TUESDAY)
    assert bank.stored(MONDAY, TUESDAY) == [(MONDAY, 7), (TUESDAY, 2)]
    assert bank.warehouse.written("bank", "payments") == {str(MONDAY), str(TUESDAY)}
