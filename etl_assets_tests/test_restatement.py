"""What a late or corrected day makes stale, decided without tables: days, causes, and how often something is asked."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_assets.restatement.decision import (
    ATTEMPTS,
    Content,
    Outcome,
    Restatement,
    Verdict,
    Written,
    chunk,
    dependants,
    restatements,
    suspects,
    verdict,
)
from etl_assets_tests.specs import minimal_spec

SPEC = minimal_spec(start_date="2026-01-01", duplicate_horizon_days=2, max_lateness_days=3)
DAY = date(2026, 3, 2)
AT = datetime(2026, 4, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def days(first: int, last: int) -> list[date]:
    return [DAY + timedelta(days=n) for n in range(first, last + 1)]


def stale(contents: dict[date, Content], published: dict[date, Written], began: dict[str, datetime]) -> set[date]:
    return {found.day for found in suspects(SPEC, contents, published) if found.is_stale(began)}


def test_a_day_reaches_its_horizon_on_both_sides_and_features_their_window_after_it() -> None:
    found = dependants(SPEC, [DAY], DAY + timedelta(days=100))
    assert found.cleaned == days(-2, 2)
    assert found.featured == found.scored == days(-2, 2 + 31 + 3)


def test_nothing_depends_outside_the_calendar() -> None:
    assert dependants(SPEC, [SPEC.start_date], SPEC.start_date).cleaned == [SPEC.start_date]
    assert dependants(SPEC, [DAY], DAY).featured == days(-2, 0)
    assert dependants(SPEC, [], DAY).featured == []


@given(st.sets(st.integers(0, 80), max_size=5))
def test_the_dependants_of_days_are_those_of_each(offsets: set[int]) -> None:
    changed, last = [DAY + timedelta(days=n) for n in offsets], DAY + timedelta(days=60)
    each = [dependants(SPEC, [day], last).featured for day in changed]
    assert dependants(SPEC, changed, last).featured == sorted(set().union(*each))


def test_the_same_rows_written_again_are_no_change() -> None:
    content = Content.first("7", Written(AT, "a", 1))
    again = content.after("7", Written(AT + HOUR, "b", 1))
    assert (again.written_at, again.changed_at, again.changed_by) == (AT + HOUR, AT, "a")
    assert content.after("8", Written(AT + HOUR, "b", 1)).changed_by == "b"


def test_a_day_is_stale_when_what_it_sees_changed_after_its_run_began() -> None:
    changed = {DAY: Content.first("7", Written(AT, "late", 1))}
    published = {day: Written(AT - HOUR, "before", 1) for day in days(-1, 40)}
    assert stale(changed, published, {}) == set(days(0, 31 + 3))
    written_after = {day: Written(AT + HOUR, "after", 1) for day in days(-1, 40)}
    assert stale(changed, written_after, {"after": AT + HOUR / 2}) == set()
    assert stale(changed, written_after, {"after": AT - HOUR / 2}) == set(days(0, 31 + 3))


def test_a_run_sees_what_it_has_written_itself() -> None:
    changed = {DAY: Content.first("7", Written(AT, "run", 1))}
    assert stale(changed, {DAY: Written(AT + HOUR, "run", 1)}, {"run": AT - HOUR}) == set()


def test_days_that_were_never_published_break_no_range_and_fresh_ones_do() -> None:
    published = [*days(0, 4), *days(7, 9), *days(12, 13)]
    causes = [(day, AT) for day in (*days(0, 4), *days(7, 8), *days(12, 13))] + [(DAY, AT + HOUR)]
    found = restatements("scores", causes, published)
    assert [r.days for r in found] == [(*days(0, 4), *days(7, 8)), tuple(days(12, 13))]
    assert [r.because for r in found] == [AT + HOUR, AT]


def test_a_restatement_is_known_by_its_days_and_its_cause() -> None:
    keys = {
        Restatement(layer, tuple(days(0, n)), at).key
        for layer in ("rows", "scores")
        for n in (0, 1)
        for at in (AT, AT + HOUR)
    }
    assert len(keys) == 8


def test_a_long_history_is_taken_by_rows_and_a_huge_day_alone() -> None:
    written = {day: Written(AT, "run", 400) for day in days(0, 9)}
    assert chunk(written, 1000) == days(0, 1)
    assert chunk(written, 1) == days(0, 0)
    assert chunk({}, 1) == []


@pytest.mark.parametrize(
    ("failed", "hours_ago", "expected"),
    [(0, 0, Verdict.ASK), (1, 0, Verdict.WAIT), (1, 1, Verdict.ASK), (ATTEMPTS, 99, Verdict.GIVEN_UP)],
)
def test_what_failed_is_tried_again_after_a_pause_and_not_for_ever(
    failed: int, hours_ago: int, expected: Verdict
) -> None:
    assert verdict([Outcome(is_success=False, ended_at=AT)] * failed, AT + hours_ago * HOUR) is expected


def test_what_succeeded_is_not_asked_for_again() -> None:
    failed, done = Outcome(is_success=False, ended_at=AT), Outcome(is_success=True, ended_at=AT)
    assert verdict([failed, done], AT) is Verdict.DONE
