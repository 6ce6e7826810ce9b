"""A failed run is tried again a few times, further and further apart; a refused one never."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from etl_assets.deliveries.repeats import FIRST_WAIT, MOST_REPEATS, Outcome, Run, failures

MONDAY = date(2026, 3, 2)
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
FAILED, DONE, OPEN, REFUSED = Outcome.FAILED, Outcome.DONE, Outcome.OPEN, Outcome.REFUSED


def runs(*outcomes: Outcome, files: str = "a") -> list[Run]:
    """Runs of the same files, an hour apart."""
    return [Run(MONDAY, files, outcome, NOON + timedelta(hours=n)) for n, outcome in enumerate(outcomes)]


def test_the_tries_of_a_failed_run_grow_apart_and_end() -> None:
    waits = []
    for times in range(1, MOST_REPEATS + 1):
        failure = failures(runs(*[FAILED] * times))["a"]
        assert failure.failed_times == times
        assert failure.again_at is not None
        waits.append(failure.again_at - (NOON + timedelta(hours=times - 1)))
    assert waits == [FIRST_WAIT, FIRST_WAIT * 5, FIRST_WAIT * 25]
    assert failures(runs(*[FAILED] * (MOST_REPEATS + 1)))["a"].again_at is None


@pytest.mark.parametrize("last", [DONE, OPEN, REFUSED])
def test_what_ended_otherwise_or_runs_again_is_no_failure(last: Outcome) -> None:
    assert failures(runs(FAILED, FAILED, last)) == {}


def test_a_success_in_between_begins_the_count_again() -> None:
    assert failures(runs(FAILED, FAILED, FAILED, DONE, FAILED))["a"].failed_times == 1


def test_the_failures_of_other_files_count_for_themselves() -> None:
    found = failures([*runs(FAILED, FAILED), *runs(FAILED, files="b"), *runs(DONE, files="c")])
    assert {files: failure.failed_times for files, failure in found.items()} == {"a": 2, "b": 1}
