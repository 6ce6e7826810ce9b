"""When a business date may not be published, judged from counts alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from etl_assets.institution_spec import BatchRules
from etl_assets.tables import QUARANTINED, raw_table
from etl_assets.transforms.batches import Batch, invalid_per_day, judged, records_per_day
from etl_assets_tests.specs import minimal_spec

MONDAY = date(2026, 3, 2)
TUESDAY = MONDAY + timedelta(days=1)
EARLIER = {MONDAY - timedelta(weeks=n): count for n, count in enumerate((90, 100, 110), start=1)}


def judge(records: int, invalid: int = 0, *, history: Mapping[date, int] = EARLIER, **rules: Any) -> Batch:
    (batch,) = judged({MONDAY: records}, {MONDAY: invalid}, BatchRules(**rules), [MONDAY], history)
    return batch


def test_a_share_of_invalid_records_above_the_limit_is_refused_with_its_figures() -> None:
    batch = judge(10, 3, max_quarantined_share=0.2)
    assert batch.problem is not None
    assert batch.problem.startswith("3 of 10 records are invalid, a share of 0.300 above the limit 0.2: correct ")
    assert (batch.records, batch.invalid, batch.invalid_share) == (10, 3, 0.3)


def test_a_share_at_the_limit_is_published() -> None:
    assert judge(10, 2, max_quarantined_share=0.2).problem is None


def test_a_limit_of_one_lets_a_wholly_invalid_day_pass_and_a_limit_of_nothing_no_single_record() -> None:
    assert judge(2, 2, max_quarantined_share=1).problem is None
    assert judge(1_000, 1, max_quarantined_share=0).problem is not None
    assert judge(1_000, max_quarantined_share=0).problem is None


@pytest.mark.parametrize(("records", "is_refused"), [(0, True), (4, True), (5, False), (6, False)])
def test_a_day_with_too_few_records_is_refused(records: int, is_refused: bool) -> None:  # noqa: FBT001
    problem = judge(records, min_records=5).problem
    assert (problem is not None) == is_refused
    if problem:
        assert problem == f"{records} records where at least 5 are expected: is the delivery complete?"


@pytest.mark.parametrize(("records", "is_refused"), [(5, False), (6, True)])
def test_a_day_with_too_many_records_is_refused(records: int, is_refused: bool) -> None:  # noqa: FBT001
    problem = judge(records, max_records=5).problem
    assert (problem is not None) == is_refused
    if problem:
        assert problem == "6 records where at most 5 are expected: was something delivered twice?"


def test_records_that_are_invalid_still_were_delivered() -> None:
    assert judge(5, 5, max_quarantined_share=1, min_records=5).problem is None


def test_a_day_without_records_is_published_unless_some_are_expected() -> None:
    (batch,) = judged({}, {}, BatchRules(), [MONDAY])
    assert (batch.problem, batch.records, batch.invalid_share) == (None, 0, 0.0)


def test_a_day_names_every_rule_that_it_breaks() -> None:
    problem = judge(10, 10, min_records=20, volume={"minimum": 0.5, "maximum": 2}).problem
    assert problem is not None
    assert [part.split(",")[0][:20] for part in problem.split("; ")] == [
        "10 of 10 records are",
        "10 records where at ",
        "10 records are 0.1 t",
    ]


@pytest.mark.parametrize(("records", "is_refused"), [(49, True), (50, False), (200, False), (201, True), (0, True)])
def test_a_day_far_from_the_usual_of_its_weekday_is_refused(records: int, is_refused: bool) -> None:  # noqa: FBT001
    assert (judge(records, volume={"minimum": 0.5, "maximum": 2}).problem is not None) == is_refused


def test_an_unusual_day_says_what_is_usual_and_what_to_do() -> None:
    problem = judge(30, volume={"minimum": 0.5, "maximum": 2}).problem
    assert problem == (
        "30 records are 0.3 times the usual 100 (median of 3 Mondays before), expected 0.5 to 2 times: is the delivery "
        "complete, and once there? If it is right, list volume under batch_rules.warns and run it again"
    )


def test_a_day_with_too_little_history_is_not_judged_by_it() -> None:
    volume = {"minimum": 0.5, "maximum": 2, "least_weeks": 3}
    holiday = {**EARLIER, MONDAY - timedelta(weeks=2): 0}
    tuesdays = {day + timedelta(days=1): count for day, count in EARLIER.items()}
    later = {MONDAY + timedelta(weeks=n): 100 for n in range(5)}
    for history in ({}, holiday, tuesdays, later, {MONDAY - timedelta(weeks=9): 100, **holiday}):
        assert judge(1, history=history, volume=volume).problem is None
    assert judge(1, volume=volume).problem is not None


def test_a_rule_that_warns_publishes_the_day_and_is_told() -> None:
    batch = judge(30, 3, max_quarantined_share=0, volume={"minimum": 0.5, "maximum": 2}, warns=["volume"])
    assert (batch.problem or "").startswith("3 of 30 records are invalid")
    assert (batch.warning or "").startswith("30 records are 0.3 times the usual 100")


def test_one_bad_day_of_a_range_is_refused_alone() -> None:
    days = [MONDAY, TUESDAY, TUESDAY + timedelta(days=1)]
    batches = judged({MONDAY: 2, TUESDAY: 9}, {MONDAY: 2}, BatchRules(), days)
    assert [(b.day, b.records, b.invalid, b.problem is None) for b in batches] == [
        (MONDAY, 2, 2, False),
        (TUESDAY, 9, 0, True),
        (days[2], 0, 0, True),
    ]


def test_counts_are_taken_per_day_and_a_file_delivered_twice_is_no_sign_of_bad_data() -> None:
    kind = raw_table(minimal_spec()).schema.field("business_date").type
    rows = pa.table({"business_date": pa.array([MONDAY, MONDAY, TUESDAY], kind)})
    dispositions = pa.array(["invalid", "duplicate", "superseded"], QUARANTINED.schema.field("disposition").type)
    assert records_per_day(rows) == {MONDAY: 2, TUESDAY: 1}
    assert invalid_per_day(rows.append_column("disposition", dispositions)) == {MONDAY: 1}
    assert invalid_per_day(rows.slice(0, 0).append_column("disposition", dispositions.slice(0, 0))) == {}


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 20).map(lambda n: n / 20))
def test_a_day_is_refused_exactly_when_its_share_is_above_the_limit(good: int, bad: int, limit: float) -> None:
    batch = judge(good + bad, bad, max_quarantined_share=limit)
    assert (batch.problem is not None) == (bad > 0 and bad / (good + bad) > limit)


counts = st.lists(st.integers(0, 20), min_size=15, max_size=15)


@given(counts, counts)
def test_a_range_gives_what_its_days_give_one_by_one(before: list[int], now: list[int]) -> None:
    rules = BatchRules(volume={"minimum": 0.5, "maximum": 2, "least_weeks": 1})
    days = [MONDAY + timedelta(days=n) for n in range(15)]
    records, published = dict(zip(days, now, strict=True)), dict(zip(days, before, strict=True))
    as_range = judged(records, {}, rules, days, published)
    for day, together in zip(days, as_range, strict=True):
        (alone,) = judged(records, {}, rules, [day], published)
        assert alone == together
        if alone.problem is None:
            published[day] = records[day]


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"min_records": 5, "max_records": 4}, "min_records 5 is above max_records 4"),
        ({"warns": ["volume"]}, "warns names volume, which is not set"),
        ({"warns": ["min_records"]}, "warns names min_records, which is not set"),
        ({"volume": {"minimum": 2, "maximum": 1}}, "minimum 2 is above maximum 1"),
        ({"volume": {"maximum": 1, "weeks": 2}}, "least_weeks 3 is above weeks 2"),
        ({"volume": {"minimum": 0.5}}, "Field required"),
    ],
)
def test_rules_that_contradict_themselves_or_do_nothing_are_refused(rules: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        BatchRules(**rules)
