"""What a listing asks for where files are announced, and where the last run of a date has failed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

from etl_assets.deliveries.arrivals import Kind, Memory, Seen, requests_for
from etl_assets.deliveries.repeats import Failure
from etl_assets_tests.test_arrivals import CALENDAR, DAYS, NOON, requested, seen, ticks


def announced(file: Seen, doubt: Kind | None = None, *, is_promised: bool = False) -> Seen:
    return replace(file, is_announced=doubt is None, doubt=doubt, is_promised=is_promised)


def test_an_announced_file_needs_one_tick_and_a_doubted_one_holds_up_its_date() -> None:
    assert requested(ticks([announced(seen())])) == [DAYS[1]]
    for doubt in (Kind.UNANNOUNCED, Kind.PARTIAL, Kind.UNSTABLE):
        both = [announced(seen()), announced(seen(name="b.csv"), doubt)]
        decision = ticks(both, both, both)
        assert (requested(decision), decision.counts[doubt], decision.waiting) == ([], 1, (DAYS[1],))
    assert requested(ticks([announced(seen(size=0), is_promised=True)])) == [DAYS[1]]


def failing(day: date, *files: Seen, times: int = 1, again_at: datetime | None = NOON) -> dict[str, Failure]:
    """The last run of these files of the date has failed."""
    (request,) = requests_for([announced(file) for file in files], Memory(), {}, CALENDAR, 3).requests
    return {request.files: Failure(day, request.files, times, again_at)}


def test_a_failed_run_is_tried_again_when_its_time_has_come() -> None:
    known, failures = {seen().path: {seen().version: "read"}}, failing(DAYS[1], seen(), times=2)
    for now, expected, words in (
        (NOON, [f"{next(iter(failures))}:3"], "1 failed, 1 date tried again"),
        (NOON - timedelta(seconds=1), [], "1 failed, 1 date to be tried again"),
    ):
        decision = requests_for([seen()], Memory(), known, CALENDAR, 3, failures=failures, now=now)
        assert ([request.run_key for request in decision.requests], decision.in_words()) == (expected, words)


def test_a_failure_of_other_files_or_one_that_is_given_up_asks_for_nothing() -> None:
    known = {seen().path: {seen().version: "read"}}
    other = requests_for([seen()], Memory(), known, CALENDAR, 3, failures=failing(DAYS[1], seen(size=11)), now=NOON)
    assert (requested(other), other.counts) == ([], {Kind.UNCHANGED: 1})
    given_up = failing(DAYS[1], seen(), times=4, again_at=None)
    decision = requests_for([seen()], Memory(), known, CALENDAR, 3, failures=given_up, now=NOON)
    assert (requested(decision), decision.counts) == ([], {Kind.FAILED: 1})


def test_a_failed_date_waits_for_the_file_that_still_grows_and_then_runs_as_new() -> None:
    known, both = {seen().path: {seen().version: "read"}}, [seen(), seen(name="b.csv")]
    failures = failing(DAYS[1], seen())
    first = requests_for(both, Memory(), known, CALENDAR, 3, failures=failures, now=NOON)
    second = requests_for(both, first.memory, known, CALENDAR, 3, failures=failures, now=NOON)
    assert requested(first) == []
    assert [(request.attempt, len(request.fresh)) for request in second.requests] == [(1, 1)]


def test_what_failed_before_the_ledger_knew_it_stays_remembered() -> None:
    failures = failing(DAYS[1], seen(), again_at=None)
    asked = ticks([seen()], [seen()])
    decision = requests_for([seen()], asked.memory, {}, CALENDAR, 3, failures=failures, now=NOON)
    assert (requested(decision), decision.counts) == ([], {Kind.FAILED: 1})
    assert decision.memory.requested == asked.memory.requested
