"""What was never written is one permanent failure with asset and partition; what is empty is rows with types."""

from collections.abc import Callable
from datetime import date
from typing import Any

import dagster as dg
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from dagster import DagsterEventType
from dagster._core.errors import DagsterMaxRetriesExceededError

from etl_assets.io_managers.asset_metadata import table_metadata
from etl_assets.io_managers.errors import NeverWritten, RowsOutsideSlice
from etl_assets_tests.dagster_asset import Asset, an_asset  # noqa: F401
from etl_assets_tests.payments import MONDAY, PAYMENTS, TUESDAY, payments

DAYS = dg.DailyPartitionsDefinition("2026-03-01", end_date="2026-03-10")
CONTRACT = table_metadata(PAYMENTS)
INFERRED = {"contract": "inferred", "partition_expr": "day"}
MAY_MISS = {"allow_missing_partitions": True}
THRICE = dg.RetryPolicy(max_retries=2)


@pytest.mark.parametrize("metadata", [CONTRACT, INFERRED], ids=["contract", "inferred"])
def test_a_missing_table_is_one_permanent_failure_with_asset_and_partition(
    asset: Callable[..., Asset], metadata: dict[str, Any]
) -> None:
    events = asset(metadata, DAYS, THRICE)
    with pytest.raises(NeverWritten, match=r"bank/events.*2026-03-03") as failure:
        events.read(pa.Table, "2026-03-03")
    assert failure.value.allow_retries is False
    assert events.count(DagsterEventType.STEP_UP_FOR_RETRY) == 0
    assert events.count(DagsterEventType.STEP_FAILURE) == 1


@pytest.mark.parametrize("metadata", [CONTRACT, {"contract": "inferred"}], ids=["contract", "inferred"])
def test_a_missing_table_without_partitions_is_named(asset: Callable[..., Asset], metadata: dict[str, Any]) -> None:
    with pytest.raises(NeverWritten, match=r"bank/events.*has never been written; materialise it first"):
        asset(metadata).read()


@pytest.mark.parametrize("metadata", [CONTRACT, INFERRED], ids=["contract", "inferred"])
def test_partitions_that_are_missing_among_others_are_named_and_not_tried_again(
    asset: Callable[..., Asset], metadata: dict[str, Any]
) -> None:
    events = asset(metadata, DAYS, THRICE)
    events.write(payments(TUESDAY, 1), "2026-03-03")
    missing = "2026-03-02, 2026-03-04, 2026-03-05, 2026-03-06, 2026-03-07 and 1 more"
    with pytest.raises(NeverWritten, match=f"bank/events.*: the partitions {missing} have never been written"):
        events.read(pa.Table, "2026-03-02", "2026-03-08")
    assert events.count(DagsterEventType.STEP_UP_FOR_RETRY) == 0


def test_missing_partitions_are_no_rows_where_the_input_allows_it(asset: Callable[..., Asset]) -> None:
    events = asset(CONTRACT, DAYS)
    events.write(payments(TUESDAY, 1), "2026-03-03")
    assert events.read(pa.Table, "2026-03-02", "2026-03-08", metadata=MAY_MISS)["day"].to_pylist() == [TUESDAY]
    assert events.read(pa.Table, "2026-03-05", metadata=MAY_MISS).equals(PAYMENTS.empty())


@pytest.mark.parametrize("annotation", [pa.Table, pa.RecordBatchReader, pl.DataFrame, pd.DataFrame])
def test_a_table_that_is_missing_as_a_whole_is_no_rows_where_the_input_allows_it(
    asset: Callable[..., Asset], annotation: Any
) -> None:
    found = asset(CONTRACT, DAYS).read(annotation, "2026-03-05", metadata=MAY_MISS)
    assert len(found) == 0
    assert len(found.columns) == len(PAYMENTS.columns)


def test_an_empty_partition_is_no_rows_with_types_and_no_error(asset: Callable[..., Asset]) -> None:
    events = asset(CONTRACT, DAYS)
    events.write(payments(MONDAY), "2026-03-02")
    assert events.read(pa.Table, "2026-03-02").equals(PAYMENTS.empty())
    assert events.said() == [("2026-03-02", {"dagster/table_name": "bank.payments", "dagster/partition_row_count": 0})]


def test_a_write_that_cannot_succeed_is_not_tried_again(asset: Callable[..., Asset]) -> None:
    events = asset(CONTRACT, DAYS, THRICE)
    with pytest.raises(RowsOutsideSlice):
        events.write(payments(date(2026, 4, 1), 1), "2026-03-02")
    assert events.count(DagsterEventType.STEP_UP_FOR_RETRY) == 0


def test_a_server_that_does_not_answer_is_tried_again(asset: Callable[..., Asset]) -> None:
    nowhere = Asset("postgresql://etl@127.0.0.1:9/x", asset({}).instance, CONTRACT, DAYS, THRICE, {"retry_for_s": 0})
    with pytest.raises(DagsterMaxRetriesExceededError, match=r"Unavailable: PostgreSQL at 127\.0\.0\.1:9/x"):
        nowhere.write(payments(MONDAY, 1), "2026-03-02")
    assert nowhere.count(DagsterEventType.STEP_UP_FOR_RETRY) == 2
