"""Times and amounts as others really write them, read by YAML alone and compared with csv, Decimal and zoneinfo.

Files that span years are cut into one delivery a year, as no event may be later than a year. Of the Sparkov file only
columns without personal data are mapped.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from python_calamine import load_workbook

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.sources.reading import read_delivery
from etl_assets_tests.test_council_deliveries import judged

BANK: dict[str, Any] = {
    "description": "A data set that others published.",
    "owners": ["team:payments"],
    "start_date": "2002-01-01",
    "max_lateness_days": 366,
    "deliveries": {"folder": "deliveries", "file_name": r"tx_(?P<business_date>\d{8})\.(csv|xls)"},
}
LOS_ANGELES = ZoneInfo("America/Los_Angeles")
IBM = BANK | {
    "institution": "ibm",
    "time_zone": "America/Los_Angeles",
    "columns": {
        "event_at": {"source": "Year", "followed_by": ["Month", "Day", "Time"], "formats": ["%Y %m %d %H:%M"]},
        "amount": {"source": "Amount", "symbols": ["$"], "sign": "positive_leaves"},
        "currency": {"fixed": "USD"},
        "account_id": {"source": "Card"},
        "counterparty_id": {"source": "Merchant Name"},
        "category": {"source": "MCC"},
        "channel": {
            "source": "Use Chip",
            "mapping": {"Swipe Transaction": "swipe", "Chip Transaction": "chip", "Online Transaction": "online"},
        },
    },
    "labels": {"source": "Is Fraud?", "fraud_values": ["Yes"], "genuine_values": ["No"]},
}
SPARKOV = BANK | {
    "institution": "sparkov",
    "time_zone": "UTC",
    "deliveries": BANK["deliveries"] | {"csv": {"separator": "|"}},
    "columns": {
        "transaction_id": {"source": "trans_num"},
        "event_at": {"source": "unix_time", "formats": ["epoch_s"]},
        "amount": {"source": "amt", "sign": "positive_leaves"},
        "currency": {"fixed": "USD"},
        "category": {"source": "category"},
        "counterparty_id": {"source": "merchant"},
    },
    "labels": {"source": "is_fraud", "fraud_values": ["1"], "genuine_values": ["0"]},
}
IN_TWO_COLUMNS = {"source": "trans_date", "followed_by": ["trans_time"]}
AMLSIM = BANK | {
    "institution": "amlsim",
    "time_zone": "UTC",
    "event_precision": "day",
    "columns": {
        "transaction_id": {"source": "TXN_ID"},
        "account_id": {"source": "ACCOUNT_ID"},
        "counterparty_id": {"source": "COUNTER_PARTY_ACCOUNT_NUM", "aliases": ["BRANCH_ID"]},
        "event_at": {
            "source": "start",
            "aliases": ["RUN_DATE"],
            "steps": {"origin": "2017-01-01", "unit": "day"},
        },
        "amount": {
            "source": "TXN_AMOUNT_ORIG",
            "debit_credit": {
                "source": "TXN_SOURCE_TYPE_CODE",
                "leaves": ["CASH-OUT", "CHECK", "CREDIT", "DEPOSIT", "WIRE"],
                "arrives": ["CASH-IN"],
            },
        },
        "currency": {"fixed": "USD"},
    },
}
BIRMINGHAM = BANK | {
    "institution": "birmingham",
    "time_zone": "Europe/London",
    "event_precision": "day",
    "deliveries": BANK["deliveries"] | {"format": "excel", "excel": {"sheet": "Sheet1"}},
}
Row = Mapping[str, str]


def by_hand(path: Path, separator: str = ",") -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=separator))


def yearly(path: Path, rows: list[dict[str, str]], year_of: Callable[[Row], str]) -> Iterator[tuple[date, bytes]]:
    """The file as one delivery for the last day of each year, cut between the lines as they stand there."""
    header, *lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) == len(rows)
    years = defaultdict(list)
    for line, row in zip(lines, rows, strict=True):
        years[int(year_of(row))].append(line)
    return ((date(year, 12, 31), header + b"".join(found)) for year, found in years.items())


def taken_in(raw_spec: Mapping[str, Any], deliveries: Iterator[tuple[date, bytes]]) -> tuple[pa.Table, pa.Table]:
    """The published and the quarantined rows of all deliveries."""
    spec = InstitutionSpec.model_validate(raw_spec)
    verdicts = [judged(read_delivery(f"tx_{on:%Y%m%d}.csv", content, spec), spec, on) for on, content in deliveries]
    return tuple(pa.concat_tables(part) for part in zip(*verdicts, strict=True))


def exists_in(zone: ZoneInfo, clock: datetime) -> bool:
    aware = clock.replace(tzinfo=zone)
    return aware.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == clock


def test_ibm_dates_in_four_columns_and_dollar_amounts(shared_data: Path) -> None:
    path = shared_data / "ibm_user0" / "User0_credit_card_transactions.csv"
    rows = by_hand(path)
    published, quarantined = taken_in(IBM, yearly(path, rows, lambda row: row["Year"]))
    expected, skipped = Counter[tuple[object, ...]](), 0
    for row in rows:
        day = datetime(int(row["Year"]), int(row["Month"]), int(row["Day"]))  # noqa: DTZ001
        hour, minute = row["Time"].split(":")
        at = day + timedelta(hours=int(hour), minutes=int(minute))
        if exists_in(LOS_ANGELES, at):
            amount = -Decimal(row["Amount"].replace("$", ""))
            is_fraud = {"Yes": True, "No": False}[row["Is Fraud?"]]
            instant = at.replace(tzinfo=LOS_ANGELES).astimezone(UTC)
            expected[instant, amount, row["Merchant Name"], row["Use Chip"].split()[0].lower(), is_fraud] += 1
        else:
            skipped += 1
    names = ("event_at", "amount", "counterparty_id", "channel", "is_fraud")
    assert Counter(zip(*(published[name].to_pylist() for name in names), strict=True)) == expected
    assert quarantined["reasons"].to_pylist() == ["event_at_does_not_exist"] * skipped
    assert (published.num_rows + skipped, sum(published["is_fraud"].to_pylist())) == (19_963, 27)
    assert sum(published["amount"].to_pylist()) == sum(key[1] * count for key, count in expected.items())


@pytest.mark.parametrize("event_at", [SPARKOV["columns"]["event_at"], IN_TWO_COLUMNS], ids=["epoch", "two columns"])
def test_sparkov_times_are_the_same_as_a_count_and_in_two_columns(shared_data: Path, event_at: dict[str, Any]) -> None:
    path = shared_data / "sparkov" / "adults_50up_female_rural_000-099.csv"
    rows = by_hand(path, "|")
    spec = SPARKOV | {"columns": SPARKOV["columns"] | {"event_at": event_at}}
    published, quarantined = taken_in(spec, yearly(path, rows, lambda row: row["trans_date"][:4]))
    assert quarantined.num_rows == 0
    expected = {
        row["trans_num"]: (datetime.fromtimestamp(int(row["unix_time"]), UTC), -Decimal(row["amt"])) for row in rows
    }
    found = {row["transaction_id"]: (row["event_at"], row["amount"]) for row in published.to_pylist()}
    assert found == expected
    assert (len(found), sum(published["is_fraud"].to_pylist())) == (1_092, 8)


@pytest.mark.parametrize(
    ("file", "step", "other"), [("tx", "start", "COUNTER_PARTY_ACCOUNT_NUM"), ("cash_tx", "RUN_DATE", "BRANCH_ID")]
)
def test_amlsim_steps_from_an_origin_with_the_sign_in_the_kind(
    shared_data: Path, file: str, step: str, other: str
) -> None:
    path = shared_data / "amlsim" / f"{file}.csv"
    rows = by_hand(path)
    published, quarantined = taken_in(AMLSIM, iter([(date(2017, 3, 31), path.read_bytes())]))
    assert quarantined.num_rows == 0
    expected = {
        row["TXN_ID"]: (
            datetime(2017, 1, 1, tzinfo=UTC) + timedelta(days=int(row[step])),
            Decimal(row["TXN_AMOUNT_ORIG"]) * (1 if row["TXN_SOURCE_TYPE_CODE"] == "CASH-IN" else -1),
            row[other],
        )
        for row in rows
    }
    found = {
        row["transaction_id"]: (row["event_at"], row["amount"], row["counterparty_id"]) for row in published.to_pylist()
    }
    assert found == expected
    assert len(found) == {"tx": 45, "cash_tx": 88}[file]


@pytest.mark.parametrize(("first", "second"), [("BILLING", "ORIGINAL"), ("ORIGINAL", "BILLING")])
def test_birmingham_amounts_count_in_the_currency_that_belongs_to_them(
    shared_data: Path, first: str, second: str
) -> None:
    currencies = {"BILLING": "BILLING CUR CODE", "ORIGINAL": "ORIGINAL CUR"}
    other = {"source": f"{second} GROSS AMT", "currency": {"source": currencies[second]}}
    columns = {
        "event_at": {"source": "TRANS DATE", "formats": ["%Y-%m-%d"]},
        "amount": {"source": f"{first} GROSS AMT", "sign": "positive_leaves", "otherwise": other},
        "currency": {"source": currencies[first]},
    }
    path = shared_data / "birmingham_pcards" / "cusersfinainmndesktoppublish-spend-august-2017-all-directorates.xls"
    spec = InstitutionSpec.model_validate(BIRMINGHAM | {"columns": columns})
    on = date(2017, 8, 31)
    published, quarantined = judged(read_delivery("tx_20170831.xls", path.read_bytes(), spec), spec, on)
    header, *rows = load_workbook(path).get_sheet_by_name("Sheet1").to_python()
    expected: dict[str, Decimal] = defaultdict(Decimal)
    for row in (dict(zip(header, row, strict=True)) for row in rows):
        expected[row[currencies[first]]] -= Decimal(str(row[f"{first} GROSS AMT"]))
    found: dict[str, Decimal] = defaultdict(Decimal)
    for row in published.to_pylist():
        found[row["currency"]] += row["amount"]
    assert found == expected
    assert (published.num_rows, quarantined.num_rows) == (2_306, 0)
