"""Rows judged in buckets get the verdicts that they get all at once, and a large range needs little memory."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_assets import verdicts
from etl_assets.institution_spec import InstitutionSpec
from etl_assets.transforms.batches import invalid_per_day, records_per_day
from etl_assets.transforms.cleaning import clean
from etl_assets.transforms.versions import buckets
from etl_assets.verdicts import verdicts_on
from etl_assets_tests.raw_rows import DAY, delivery
from etl_assets_tests.specs import minimal_spec
from etl_assets_tests.test_identity import histories, later

LINEAGE = [(name, "ascending") for name in ("business_date", "_delivery_id", "_row_number")]
DAYS = [later(n) for n in range(9)]


@settings(max_examples=150, deadline=None)
@given(histories(), st.integers(1, 4), st.integers(1, 5))
def test_rows_judged_in_buckets_get_the_verdicts_that_they_get_at_once(
    history: tuple[InstitutionSpec, pa.Table], bucket_rows: int, batch_rows: int
) -> None:
    spec, raw = history
    whole = clean(raw, spec, DAYS[0], DAYS[-1])
    batches = [raw.slice(start, batch_rows) for start in range(0, raw.num_rows, batch_rows)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verdicts, "BUCKET_ROWS", bucket_rows)
        with verdicts_on(batches, spec, DAYS, raw.num_rows) as found:
            assert found.published.whole().sort_by(LINEAGE) == whole.published.sort_by(LINEAGE)
            assert found.quarantined.whole().sort_by(LINEAGE) == whole.quarantined.sort_by(LINEAGE)
            assert found.records == records_per_day(raw)
            assert found.invalid == invalid_per_day(whole.quarantined)


def test_a_wrong_guess_of_the_number_of_rows_changes_no_verdict() -> None:
    spec = minimal_spec()
    raw = delivery(spec, {"transaction_id": "T1"}, {"transaction_id": "T2"}, {"transaction_id": "T1"})
    for expected in (0, 10_000_000):
        with verdicts_on([raw], spec, [DAY], expected) as found:
            assert (found.published.num_rows, found.quarantined.num_rows) == (2, 1)


@pytest.mark.parametrize(
    ("changes", "is_spread"),
    [
        ({}, True),
        ({"key": ["account_id", "transaction_id"]}, True),
        ({"columns": {"transaction_id": None}}, True),
        ({"columns": {"transaction_id": None, "account_id": None, "counterparty_id": None}}, False),
    ],
)
def test_rows_are_spread_wherever_a_text_tells_them_apart(changes: dict[str, Any], is_spread: bool) -> None:  # noqa: FBT001
    spec = minimal_spec(**changes)
    raw = delivery(spec, *({"transaction_id": f"T{n}", "account_id": f"A{n}"} for n in range(100)))
    assert (len(set(buckets(raw, spec, 8).tolist())) > 4) is is_spread


def test_a_range_of_many_rows_is_not_held_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "BUCKET_ROWS", 2_000)
    monkeypatch.setattr(verdicts, "MOST_BYTES", 100_000)
    monkeypatch.setattr("etl_assets.spool.MOST_BYTES", 100_000)
    spec = minimal_spec(max_lateness_days=30)
    first = delivery(spec, *({"transaction_id": f"T{n}"} for n in range(2_000)))
    before, most = pa.total_allocated_bytes(), 0

    def arriving() -> Any:
        nonlocal most
        for n in range(20):
            names = [f"{n}-{text}" for text in first["transaction_id"].to_pylist()]
            place = first.schema.get_field_index("transaction_id")
            yield first.set_column(place, "transaction_id", pa.array(names))
            most = max(most, pa.total_allocated_bytes() - before)

    with verdicts_on(arriving(), spec, [DAY, DAY + timedelta(1)], 40_000) as found:
        assert found.published.num_rows == 40_000
        assert most < 3 * first.nbytes
