"""Which mirrors are late and what runs next, decided without tables: notes, certificates, earlier runs."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_assets.mirroring import decision
from etl_assets.mirroring.decision import ATTEMPTS, Certified, Ended, Late, Work, again_at, late, next_work
from etl_assets.restatement.decision import Written

DAY = date(2026, 3, 2)
AT = datetime(2026, 4, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CLEANED, SCORED = "cleaned_transactions", "scored_transactions"


def day(number: int) -> date:
    return DAY + timedelta(days=number)


def note(rows: int = 10, minutes: int = 0) -> Written:
    return Written(AT + minutes * MINUTE, "run", rows)


def work(*found: Late) -> tuple[tuple[str, ...], tuple[date, ...]] | None:
    asked = next_work(found)
    return asked and (asked.tables, asked.days)


def test_a_day_without_certificate_is_late_and_a_certified_one_is_not() -> None:
    published = {CLEANED: {day(0): note(), day(1): note()}}
    certified = {CLEANED: {day(0): Certified(AT, is_equal=True)}}
    assert late(published, certified) == [Late(CLEANED, day(1), note())]


def test_a_day_that_was_written_again_is_late_however_equal_it_was() -> None:
    certified = {CLEANED: {day(0): Certified(AT, is_equal=True)}}
    assert late({CLEANED: {day(0): note(minutes=1)}}, certified) == [Late(CLEANED, day(0), note(minutes=1))]
    unread = {CLEANED: {day(0): Certified(None, is_equal=False, times_different=ATTEMPTS)}}
    assert late({CLEANED: {day(0): note()}}, unread) == [Late(CLEANED, day(0), note())]


def test_a_day_that_stays_different_is_tried_again_and_then_left_to_people() -> None:
    def found(times: int) -> list[Late]:
        certified = {CLEANED: {day(0): Certified(AT, is_equal=False, times_different=times)}}
        return late({CLEANED: {day(0): note()}}, certified)

    assert [work(*found(times)) for times in range(1, ATTEMPTS + 1)] == [((CLEANED,), (day(0),))] * 2 + [None]
    assert found(ATTEMPTS)[0].is_left


def test_days_in_a_row_that_lack_the_same_tables_are_one_run() -> None:
    every = [Late(table, day(n), note()) for n in range(3) for table in (CLEANED, SCORED)]
    assert work(*every) == ((CLEANED, SCORED), (day(0), day(1), day(2)))


def test_a_run_writes_nothing_that_is_not_late() -> None:
    found = [Late(CLEANED, day(0), note()), *(Late(SCORED, day(n), note()) for n in range(3))]
    assert work(*found) == ((CLEANED, SCORED), (day(0),))
    assert work(*found[2:]) == ((SCORED,), (day(1), day(2)))
    assert work(Late(SCORED, day(3), note()), Late(SCORED, day(1), note())) == ((SCORED,), (day(1),))


def test_a_long_history_is_carried_in_pieces_and_a_huge_day_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decision, "ROWS_PER_RUN", 25)
    assert work(*(Late(CLEANED, day(n), note(10)) for n in range(5))) == ((CLEANED,), (day(0), day(1)))
    assert work(Late(CLEANED, day(0), note(99)), Late(CLEANED, day(1), note())) == ((CLEANED,), (day(0),))
    assert work() is None


@given(
    st.lists(
        st.builds(
            Late,
            st.sampled_from([CLEANED, SCORED]),
            st.integers(0, 9).map(day),
            st.just(note()),
            st.sampled_from([0, ATTEMPTS]),
        ),
        unique_by=lambda part: (part.table, part.day),
    )
)
def test_run_after_run_mirrors_each_late_day_once_and_leaves_what_is_left(found: list[Late]) -> None:
    open_, carried = list(found), list[Late]()
    while asked := next_work(open_):
        assert len(asked.parts) == len(asked.tables) * len(asked.days)
        carried += asked.parts
        open_ = [part for part in open_ if part not in asked.parts]
    assert sorted(carried, key=str) == sorted((part for part in found if not part.is_left), key=str)


def test_work_that_fails_again_and_again_keeps_nothing_else_waiting() -> None:
    altered = Late(SCORED, day(0), note())
    behind = [Late(CLEANED, day(1), note()), Late(CLEANED, day(3), note())]
    keys = [Work((part,)).key for part in (altered, *behind)]

    def asked(*before: str | None) -> tuple[Late, ...]:
        found = next_work([altered, *behind], before)
        return found.parts if found else ()

    assert asked() == asked("another", None) == (altered,)
    assert asked(keys[0]) == (behind[0],)
    assert asked(keys[1], keys[0], keys[0]) == (behind[1],)
    assert asked(*keys) == (altered,)
    assert next_work([], keys) is None


def test_the_same_work_is_known_again_until_something_of_it_has_changed() -> None:
    first = Late(CLEANED, day(0), note())
    others = (
        Late(SCORED, day(0), note()),
        Late(CLEANED, day(1), note()),
        Late(CLEANED, day(0), note(minutes=1)),
        Late(CLEANED, day(0), note(), 1),
    )
    assert Work((first,)).key == Work((Late(CLEANED, day(0), note()),)).key
    assert len({Work((part,)).key for part in (first, *others)}) == 5


@pytest.mark.parametrize(("failed", "minutes"), [(1, 1), (2, 5), (3, 25), (4, 60), (50, 60)])
def test_after_each_failure_the_next_try_comes_later_and_then_every_hour(failed: int, minutes: int) -> None:
    runs = [Ended(is_success=False, key="other", ended_at=AT - n * MINUTE) for n in range(failed)]
    done = Ended(is_success=True, key="before", ended_at=AT - 99 * MINUTE)
    assert again_at([*runs, done, runs[0]], {"now"}) == AT + minutes * MINUTE


def test_after_a_success_the_next_run_comes_at_once_unless_it_would_be_the_same_again() -> None:
    done = Ended(is_success=True, key="before", ended_at=AT)
    assert again_at([done], {"now"}) is None
    assert again_at([], {"now"}) is None
    assert again_at([done], {"before", "now"}) == AT + MINUTE
    other = Ended(is_success=True, key="now", ended_at=AT + MINUTE)
    assert again_at([other, done], {"before", "now"}) == AT + 6 * MINUTE
