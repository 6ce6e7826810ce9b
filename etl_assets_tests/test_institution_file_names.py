"""A file name that states a month, a quarter or a year is for the last day of it."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_assets.spec.file_names import MONTHS, last_day
from etl_assets_tests.spec_files import changed, refusal
from etl_assets_tests.specs import minimal_spec

LEEDS = r"(?P<year>\d{4})-(?P<month>\d{2})\.(raw|clean)\.csv"
OXFORD = r"procurement-card-spending-([a-z]+-)?(?P<month>[a-z]+)-(?P<year>\d{4})\.csv"
BIRMINGHAM = rf".*(?P<month>{'|'.join(MONTHS)})-?(?P<year>\d{{4}}).*\.xls"
MIXED = r"spend_(?P<year>\d\d)(_(?P<month>\w+?)(_(?P<day>\d+))?)?\.csv"
QUARTERLY = r"(?i)Q(?P<quarter>\d) (?P<year>\d{4})\.csv"
PUBLISHED = [
    ("leeds_spend", LEEDS, 4),
    ("oxford_gpc", OXFORD, 3),
    ("birmingham_pcards", BIRMINGHAM, 3),
]


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        (LEEDS, "2011-01.raw.csv", date(2011, 1, 31)),
        (LEEDS, "2011-13.raw.csv", None),
        (OXFORD, "procurement-card-spending-jan-mar-2017.csv", date(2017, 3, 31)),
        (OXFORD, "procurement-card-spending-apr-jun-2017.csv", date(2017, 6, 30)),
        (OXFORD, "procurement-card-spending-july-2017.csv", date(2017, 7, 31)),
        (OXFORD, "procurement-card-spending-ju-2017.csv", None),
        (OXFORD, "procurement-card-spending-total-2017.csv", None),
        (BIRMINGHAM, "purchasecardtransactionsapril2014.xls", date(2014, 4, 30)),
        (BIRMINGHAM, "publish-spend-december-2016.xls", date(2016, 12, 31)),
        (
            BIRMINGHAM,
            "cusersfinainmndesktoppublish-spend-august-2017-all-directorates.xls",
            date(2017, 8, 31),
        ),
        (MIXED, "spend_24.csv", date(2024, 12, 31)),
        (MIXED, "spend_24_2.csv", date(2024, 2, 29)),
        (MIXED, "spend_24_SEPT.csv", date(2024, 9, 30)),
        (MIXED, "spend_24_Feb_28.csv", date(2024, 2, 28)),
        (MIXED, "spend_24_Feb_30.csv", None),
        (QUARTERLY, "q1 2024.csv", date(2024, 3, 31)),
        (QUARTERLY, "Q4 2024.csv", date(2024, 12, 31)),
        (QUARTERLY, "Q5 2024.csv", None),
        (QUARTERLY, "Q0 2024.csv", None),
        (QUARTERLY, "Q1 0000.csv", None),
    ],
)
def test_the_business_date_is_the_last_day_of_what_the_name_states(
    pattern: str, name: str, expected: date | None
) -> None:
    assert minimal_spec(deliveries={"file_name": pattern}).deliveries.business_date(name) == expected


@pytest.mark.parametrize(("folder", "pattern", "count"), PUBLISHED, ids=[p[0] for p in PUBLISHED])
def test_every_published_file_has_a_business_date(shared_data: Path, folder: str, pattern: str, count: int) -> None:
    deliveries = minimal_spec(deliveries={"file_name": pattern}).deliveries
    found = [deliveries.business_date(path.name) for path in (shared_data / folder).iterdir()]
    assert len(found) == count
    assert None not in found


@pytest.mark.parametrize(
    ("file_name", "said"),
    [
        (r"s_(?P<month>\d\d)\.csv", "it has month"),
        (r"s_(?P<year>\d{4})_(?P<day>\d\d)\.csv", "it has year and day"),
        (r"s_(?P<year>\d{4})Q(?P<quarter>\d)-(?P<month>\d\d)\.csv", "it has year and quarter and month"),
        (r"s_(?P<jahr>\d{4})\.csv", "it has none of them"),
        (r"s_(?P<year>\d{3})\.csv", "a group year that takes one, such as 1970 or 99"),
        (r"s_(?P<year>\d{4})Q(?P<quarter>[a-z])\.csv", "a group quarter that takes one, such as 1 or 4"),
        (r"s_(?P<year>\d{4})(?P<month>maerz|juin)\.csv", "a group month that takes one, such as 01 or december"),
        (r"s_(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d{3})\.csv", "a group day that takes one, such as 01 or 31"),
    ],
)
def test_groups_that_make_no_period_are_refused(tmp_path: Path, file_name: str, said: str) -> None:
    message = refusal(tmp_path, changed("deliveries.file_name", file_name))
    assert "deliveries.file_name: " in message
    assert said in message


@pytest.mark.parametrize("month", [r"\d\d?", r"\D+", "[A-Z]{3}", "[a-z]{3,4}", "jan|feb", r"\w+"])
def test_months_in_any_writing_are_accepted(month: str) -> None:
    assert minimal_spec(deliveries={"file_name": rf"s_(?P<month>{month})_(?P<year>\d{{4}})\.csv"})


def test_a_date_format_without_a_date_to_read_is_refused(tmp_path: Path) -> None:
    deliveries: dict[str, Any] = {"folder": "x", "file_name": LEEDS, "business_date_format": "%Y%m%d"}
    message = refusal(tmp_path, changed("deliveries", deliveries))
    assert "deliveries: business_date_format says how a group business_date is written; file_name has none" in message


@given(st.dates(date(1970, 1, 1), date(2099, 12, 1)), st.sampled_from(["%m", "%B", "%b"]))
def test_a_month_ends_on_the_day_before_the_next_one_begins(day: date, writing: str) -> None:
    first_of_next = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    assert last_day({"year": f"{day:%Y}", "month": day.strftime(writing)}) == first_of_next - timedelta(days=1)


@given(st.dictionaries(st.sampled_from(["year", "quarter", "month", "day"]), st.none() | st.text(max_size=4)))
def test_no_text_is_anything_but_a_date_or_none(parts: dict[str, str | None]) -> None:
    assert last_day(parts) is None or isinstance(last_day(parts), date)
