"""Texts become moments as strptime defines them, and moments instants as the zone database does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_assets.transforms.timestamps import Moments, layouts, moments
from etl_assets.transforms.zones import instants
from etl_assets_tests.raw_rows import only_row, reasons
from etl_assets_tests.specs import minimal_spec

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
US = timedelta(microseconds=1)


def moment(text: str, *formats: str) -> datetime | None:
    found = moments(pa.array([text]), formats)
    return EPOCH + int(found.microseconds[0]) * US if found.is_read[0] else None


def by_python(text: str, pattern: str) -> datetime | None:
    try:
        found = datetime.strptime(text, pattern)  # noqa: DTZ007
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


PATTERNS = [
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S.%f%z",
    "%d/%m/%y %H:%M",
    "%Y%m%d%H%M%S",
    "%d-%b-%Y %I:%M:%S %p",
    "%Y年%m月%d日 %%",
    "%Y-%j",
]
WRITTEN = st.datetimes(datetime(1969, 1, 1), datetime(2068, 12, 31), timezones=st.just(timezone(timedelta(hours=-3.5))))  # noqa: DTZ001


@given(st.sampled_from(PATTERNS), WRITTEN, st.data())
def test_a_moment_is_what_strptime_makes_of_it_or_nothing(pattern: str, written: datetime, data: st.DataObject) -> None:
    text = written.strftime(pattern)
    assert moment(text, pattern) == by_python(text, pattern) is not None
    place = data.draw(st.integers(0, len(text) - 1))
    spoilt = text[:place] + data.draw(st.sampled_from(["", "0", "3", "9", " ", "Z", "٣"])) + text[place + 1 :]
    assert moment(spoilt, pattern) in {by_python(spoilt, pattern), None}


@pytest.mark.parametrize("text", ["2023-02-29", "2024-04-31", "2024-00-10", "2024-13-01", "0000-01-01", "2024-01-00"])
def test_days_that_no_calendar_has_are_not_read(text: str) -> None:
    assert layouts("%Y-%m-%d")
    assert moment(text, "%Y-%m-%d") is None
    assert moment(text + " 1", "%Y-%m-%d %H") is None


@pytest.mark.parametrize("text", ["24:00:00", "23:60:00", "23:59:60", "23:59:61"])
def test_times_that_no_clock_shows_are_not_read(text: str) -> None:
    assert moment(f"2024-01-01 {text}", "%Y-%m-%d %H:%M:%S") is None


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("01.02.69", "%d.%m.%y"),
        ("01.02.68", "%d.%m.%y"),
        ("2024-01-02 03:04:05.678", "%Y-%m-%d %H:%M:%S.%f"),
        ("2024-01-02 03:04:05.67", "%Y-%m-%d %H:%M:%S.%f"),
        ("2024-01-02 03:04Z", "%Y-%m-%d %H:%M%z"),
        ("2024-01-02 03:04+05:30", "%Y-%m-%d %H:%M%z"),
        ("2024-01-02 03:04-0330", "%Y-%m-%d %H:%M%z"),
        ("5/4/2024 3:04", "%d/%m/%Y %H:%M"),
    ],
)
def test_centuries_fractions_and_offsets_are_those_of_strptime(text: str, pattern: str) -> None:
    assert moment(text, pattern) == by_python(text, pattern) is not None


def test_each_row_is_read_by_the_format_that_fits_it_and_by_none_where_two_disagree() -> None:
    formats = ("%d/%m/%Y", "%m/%d/%Y", "%Y-%m-%d")
    texts = ["1/5/2024", "01/05/2024", "5/5/2024", "01/31/2024", "31/01/2024", None, "2024-12-01", "13/13/2024"]
    found = moments(pa.array(texts), formats)
    days = [date(1970, 1, 1) + timedelta(days=int(us) // 86_400_000_000) for us in found.microseconds]
    assert days[2:5] == [date(2024, 5, 5), date(2024, 1, 31), date(2024, 1, 31)]
    assert found.is_read.tolist() == [False, False, True, True, True, False, True, False]
    assert found.fits_two.tolist() == [True, True, *[False] * 6]


def test_a_date_that_two_formats_read_differently_is_quarantined_with_a_reason_of_its_own() -> None:
    formats = {"formats": ["%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"]}
    spec = minimal_spec(max_lateness_days=60, columns={"event_at": formats})
    assert reasons(spec, event_at="03/04/2024 12:00") == ["event_at_fits_two_formats"]
    assert reasons(spec, event_at="02/02/2024 12:00") == []
    assert reasons(spec, event_at="02/28/2024 12:00") == []
    assert reasons(spec, event_at="30/02/2024 12:00") == ["event_at_is_not_a_time"]
    booked = minimal_spec(columns={"booked_on": {"source": "b", "formats": ["%d.%m.%y", "%y.%m.%d"]}})
    assert reasons(booked, b="01.02.03") == ["booked_on_fits_two_formats"]


def test_fields_that_touch_must_have_their_full_width() -> None:
    assert by_python("2024115 12345", "%Y%m%d %H%M%S") is not None
    assert moment("2024115 123456", "%Y%m%d %H%M%S") is None
    assert moment("20241105 12345", "%Y%m%d %H%M%S") is None


def test_nothing_but_spaces_is_trimmed_from_a_time() -> None:
    spec = minimal_spec()
    assert reasons(spec, event_at="  2024-03-05 12:00:00 ") == []
    assert reasons(spec, event_at="2024-03-05 12:00:00\t") == ["event_at_is_not_a_time"]
    assert reasons(spec, event_at="2024-03-05 12:00:00\n") == ["event_at_is_not_a_time"]


BERLIN = {
    "max_lateness_days": 366,
    "columns": {"event_at": {"formats": ["%Y-%m-%d %H:%M:%S%z", "%Y-%m-%d %H:%M:%S"]}},
}


@pytest.mark.parametrize(
    ("text", "utc", "is_ambiguous"),
    [
        ("2023-10-29 02:30:00", "2023-10-29 00:30", True),
        ("2023-10-29 02:30:00+0100", "2023-10-29 01:30", False),
        ("2023-10-29 03:00:00", "2023-10-29 02:00", False),
        ("2023-03-26 01:59:59", "2023-03-26 00:59:59", False),
        ("2023-03-26 03:00:00", "2023-03-26 01:00", False),
    ],
)
def test_an_ambiguous_time_is_its_first_occurrence_and_says_so(text: str, utc: str, is_ambiguous: bool) -> None:  # noqa: FBT001
    row = only_row(minimal_spec(**BERLIN), event_at=text)
    assert row["event_at"] == datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert row["event_at_is_ambiguous"] is is_ambiguous


def test_a_time_that_the_clocks_skipped_does_not_exist() -> None:
    assert reasons(minimal_spec(**BERLIN), event_at="2023-03-26 02:30:00") == ["event_at_does_not_exist"]


def test_lateness_is_judged_by_the_local_day() -> None:
    spec = minimal_spec(columns={"event_at": {"formats": ["%Y-%m-%dT%H:%M:%S%z"]}})
    assert reasons(spec, event_at="2024-03-06T22:59:59Z") == []
    assert reasons(spec, event_at="2024-03-06T23:00:00Z") == ["event_at_is_after_business_date"]


@pytest.mark.parametrize(
    ("zone", "text", "utc"),
    [
        ("Europe/Berlin", "2023-11-05", datetime(2023, 11, 4, 23, tzinfo=UTC)),
        ("America/Havana", "2023-11-05", datetime(2023, 11, 5, 4, tzinfo=UTC)),
        ("America/Havana", "2023-03-12", datetime(2023, 3, 12, 5, tzinfo=UTC)),
    ],
)
def test_a_source_without_a_clock_has_the_first_instant_of_the_day(zone: str, text: str, utc: datetime) -> None:
    dated: dict[str, Any] = {"columns": {"event_at": {"formats": ["%Y-%m-%d"]}}, "event_precision": "day"}
    row = only_row(minimal_spec(time_zone=zone, max_lateness_days=366, **dated), event_at=text)
    assert (row["event_at"], row["event_at_is_ambiguous"]) == (utc, False)


ZONES = ["Europe/Berlin", "America/Sao_Paulo", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"]


@settings(deadline=None)
@given(st.sampled_from(ZONES), st.datetimes(datetime(2011, 1, 1), datetime(2026, 12, 31)))  # noqa: DTZ001
def test_a_local_time_is_what_the_zone_database_says(zone: str, clock: datetime) -> None:
    aware = clock.replace(tzinfo=ZoneInfo(zone))
    microseconds = np.array([(clock.replace(tzinfo=UTC) - EPOCH) // US])
    read = replace(Moments.none(1), microseconds=microseconds, is_read=np.array([True]))
    found = instants(read, zone, "second")
    exists = aware.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) == clock
    assert found.at[0].as_py() == (aware.astimezone(UTC) if exists else None)
    assert found.does_not_exist[0] == (not exists)
    assert found.is_ambiguous[0] == (exists and aware.utcoffset() != aware.replace(fold=1).utcoffset())
