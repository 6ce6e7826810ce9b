"""What `init` finds out about a sample, however a table is written: right, or asked, never wrong in silence."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_assets.onboarding.draft import Draft
from etl_assets.onboarding.file_names import name_guesses
from etl_assets.onboarding.first_yaml import Answers, first_draft, spec_of
from etl_assets.onboarding.money import money_reading
from etl_assets.onboarding.preview import preview
from etl_assets.onboarding.times import time_reading

DAY_FORMATS = ["%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y%m%d", "%d-%b-%Y"]
CLOCKS = ["", " %H:%M:%S", " %H:%M"]
MARKS = [(".", ""), (",", ""), (".", ","), (",", ".")]
HEADERS = [("Date", "Merchant", "Amount"), ("Datum", "Händler", "Betrag"), ("fecha", "comercio", "importe")]
BUSINESS_DATE = date(2026, 3, 31)


@dataclass(frozen=True)
class Written:
    """One table in one dialect."""

    rows: list[tuple[datetime, str, Decimal]]
    header: tuple[str, str, str]
    separator: str
    encoding: str
    pattern: str
    marks: tuple[str, str]

    @property
    def content(self) -> bytes:
        out = io.StringIO()
        writer = csv.writer(out, delimiter=self.separator, lineterminator="\r\n")
        writer.writerow(self.header)
        for at, shop, amount in self.rows:
            writer.writerow((at.strftime(self.pattern), shop, money(amount, *self.marks)))
        return out.getvalue().encode(self.encoding)


def money(amount: Decimal, decimal: str, thousands: str) -> str:
    text = f"{amount:,.2f}" if thousands else f"{amount:.2f}"
    return text.replace(",", "T").replace(".", decimal).replace("T", thousands)


moments = st.integers(0, 30 * 86_400 - 1).map(lambda s: datetime(2026, 3, 1) + timedelta(seconds=s))  # noqa: DTZ001
shops = st.sampled_from(["Bäckerei Süß", "Café, Bar", "ACME; Sons", "Kiosk", 'The "Pub"', "a|b", "Ø 7"])
amounts = st.integers(-9_999_999, 9_999_999).map(lambda cents: Decimal(cents) / 100)
tables = st.builds(
    Written,
    rows=st.lists(st.tuples(moments, shops, amounts), min_size=5, max_size=30),
    header=st.sampled_from(HEADERS),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "utf-16"]),
    pattern=st.tuples(st.sampled_from(DAY_FORMATS), st.sampled_from(CLOCKS)).map("".join),
    marks=st.sampled_from(MARKS),
)


def drafted(folder: Path, name: str, content: bytes) -> tuple[Draft, Path]:
    sample = folder / name
    sample.write_bytes(content)
    return first_draft(sample, Answers("bank_x", currency="EUR")), sample


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=tables)
def test_any_dialect_of_a_table_is_found_or_asked(table: Written, tmp_path: Path) -> None:
    """Where nothing is asked about dates and marks, the values that are published are those that were written."""
    draft, sample = drafted(tmp_path, f"tx_{BUSINESS_DATE:%Y%m%d}.csv", table.content)
    asked = dict(draft.questions)
    assert draft.values["deliveries"]["csv"]["separator"] == table.separator
    columns = draft.values["columns"]
    assert [columns[n]["source"] for n in ("event_at", "counterparty_id", "amount")] == list(table.header)
    if "formats" not in columns["event_at"]:
        assert "more than one way" in asked["columns.event_at"]
        return
    rivals = "more than one way" in asked.get("columns.amount", "")
    found = preview(sample, spec_of(draft), rows=len(table.rows))
    assert found.account["published"] + found.account["duplicate"] == len(table.rows), found.reasons
    sign = -1 if columns["amount"]["sign"] == "positive_leaves" else 1
    for record, (at, shop, amount) in zip(found.first, table.rows, strict=True):
        if record.published is not None:
            written = at.strftime(table.pattern)
            assert record.published["event_at"].strftime(table.pattern) == written
            assert record.published["counterparty_id"] == shop
            assert rivals or record.published["amount"] == sign * amount


def column(*texts: str | None) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(texts, pa.string())])


def test_dates_that_read_both_ways_are_rivals_until_one_is_impossible() -> None:
    both = time_reading(column("03/04/2026", "05/06/2026"), None)
    assert both is not None
    assert {*both.formats, *both.rivals} == {"%d/%m/%Y", "%m/%d/%Y"}
    later = time_reading(column("03/04/2026", "13/04/2026"), None)
    assert later is not None
    assert (later.formats, later.rivals) == (("%d/%m/%Y",), ())


def test_the_business_date_decides_between_two_readings() -> None:
    found = time_reading(column("03/12/2026"), date(2026, 3, 12))
    assert found is not None
    assert (found.formats, found.rivals) == (("%m/%d/%Y",), ())


def test_a_few_values_that_are_no_date_do_not_hide_the_format() -> None:
    found = time_reading(column(*["2026-03-02"] * 9, "yesterday"), None)
    assert found is not None
    assert (found.formats, found.read, found.first_unread) == (("%Y-%m-%d",), 9, "yesterday")


@pytest.mark.parametrize(
    ("texts", "fields"),
    [
        (["$12.50", "$-3.00"], {"symbols": ["$"]}),
        (["($99.00)", "$1,250.00"], {"thousands_mark": ",", "symbols": ["$"], "negatives": ["parentheses"]}),
        (["1.234,56-", "7,10"], {"decimal_mark": ",", "thousands_mark": ".", "negatives": ["trailing"]}),
        (["12,50 EUR"], {"decimal_mark": ",", "symbols": ["EUR"]}),
        (["1 234,50"], {"decimal_mark": ",", "thousands_mark": " "}),
        (["1'234.50"], {"thousands_mark": "'"}),
        (["12", "7"], {}),
    ],
)
def test_amounts_are_read_as_people_write_them(texts: list[str], fields: dict[str, Any]) -> None:
    found = money_reading(column(*texts), "EUR")
    assert found is not None
    assert (dict(found.fields), found.rivals) == (fields, ())


def test_twelve_thousand_or_twelve_is_a_question() -> None:
    found = money_reading(column("12.000", "3.500"))
    assert found is not None
    assert found.rivals == ({"decimal_mark": ",", "thousands_mark": "."},)


def test_codes_before_digits_are_no_currency() -> None:
    assert money_reading(column("K020", "L100", "MC70")) is None


@pytest.mark.parametrize(
    ("name", "day", "other"),
    [
        ("tx_20260302.csv", date(2026, 3, 2), "tx_20260303.csv"),
        ("tx-2026-03-02-v1.csv.gz", date(2026, 3, 2), "tx-2026-03-03-v2.csv.gz"),
        ("2_Mar-2026.csv", date(2026, 3, 31), "3_Apr-2026.csv"),
        ("spend-2026Q1.xlsx", date(2026, 3, 31), "spend-2026Q2.xlsx"),
        ("spend (final)+_2026-03.csv", date(2026, 3, 31), "spend (final)+_2026-04.csv"),
        ("01-Mar-2026.csv", date(2026, 3, 1), "2-Apr-2026.csv"),
        ("year_2025.csv", date(2025, 12, 31), "year_2026.csv"),
        ("grows_2026-27.csv", None, ""),
        ("export.csv", None, ""),
    ],
)
def test_a_name_says_its_business_date_and_so_do_names_like_it(name: str, day: date | None, other: str) -> None:
    from etl_assets.spec.deliveries import Deliveries

    guesses, found = name_guesses(name)
    assert found == day
    deliveries = Deliveries(folder=".", **{guess.place[1]: guess.value for guess in guesses})
    assert deliveries.business_date(name) == day
    assert not other or deliveries.business_date(other) is not None
    assert day is not None or guesses[0].question


def test_a_name_that_reads_both_ways_is_asked() -> None:
    guesses, _ = name_guesses("tx_02_03_2026.csv")
    assert guesses[1].question is not None
    assert "%m_%d_%Y" in guesses[1].question
