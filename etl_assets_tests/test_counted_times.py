"""Times as counts, as steps, and in several columns, read to the microsecond or not at all."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.spec.columns import Steps
from etl_assets.transforms.timestamps import Moments, moments, stepped
from etl_assets_tests.raw_rows import cleaned, delivery, only_row, reasons
from etl_assets_tests.specs import minimal_spec

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
US = timedelta(microseconds=1)
UNITS = {"epoch_s": timedelta(seconds=1), "epoch_ms": timedelta(milliseconds=1), "epoch_us": US}
INSTANTS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


def only(found: Moments) -> datetime | None:
    return EPOCH + int(found.microseconds[0]) * US if found.is_read[0] else None


def moment(text: str, *formats: str) -> datetime | None:
    return only(moments(pa.array([text]), formats))


@given(st.sampled_from(sorted(UNITS)), INSTANTS)
def test_a_count_is_its_instant_exactly(pattern: str, at: datetime) -> None:
    count = (at - EPOCH) // UNITS[pattern]
    assert moment(str(count), pattern) == EPOCH + count * UNITS[pattern]


@pytest.mark.parametrize(
    ("text", "pattern", "microseconds"),
    [
        ("1583708213.5", "epoch_s", 1_583_708_213_500_000),
        ("1583708213.000001", "epoch_s", 1_583_708_213_000_001),
        ("-1.25", "epoch_s", -1_250_000),
        ("1583708213123.456", "epoch_ms", 1_583_708_213_123_456),
        ("0", "epoch_us", 0),
    ],
)
def test_a_fraction_of_a_count_is_exact(text: str, pattern: str, microseconds: int) -> None:
    assert moment(text, pattern) == EPOCH + microseconds * US


@pytest.mark.parametrize("pattern", sorted(UNITS))
@pytest.mark.parametrize(
    "text", ["", "1.58E+09", "1e9", "0x10", "1_000", "١٢٣", "+5", "12 ", "1.1234567", "1.", ".5", "9" * 18, "9" * 40]
)
def test_what_is_no_count_within_the_calendar_is_none(text: str, pattern: str) -> None:
    assert moment(text, pattern) is None


def test_milliseconds_are_never_read_as_seconds() -> None:
    assert moment("1583708213000", "epoch_s") is None


def test_a_count_is_utc_and_a_date_is_on_the_institutions_clock() -> None:
    spec = minimal_spec(columns={"event_at": {"formats": ["%Y-%m-%d %H:%M", "epoch_s"]}})
    noon = datetime(2024, 3, 5, 12, tzinfo=UTC)
    assert only_row(spec, event_at="1709640000")["event_at"] == noon
    assert only_row(spec, event_at="2024-03-05 13:00")["event_at"] == noon


def test_digits_that_are_a_date_and_a_count_are_quarantined() -> None:
    spec = minimal_spec(columns={"event_at": {"formats": ["%Y%m%d", "epoch_s"]}})
    assert reasons(spec, event_at="20240305") == ["event_at_fits_two_formats"]


def step(text: str, unit: str) -> datetime | None:
    steps = Steps.model_validate({"origin": "2017-01-01 06:00:00", "unit": unit})
    return only(stepped(pa.array([text]), steps))


STEP_SIZES = {
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}


@given(st.sampled_from(sorted(STEP_SIZES)), st.integers(0, 10**6))
def test_a_step_is_as_far_from_the_origin_as_it_says(unit: str, count: int) -> None:
    assert step(str(count), unit) == datetime(2017, 1, 1, 6, tzinfo=UTC) + count * STEP_SIZES[unit]


@pytest.mark.parametrize("text", ["-1", "1.0", "1e2", "", " 1", "2932897", "9" * 30])
def test_what_is_no_step_within_the_calendar_is_none(text: str) -> None:
    assert step(text, "day") is None


def test_steps_of_a_day_are_local_days_whatever_the_clocks_do() -> None:
    steps: dict[str, Any] = {"origin": "2024-03-30", "unit": "day"}
    spec = minimal_spec(event_precision="day", columns={"event_at": {"steps": steps}}, max_lateness_days=30)
    on = date(2024, 4, 5)
    rows = [{"event_at": str(n), "transaction_id": str(n)} for n in range(3)]
    found = cleaned(spec, delivery(spec, *rows, on=on), on=on).published["event_at"].to_pylist()
    assert [at.hour for at in found] == [23, 23, 22]
    assert np.diff([at.timestamp() for at in found]).tolist() == [86_400, 82_800]
    assert reasons(spec, event_at="one") == ["event_at_is_not_a_time"]


def in_columns(**event_at: Any) -> InstitutionSpec:
    return minimal_spec(columns={"event_at": {"source": "Year", "followed_by": ["Month", "Day", "Time"], **event_at}})


def test_a_date_in_several_columns_is_one_moment() -> None:
    spec = in_columns(formats=["%Y %m %d %H:%M"])
    assert list(spec.declared)[:4] == ["Year", "Month", "Day", "Time"]
    row = only_row(spec, Year="2024", Month="3", Day=" 5", Time="06:21")
    assert row["event_at"] == datetime(2024, 3, 5, 5, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ((None, None, None, " "), "event_at_is_missing"),
        (("2024", "3", None, "06:21"), "event_at_is_not_a_time"),
        ((None, "3", "5", "06:21"), "event_at_is_not_a_time"),
        (("2024", "3", "5", None), "event_at_is_not_a_time"),
        (("2024", "3", "5 06:21", None), None),
        (("2024", "3", "5\0", "06:21"), "event_at_has_nul"),
    ],
)
def test_a_part_that_is_missing_makes_no_moment(parts: tuple[str | None, ...], reason: str | None) -> None:
    row = dict(zip(("Year", "Month", "Day", "Time"), parts, strict=True))
    assert reasons(in_columns(formats=["%Y %m %d %H:%M"]), **row)[:1] == ([reason] if reason else [])


def test_a_part_has_aliases_of_its_own_and_a_booking_day_may_have_parts() -> None:
    booked = {"source": "y", "followed_by": [{"source": "m", "aliases": ["month"]}, "d"], "formats": ["%Y %m %d"]}
    spec = minimal_spec(columns={"booked_on": booked})
    assert spec.declared["m"] == ("m", "month")
    assert only_row(spec, y="2024", m="2", d="29")["booked_on"] == datetime(2024, 2, 29, tzinfo=UTC).date()
    assert reasons(spec, y="2024", m="2", d="30") == ["booked_on_is_not_a_date"]
    assert only_row(spec)["booked_on"] is None


@given(st.datetimes(datetime(2024, 3, 1), datetime(2024, 3, 6)), st.sampled_from(["%d/%m/%y", "%Y-%m-%d", "%Y%m%d"]))  # noqa: DTZ001
def test_any_moment_in_two_columns_comes_back_exactly(at: datetime, pattern: str) -> None:
    times = {"source": "on", "followed_by": ["at"], "formats": [f"{pattern} %H:%M:%S.%f"]}
    spec = minimal_spec(time_zone="UTC", columns={"event_at": times})
    row = only_row(spec, on=at.strftime(pattern), at=at.strftime("%H:%M:%S.%f"))
    assert row["event_at"] == at.replace(tzinfo=UTC)
