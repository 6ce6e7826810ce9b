"""What a listing asks for: every stable content once, nothing that still grows, never more than the limit."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from etl_assets.deliveries.arrivals import Calendar, Decision, Kind, Known, Memory, Seen, requests_for

MONDAY = date(2026, 3, 2)
DAYS = [MONDAY + timedelta(days=n) for n in range(8)]
CALENDAR = Calendar(DAYS[1], DAYS[6])
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def seen(day: date = DAYS[1], name: str = "a.csv", size: int = 10, minute: int = 0) -> Seen:
    return Seen(day, f"{day}/{name}", size, NOON + timedelta(minutes=minute))


def ticks(*listings: list[Seen], known: Known | None = None, limit: int = 3) -> Decision:
    """The decision of the last of these ticks, each remembering the one before."""
    memory = Memory()
    for listing in listings:
        decision = requests_for(listing, memory, known or {}, CALENDAR, limit)
        memory = Memory.read(decision.memory.write())
    return decision


def requested(decision: Decision) -> list[date]:
    return [request.business_date for request in decision.requests]


def test_a_file_is_requested_at_the_second_tick_that_finds_it_unchanged() -> None:
    first = ticks([seen()])
    assert (requested(first), first.counts) == ([], {Kind.UNSTABLE: 1})
    second = ticks([seen()], [seen()])
    assert (requested(second), second.counts) == ([DAYS[1]], {Kind.NEW: 1})


@pytest.mark.parametrize("changed", [seen(size=11), seen(minute=1)])
def test_a_file_that_still_changes_is_not_requested(changed: Seen) -> None:
    assert ticks([seen()], [changed]).counts == {Kind.UNSTABLE: 1}
    assert requested(ticks([seen()], [changed], [changed])) == [DAYS[1]]


def test_an_empty_file_is_never_requested() -> None:
    empty = seen(size=0)
    decision = ticks([empty], [empty], [empty])
    assert (requested(decision), decision.counts) == ([], {Kind.EMPTY: 1})


@pytest.mark.parametrize("other", [seen(name="b.csv", minute=5), seen(name="b.csv", size=0)])
def test_a_date_waits_for_its_unstable_and_empty_files_because_a_run_reads_them_all(other: Seen) -> None:
    decision = ticks([seen()], [seen(), other])
    assert (requested(decision), decision.waiting) == ([], (DAYS[1],))
    assert "1 date waiting" in decision.in_words()


def test_what_was_requested_is_not_requested_again_while_its_run_is_under_way() -> None:
    decision = ticks([seen()], [seen()], [seen()], [seen()])
    assert (requested(decision), decision.counts) == ([], {Kind.REQUESTED: 1})


@pytest.mark.parametrize(
    ("state", "kind"), [("read", Kind.UNCHANGED), ("redelivered", Kind.REDELIVERED), ("rejected", Kind.REJECTED)]
)
def test_what_the_ledger_holds_is_neither_requested_nor_remembered(state: str, kind: Kind) -> None:
    decision = ticks([seen()], [seen()], known={seen().path: {seen().version: state}})
    assert (requested(decision), decision.counts, decision.memory) == ([], {kind: 1}, Memory())


def test_other_content_under_a_known_name_is_a_correction_with_a_run_of_its_own() -> None:
    corrected, known = seen(minute=60), {seen().path: {seen().version: "rejected"}}
    decision = ticks([corrected], [corrected], known=known)
    assert (requested(decision), decision.counts) == ([DAYS[1]], {Kind.CORRECTED: 1})
    assert decision.requests[0].run_key != ticks([seen()], [seen()]).requests[0].run_key


def test_a_file_that_joins_its_date_is_requested_alone_under_a_key_of_all() -> None:
    both = [seen(), seen(name="b.csv")]
    (request,) = ticks([seen()], [seen()], both, both).requests
    assert [file.path for file in request.fresh] == [both[1].path]
    assert request.run_key == ticks(both, both).requests[0].run_key


def test_dates_outside_the_calendar_are_ignored_or_early() -> None:
    outside = [seen(DAYS[0]), seen(DAYS[7])]
    decision = ticks(outside, outside)
    assert (requested(decision), decision.counts) == ([], {Kind.IGNORED: 1, Kind.EARLY: 1})
    tomorrow = requests_for(outside, decision.memory, {}, Calendar(DAYS[1], DAYS[7]), 3)
    assert requested(tomorrow) == [DAYS[7]]


def test_the_oldest_dates_go_first_and_the_last_place_is_for_the_newest() -> None:
    month = [seen(day) for day in reversed(DAYS[1:7])]
    decision = ticks(month, month)
    assert requested(decision) == [DAYS[1], DAYS[2], DAYS[6]]
    assert decision.deferred == (DAYS[3], DAYS[4], DAYS[5])
    assert decision.in_words() == "6 new, 3 dates deferred"
    assert requested(ticks(month, month, month)) == [DAYS[3], DAYS[4], DAYS[5]]


def test_a_tick_explains_itself_in_numbers() -> None:
    known = {seen().path: {seen().version: "read"}}
    listing = [seen(), seen(DAYS[2]), seen(DAYS[2], "b.csv", size=0), seen(DAYS[0])]
    words = ticks(listing, [*listing, seen(DAYS[3])], known=known).in_words()
    assert words == (
        "1 new, 1 unchanged, 1 unstable, 1 empty, 1 ignored, 1 date waiting for an incomplete or empty file"
    )
    assert ticks([]).in_words() == "no deliveries in the folder"


@pytest.mark.parametrize(
    ("state", "kind"), [("resaved", Kind.RESAVED), ("partial", Kind.PARTIAL), ("late", Kind.UNCHANGED)]
)
def test_what_was_read_holds_up_nothing_that_joins_its_date(state: str, kind: Kind) -> None:
    both = [seen(), seen(name="b.csv")]
    decision = ticks(both, both, known={seen().path: {seen().version: state}})
    assert (requested(decision), decision.counts[kind]) == ([DAYS[1]], 1)


def test_what_comes_after_it_was_due_or_after_its_date_was_read_is_late() -> None:
    calendar = Calendar(DAYS[1], DAYS[6], "Europe/Berlin", late_after_days=1)
    due = datetime(2026, 3, 4, 23, tzinfo=UTC)
    for modified_at, kind in ((due - timedelta(seconds=1), Kind.NEW), (due, Kind.LATE)):
        file = Seen(DAYS[1], "a.csv", 10, modified_at, is_announced=True)
        assert requests_for([file], Memory(), {}, calendar, 3).counts == {kind: 1}
    both = [seen(), seen(name="b.csv")]
    known = {seen().path: {seen().version: "read"}}
    assert ticks(both, both, known=known).counts == {Kind.UNCHANGED: 1, Kind.LATE: 1}
    known = {seen().path: {seen().version: "rejected"}}
    assert ticks(both, both, known=known).counts == {Kind.REJECTED: 1, Kind.NEW: 1}


class Bank(RuleBasedStateMachine):
    """A folder that changes between ticks, runs that end when they like, and what the ticks asked for."""

    @initialize(limit=st.integers(1, 4))
    def begins(self, limit: int) -> None:
        self.limit, self.minute, self.memory = limit, 0, Memory()
        self.folder: dict[str, Seen] = {}
        self.before: frozenset[Seen] = frozenset()
        self.known: dict[str, dict[tuple[int, datetime], str]] = {}
        self.asked: list[Seen] = []
        self.running: list[date] = []

    @rule(day=st.sampled_from(DAYS), name=st.sampled_from("abc"), size=st.integers(0, 2))
    def a_file_is_written(self, day: date, name: str, size: int) -> None:
        self.minute += 1
        file = seen(day, name, size, self.minute)
        self.folder[file.path] = file

    @rule(day=st.sampled_from(DAYS), name=st.sampled_from("abc"))
    def a_file_is_archived(self, day: date, name: str) -> None:
        self.folder.pop(f"{day}/{name}", None)

    @rule()
    def the_oldest_run_reads_its_date(self) -> None:
        if self.running:
            day = self.running.pop(0)
            for file in [file for file in self.folder.values() if file.business_date == day]:
                self.known.setdefault(file.path, {})[file.version] = "rejected" if file.size_bytes == 0 else "read"

    @rule()
    def a_tick(self) -> None:
        listing = list(self.folder.values())
        decision = requests_for(listing, self.memory, self.known, CALENDAR, self.limit)
        days = requested(decision)
        assert days == sorted(set(days))
        assert len(days) <= self.limit
        assert sum(decision.counts.values()) == len(listing)
        assert not decision.deferred or len(days) == self.limit
        if self.limit > 1 and days:
            assert max(days) == max((*days, *decision.deferred))
        for file in [file for file in listing if file.business_date in days]:
            assert file in self.before or file.version in self.known[file.path]
            assert file.size_bytes or file.version in self.known[file.path]
        self.asked += [file for request in decision.requests for file in request.fresh]
        self.running += days
        self.before, self.memory = frozenset(listing), Memory.read(decision.memory.write())

    @invariant()
    def nothing_is_asked_for_twice(self) -> None:
        assert len(self.asked) == len(set(self.asked))

    def teardown(self) -> None:
        """Left alone, the folder is settled after as many ticks as its dates need, and every content was taken."""
        if not hasattr(self, "folder"):
            return
        for _ in range(len(DAYS) + 2):
            self.a_tick()
        while self.running:
            self.the_oldest_run_reads_its_date()
        blocked = {file.business_date for file in self.folder.values() if self.is_new_and_empty(file)}
        for file in self.folder.values():
            if CALENDAR.first <= file.business_date <= CALENDAR.last and file.business_date not in blocked:
                assert file.version in self.known.get(file.path, {}), file
        self.a_tick()
        assert self.memory.requested == frozenset()

    def is_new_and_empty(self, file: Seen) -> bool:
        return file.size_bytes == 0 and file.version not in self.known.get(file.path, {})


TestBank = Bank.TestCase
TestBank.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
