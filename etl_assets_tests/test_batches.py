"""When a business date may not be published, judged from counts alone."""

from __future__ import annotations

from datetime import date, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_assets.institution_spec import BatchRules
from etl_assets.tables import QUARANTINED, raw_table
from etl_assets.transforms.batches import Batch, judged
from etl_assets_tests.specs import minimal_spec

MONDAY = date(2026, 3, 2)
TUESDAY = MONDAY + timedelta(days=1)


def raw(*days: date) -> pa.Table:
    """One record for each of `days`."""
    table = raw_table(minimal_spec()).empty().select(["business_date"])
    return pa.table({"business_date": pa.array(days, table.schema.field(0).type)})


def quarantined(*rows: tuple[date, str]) -> pa.Table:
    """One row per (day, disposition)."""
    kinds = {name: QUARANTINED.schema.field(name).type for name in ("business_date", "disposition")}
    columns = zip(*rows, strict=True) if rows else ((), ())
    return pa.table({name: pa.array(v, kind) for (name, kind), v in zip(kinds.items(), columns, strict=True)})


def judge(records: int, *dispositions: str, **rules: float) -> Batch:
    rows = quarantined(*((MONDAY, disposition) for disposition in dispositions))
    (batch,) = judged(raw(*[MONDAY] * records), rows, BatchRules(**rules), [MONDAY])
    return batch


def test_a_share_of_invalid_records_above_the_limit_is_refused_with_its_figures() -> None:
    batch = judge(10, *["invalid"] * 3, max_quarantined_share=0.2)
    assert batch.problem is not None
    assert batch.problem.startswith("3 of 10 records are invalid, a share of 0.300 above the limit 0.2: correct ")
    assert (batch.records, batch.invalid, batch.invalid_share) == (10, 3, 0.3)


def test_a_share_at_the_limit_is_published() -> None:
    assert judge(10, "invalid", "invalid", max_quarantined_share=0.2).problem is None


def test_a_file_delivered_twice_is_no_sign_of_bad_data() -> None:
    batch = judge(10, *["duplicate"] * 5, *["superseded"] * 4, "invalid", max_quarantined_share=0.1)
    assert (batch.problem, batch.invalid) == (None, 1)


def test_a_limit_of_one_lets_a_wholly_invalid_day_pass_and_a_limit_of_nothing_no_single_record() -> None:
    assert judge(2, "invalid", "invalid", max_quarantined_share=1).problem is None
    assert judge(1_000, "invalid", max_quarantined_share=0).problem is not None
    assert judge(1_000, max_quarantined_share=0).problem is None


@pytest.mark.parametrize(("records", "is_refused"), [(0, True), (4, True), (5, False), (6, False)])
def test_a_day_with_too_few_records_is_refused(records: int, is_refused: bool) -> None:  # noqa: FBT001
    problem = judge(records, min_records=5).problem
    assert (problem is not None) == is_refused
    if problem:
        assert problem == f"{records} records where at least 5 are expected: is the delivery complete?"


def test_records_that_are_invalid_still_were_delivered() -> None:
    assert judge(5, *["invalid"] * 5, max_quarantined_share=1, min_records=5).problem is None


def test_a_day_without_records_is_published_unless_some_are_expected() -> None:
    batch = judge(0)
    assert (batch.problem, batch.records, batch.invalid_share) == (None, 0, 0.0)


def test_one_bad_day_of_a_range_is_refused_alone() -> None:
    rows = quarantined((MONDAY, "invalid"), (MONDAY, "invalid"), (TUESDAY, "duplicate"))
    days = [MONDAY, TUESDAY, TUESDAY + timedelta(days=1)]
    batches = judged(raw(MONDAY, MONDAY, *[TUESDAY] * 9), rows, BatchRules(), days)
    assert [(b.day, b.records, b.invalid, b.problem is None) for b in batches] == [
        (MONDAY, 2, 2, False),
        (TUESDAY, 9, 0, True),
        (days[2], 0, 0, True),
    ]


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 20).map(lambda n: n / 20))
def test_a_day_is_refused_exactly_when_its_share_is_above_the_limit(good: int, bad: int, limit: float) -> None:
    batch = judge(good + bad, *["invalid"] * bad, max_quarantined_share=limit)
    assert (batch.problem is not None) == (bad > 0 and bad / (good + bad) > limit)
