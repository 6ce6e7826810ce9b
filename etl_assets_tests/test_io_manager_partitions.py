"""Time windows as Dagster has them are slices of a table: days, hours, weeks and months, over both clock changes."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pyarrow as pa
import pytest

from etl_assets.contracts import Column, Table
from etl_assets.io_managers.asset_metadata import table_metadata
from etl_assets.io_managers.errors import Permanent, RowsOutsideSlice
from etl_assets_tests.dagster_asset import Asset, an_asset  # noqa: F401

ZONE, BERLIN = "Europe/Berlin", ZoneInfo("Europe/Berlin")
INSTANT, CLOCK, DAY = pa.timestamp("us", "UTC"), pa.timestamp("us"), pa.date32()
HOURS = dg.HourlyPartitionsDefinition("2026-01-01-00:00", timezone=ZONE, end_date="2027-01-01-00:00")
DAYS = dg.DailyPartitionsDefinition("2026-01-01", timezone=ZONE, end_date="2027-01-01")
WEEKS = dg.WeeklyPartitionsDefinition("2026-01-01", timezone=ZONE, end_date="2027-01-01")
MONTHS = dg.MonthlyPartitionsDefinition("2026-01-01", timezone=ZONE, end_date="2027-01-01")


@dataclass(frozen=True)
class Range:
    """Partitions of one run, and when each begins and the last ends: in UTC, worked out by hand."""

    partitions: dg.PartitionsDefinition[str]
    keys: tuple[str, ...]
    bounds: tuple[str, ...]

    def rows(self, kind: pa.DataType, n: int, *keys: str) -> pa.Table:
        """For each of the partitions, or the ones named, a row of its first and one of its last moment."""
        bounds = [datetime.fromisoformat(bound).replace(tzinfo=UTC) for bound in self.bounds]
        windows = dict(zip(self.keys, pairwise(bounds), strict=True))
        asked = [windows[key] for key in keys or self.keys]
        moments = [_stored(at, kind) for start, end in asked for at in (start, end - timedelta(microseconds=1))]
        return pa.table({"at": pa.array(moments, kind), "n": pa.array([n] * len(moments), pa.int32())})


def _stored(moment: datetime, kind: pa.DataType) -> Any:
    """The moment as a column holds it: the instant, or what calendar or clock show in Berlin."""
    local = moment.astimezone(BERLIN)
    return local.date() if kind == DAY else moment if kind == INSTANT else local.replace(tzinfo=None)


RANGES = {
    "days, spring": Range(
        DAYS,
        ("2026-03-28", "2026-03-29", "2026-03-30"),
        ("2026-03-27T23:00", "2026-03-28T23:00", "2026-03-29T22:00", "2026-03-30T22:00"),
    ),
    "days, autumn": Range(
        DAYS,
        ("2026-10-24", "2026-10-25", "2026-10-26"),
        ("2026-10-23T22:00", "2026-10-24T22:00", "2026-10-25T23:00", "2026-10-26T23:00"),
    ),
    "weeks, spring": Range(
        WEEKS, ("2026-03-22", "2026-03-29"), ("2026-03-21T23:00", "2026-03-28T23:00", "2026-04-04T22:00")
    ),
    "months, autumn": Range(
        MONTHS, ("2026-09-01", "2026-10-01"), ("2026-08-31T22:00", "2026-09-30T22:00", "2026-10-31T23:00")
    ),
    "hours, spring": Range(
        HOURS, ("2026-03-29-01:00", "2026-03-29-03:00"), ("2026-03-29T00:00", "2026-03-29T01:00", "2026-03-29T02:00")
    ),
    "hours, autumn": Range(
        HOURS,
        ("2026-10-25-01:00", "2026-10-25-02:00", "2026-10-25-02:00+0100", "2026-10-25-03:00"),
        ("2026-10-24T23:00", "2026-10-25T00:00", "2026-10-25T01:00", "2026-10-25T02:00", "2026-10-25T03:00"),
    ),
}
CASES = [(name, INSTANT) for name in RANGES]
CASES += [(name, CLOCK) for name in RANGES if name != "hours, autumn"]
CASES += [(name, DAY) for name in RANGES if not name.startswith("hours")]
each_window = pytest.mark.parametrize(("name", "kind"), CASES, ids=str)


def by(kind: pa.DataType) -> dict[str, Any]:
    columns = (Column("at", kind, ""), Column("n", pa.int32(), ""))
    return table_metadata(Table("events", "", columns, partition_column="at"))


@each_window
def test_a_range_puts_every_row_into_its_own_window(asset: Callable[..., Asset], name: str, kind: pa.DataType) -> None:
    asked = RANGES[name]
    events = asset(by(kind), asked.partitions)
    events.write(asked.rows(kind, 1), asked.keys[0], asked.keys[-1])
    assert {key: said["dagster/partition_row_count"] for key, said in events.said()} == dict.fromkeys(asked.keys, 2)
    assert events.read(pa.Table, asked.keys[1])["at"].equals(asked.rows(kind, 1, asked.keys[1])["at"])
    assert events.read(pa.Table, asked.keys[0], asked.keys[-1])["at"].equals(asked.rows(kind, 1)["at"])


@each_window
def test_a_window_that_is_run_again_leaves_its_neighbours(
    asset: Callable[..., Asset], name: str, kind: pa.DataType
) -> None:
    asked, again = RANGES[name], RANGES[name].keys[1]
    events = asset(by(kind), asked.partitions)
    events.write(asked.rows(kind, 1), asked.keys[0], asked.keys[-1])
    events.write(asked.rows(kind, 2, again), again)
    expected = pa.concat_tables([asked.rows(kind, 1 + (key == again), key) for key in asked.keys])
    found = events.read(pa.Table, mapping=dg.SpecificPartitionsPartitionMapping(list(asked.keys)))
    assert found.sort_by("at").to_pylist() == expected.sort_by("at").to_pylist()


@pytest.mark.parametrize("name", RANGES)
def test_rows_of_the_next_window_are_refused(asset: Callable[..., Asset], name: str) -> None:
    asked = RANGES[name]
    with pytest.raises(RowsOutsideSlice, match=f"2 of 4 .* {asked.keys[0]};"):
        asset(by(INSTANT), asked.partitions).write(asked.rows(INSTANT, 1, *asked.keys[:2]), asked.keys[0])


@pytest.mark.parametrize("key", ["2026-10-25-02:00", "2026-10-25-02:00+0100"])
def test_the_doubled_hour_is_refused_by_name_where_clocks_cannot_tell_it_apart(
    asset: Callable[..., Asset], key: str
) -> None:
    asked = RANGES["hours, autumn"]
    with pytest.raises(Permanent, match=rf"bank/events.*: partition {re.escape(key)} .* as timestamp\[us\]"):
        asset(by(CLOCK), HOURS).write(asked.rows(CLOCK, 1, key), key)


def test_hours_of_a_date_column_are_refused_by_name(asset: Callable[..., Asset]) -> None:
    with pytest.raises(Permanent, match=r"bank/events.*: partition 2026-03-02-05:00 .* as date32\[day\]"):
        asset(by(DAY), HOURS).write(RANGES["days, spring"].rows(DAY, 1), "2026-03-02-05:00")


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/St_Johns", "Australia/Lord_Howe"])
def test_days_begin_at_midnight_of_their_own_zone(asset: Callable[..., Asset], zone: str) -> None:
    midnight = datetime(2026, 7, 3, tzinfo=ZoneInfo(zone))
    at = pa.array([midnight, midnight + timedelta(hours=23)], INSTANT)
    rows = pa.table({"at": at, "n": pa.array([1, 2], pa.int32())})
    events = asset(by(INSTANT), dg.DailyPartitionsDefinition("2026-07-01", timezone=zone, end_date="2026-07-10"))
    events.write(rows, "2026-07-03")
    assert events.read(pa.Table, "2026-07-03").num_rows == 2
    with pytest.raises(RowsOutsideSlice):
        events.write(rows, "2026-07-02")
