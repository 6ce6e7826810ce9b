"""Whichever frame an asset returns and whichever it asks for, the rows are the same."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from etl_assets.contracts import Column, Table
from etl_assets.io_managers.asset_metadata import table_metadata
from etl_assets.io_managers.errors import Permanent
from etl_assets_tests.dagster_asset import Asset, an_asset  # noqa: F401

EVENTS = Table(
    "events",
    "",
    (
        Column("id", pa.int64(), ""),
        Column("day", pa.date32(), ""),
        Column("at", pa.timestamp("us", "UTC"), ""),
        Column("amount", pa.decimal128(24, 4), ""),
        Column("share", pa.float64(), ""),
        Column("note", pa.string(), ""),
        Column("is_new", pa.bool_(), ""),
    ),
    key=("id",),
)
FRAMES = [pa.Table, pa.RecordBatchReader, pl.DataFrame, pd.DataFrame]
AT = datetime(1931, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
ROWS = pa.table(
    {
        "id": [1, 2],
        "day": [date(1969, 12, 31), None],
        "at": [AT, None],
        "amount": [Decimal("12345678901234567890.1234"), None],
        "share": [0.1, None],
        "note": ["Ünïcode\n", None],
        "is_new": [True, None],
    },
    schema=EVENTS.schema,
)


def framed(rows: pa.Table, kind: object) -> Any:
    """The rows in the frame; pandas with dates as dates, since pandas has no type for them."""
    if kind is pa.RecordBatchReader:
        return rows.to_reader(max_chunksize=1)
    return {pa.Table: lambda: rows, pl.DataFrame: lambda: pl.from_arrow(rows), pd.DataFrame: rows.to_pandas}[kind]()


def unframed(frame: Any) -> pa.Table:
    """The frame's rows with the contract's types."""
    if isinstance(frame, pd.DataFrame):
        frame = pa.Table.from_pandas(frame, preserve_index=False)
    return EVENTS.conform(frame.to_arrow() if isinstance(frame, pl.DataFrame) else frame)


def single(kind: pa.DataType) -> dict[str, Any]:
    return table_metadata(Table("events", "", (Column("x", kind, ""),)))


def title(frame: Any) -> str:
    return f"{frame.__module__.partition('.')[0]} {frame.__name__}"


@pytest.mark.parametrize("asked", FRAMES, ids=title)
@pytest.mark.parametrize("returned", FRAMES, ids=title)
def test_any_frame_is_read_as_any_other(asset: Callable[..., Asset], returned: Any, asked: Any) -> None:
    events = asset(table_metadata(EVENTS))
    events.write(framed(ROWS, returned), annotation=returned)
    found = events.read(asked)
    assert isinstance(found, pa.Table if asked is pa.RecordBatchReader else asked)
    assert unframed(found).to_pylist() == ROWS.to_pylist()


def test_a_stream_is_in_order_of_the_key_unless_any_order_will_do(asset: Callable[..., Asset]) -> None:
    events = asset(table_metadata(EVENTS))
    backwards = pa.concat_tables([ROWS.slice(1), ROWS.slice(0, 1)])
    events.write(backwards, annotation=pa.Table)
    assert events.read(pa.RecordBatchReader)["id"].to_pylist() == [1, 2]
    assert events.read(pa.RecordBatchReader, metadata={"in_any_order": True})["id"].to_pylist() == [2, 1]


@pytest.mark.parametrize("returned", FRAMES, ids=title)
def test_no_rows_have_their_types_in_every_frame(asset: Callable[..., Asset], returned: Any) -> None:
    events = asset(table_metadata(EVENTS))
    events.write(framed(ROWS.slice(0, 0), returned), annotation=returned)
    assert events.read(pa.Table).schema == EVENTS.schema
    assert events.read(pa.RecordBatchReader).schema == EVENTS.schema
    assert events.read(pl.DataFrame).schema == pl.from_arrow(EVENTS.empty()).schema
    types = events.read(pd.DataFrame).dtypes.astype(str).to_dict()
    assert types == EVENTS.empty().to_pandas().dtypes.astype(str).to_dict()
    assert types["at"] == "datetime64[us, UTC]"


@pytest.mark.parametrize("returned", [pa.Table, pa.RecordBatchReader, pl.DataFrame], ids=title)
def test_nan_stays_nan_in_arrow_and_polars(asset: Callable[..., Asset], returned: Any) -> None:
    shares = asset(single(pa.float64()))
    shares.write(framed(pa.table({"x": pa.array([float("nan"), None, 1.5])}), returned))
    assert [str(x) for x in shares.read(pa.Table)["x"].to_pylist()] == ["nan", "None", "1.5"]
    assert [str(x) for x in shares.read(pl.DataFrame)["x"].to_list()] == ["nan", "None", "1.5"]


def test_nan_in_a_plain_float_column_of_pandas_is_null(asset: Callable[..., Asset]) -> None:
    shares = asset(single(pa.float64()))
    shares.write(pd.DataFrame({"x": [float("nan"), 1.5]}))
    assert shares.read()["x"].to_pylist() == [None, 1.5]
    assert shares.read(pd.DataFrame)["x"].isna().tolist() == [True, False]


def test_pandas_own_nulls_are_null(asset: Callable[..., Asset]) -> None:
    numbers = asset(single(pa.int64()))
    numbers.write(pd.DataFrame({"x": pd.array([2**53 + 1, None], "Int64")}))
    assert numbers.read()["x"].to_pylist() == [2**53 + 1, None]


def test_pandas_nanoseconds_become_microseconds_where_they_are_some(asset: Callable[..., Asset]) -> None:
    moments = asset(single(pa.timestamp("us", "UTC")))
    moments.write(pd.DataFrame({"x": pd.to_datetime(["2026-03-29T01:02:03.123456Z", None]).as_unit("ns")}))
    assert moments.read()["x"].to_pylist() == [datetime(2026, 3, 29, 1, 2, 3, 123456, tzinfo=UTC), None]
    with pytest.raises(Permanent, match=r"bank/events.*column x: timestamp\[ns.* does not fit"):
        moments.write(pd.DataFrame({"x": pd.to_datetime(["2026-03-29T01:02:03.123456789Z"]).as_unit("ns")}))
    with pytest.raises(Permanent, match=r"bank/events.*column x: timestamp\[ns\] does not fit"):
        moments.write(pd.DataFrame({"x": pd.to_datetime(["2026-03-29"]).as_unit("ns")}))
    assert moments.read().num_rows == 2


@pytest.mark.parametrize(
    "frame",
    [
        pl.DataFrame({"x": pl.Series(["a", "b", None], dtype=pl.Categorical)}),
        pl.DataFrame({"x": pl.Series(["a", "b", None], dtype=pl.Enum(["a", "b"]))}),
        pd.DataFrame({"x": pd.Categorical(["a", "b", None])}),
        pd.DataFrame({"x": pd.array(["a", "b", None], "string")}, index=[7, 8, 9]),
        pd.DataFrame({"x": np.array(["a", "b", None], object)}),
    ],
    ids=["polars Categorical", "polars Enum", "pandas Categorical", "pandas string", "pandas object"],
)
def test_text_of_every_kind_is_text(asset: Callable[..., Asset], frame: Any) -> None:
    notes = asset(single(pa.string()))
    notes.write(frame)
    assert notes.read()["x"].to_pylist() == ["a", "b", None]


@pytest.mark.parametrize("asked", [pl.DataFrame, pd.DataFrame], ids=title)
def test_json_is_text_and_an_identifier_bytes_in_frames(asset: Callable[..., Asset], asked: Any) -> None:
    events = asset(table_metadata(Table("events", "", (Column("j", pa.json_(), ""), Column("u", pa.uuid(), "")))))
    text, number = '{"a":  1}', b"0123456789abcdef"
    columns = {"j": pa.array([text], pa.json_()), "u": pa.array([number], pa.uuid())}
    events.write(pa.table(columns))
    found = events.read(asked)
    assert (found["j"][0], found["u"][0]) == (text, number)
    events.write(found)
    assert events.read().equals(pa.table(columns))


@pytest.mark.parametrize("asked", FRAMES, ids=title)
def test_only_the_columns_asked_for_arrive_in_that_order(asset: Callable[..., Asset], asked: Any) -> None:
    events = asset(table_metadata(EVENTS))
    events.write(ROWS)
    found = events.read(asked, metadata={"columns": ["note", "id"]})
    names = found.column_names if isinstance(found, pa.Table) else list(found.columns)
    assert names == ["note", "id"]


def test_a_column_that_the_upstream_does_not_have_is_refused_by_name(asset: Callable[..., Asset]) -> None:
    events = asset(table_metadata(EVENTS))
    events.write(ROWS)
    with pytest.raises(Permanent, match=r"bank/events.*colour"):
        events.read(metadata={"columns": ["id", "colour"]})


def test_what_is_no_frame_is_refused_by_type(asset: Callable[..., Asset]) -> None:
    with pytest.raises(Permanent, match=r"bank/events.*cannot store a list; return a pyarrow Table"):
        asset(table_metadata(EVENTS)).write([1, 2])
