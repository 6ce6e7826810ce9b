"""Times and amounts as others really write them, row by row: compared with csv, Decimal and zoneinfo.

Read by the YAML in `institutions/`, without a database; counts and sums in one belong to `test_third_party_chain.py`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
import yaml
from python_calamine import load_workbook

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.sources.layout import Reading
from etl_assets.sources.reading import read_delivery
from etl_assets.tables import raw_table
from etl_assets.transforms.cleaning import Verdict, clean
from etl_assets_tests.third_party import INSTITUTIONS, files, institution, rows_of

LOS_ANGELES = ZoneInfo("America/Los_Angeles")


def judged(reading: Reading, spec: InstitutionSpec, day: date) -> Verdict:
    """What becomes of the rows of one delivery."""
    lineage = {
        "business_date": day,
        "_delivery_id": "d",
        "_file": "f",
        "_delivered_at": datetime(2026, 6, 1, tzinfo=UTC),
    }
    rows = reading.rows
    for name, value in lineage.items():
        kind = raw_table(spec).schema.field(name).type
        rows = rows.append_column(name, pa.repeat(pa.scalar(value, kind), rows.num_rows))
    return clean(rows, spec, day, day)


def published(spec: InstitutionSpec, delivered: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """The published rows of all deliveries, of which none may be quarantined."""
    found = []
    for file, content in delivered.items():
        on = spec.deliveries.business_date(file)
        assert on is not None
        verdict = judged(read_delivery(file, content, spec), spec, on)
        assert verdict.quarantined.to_pylist() == []
        found += verdict.published.to_pylist()
    return found


def by_hand(name: str, delivered: Mapping[str, bytes]) -> list[Mapping[str, str]]:
    return [row for file, content in delivered.items() for row in rows_of(name, file, content)]


def test_ibm_dates_in_four_columns_and_dollar_amounts(shared_data: Path) -> None:
    delivered = files("ibm", shared_data)
    expected = Counter[tuple[object, ...]]()
    for row in by_hand("ibm", delivered):
        hour, minute = map(int, row["Time"].split(":"))
        at = datetime(int(row["Year"]), int(row["Month"]), int(row["Day"]), hour, minute, tzinfo=LOS_ANGELES)
        amount = -Decimal(row["Amount"].replace("$", ""))
        is_fraud = {"Yes": True, "No": False}[row["Is Fraud?"]]
        expected[at.astimezone(UTC), amount, row["Merchant Name"], row["Use Chip"].split()[0].lower(), is_fraud] += 1
    names = ("event_at", "amount", "counterparty_id", "channel", "is_fraud")
    assert Counter(tuple(row[n] for n in names) for row in published(institution("ibm"), delivered)) == expected
    assert expected.total() == 19_963


IN_TWO_COLUMNS = {"source": "trans_date", "followed_by": ["trans_time"]}
AS_A_COUNT = {"source": "unix_time", "formats": ["epoch_s"]}


@pytest.mark.parametrize("event_at", [AS_A_COUNT, IN_TWO_COLUMNS], ids=["epoch", "two columns"])
def test_sparkov_times_are_the_same_as_a_count_and_in_two_columns(shared_data: Path, event_at: dict[str, Any]) -> None:
    content = yaml.safe_load((INSTITUTIONS / "sparkov.yaml").read_text(encoding="utf-8"))
    content["columns"]["event_at"] = event_at
    delivered = files("sparkov", shared_data)
    expected = {
        row["trans_num"]: (datetime.fromtimestamp(int(row["unix_time"]), UTC), -Decimal(row["amt"]))
        for row in by_hand("sparkov", delivered)
    }
    rows = published(InstitutionSpec.model_validate(content), delivered)
    assert {row["transaction_id"]: (row["event_at"], row["amount"]) for row in rows} == expected
    assert len(expected) == len(rows) == 1_092


def test_amlsim_steps_from_an_origin_with_the_sign_in_the_kind(shared_data: Path) -> None:
    delivered = files("amlsim", shared_data)
    expected = {
        row["TXN_ID"]: (
            datetime(2017, 1, 1, tzinfo=UTC) + timedelta(days=int(row.get("start") or row["RUN_DATE"])),
            Decimal(row["TXN_AMOUNT_ORIG"]) * (1 if row["TXN_SOURCE_TYPE_CODE"] == "CASH-IN" else -1),
            row.get("COUNTER_PARTY_ACCOUNT_NUM") or row["BRANCH_ID"],
        )
        for row in by_hand("amlsim", delivered)
    }
    rows = published(institution("amlsim"), delivered)
    found = {row["transaction_id"]: (row["event_at"], row["amount"], row["counterparty_id"]) for row in rows}
    assert found == expected
    assert len(found) == len(rows) == 45 + 88


BIRMINGHAM: dict[str, Any] = {
    "institution": "birmingham",
    "description": "Purchase cards in the currency of choice.",
    "owners": ["team:payments"],
    "start_date": "2017-01-01",
    "max_lateness_days": 62,
    "time_zone": "Europe/London",
    "event_precision": "day",
    "deliveries": {
        "folder": "deliveries",
        "file_name": r"tx_(?P<business_date>\d{8})\.xls",
        "format": "excel",
        "excel": {"sheet": "Sheet1"},
    },
}


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
    rows_of_august, quarantined = judged(read_delivery("tx_20170831.xls", path.read_bytes(), spec), spec, on)
    header, *rows = load_workbook(path).get_sheet_by_name("Sheet1").to_python()
    expected: dict[str, Decimal] = defaultdict(Decimal)
    for row in (dict(zip(header, row, strict=True)) for row in rows):
        expected[str(row[currencies[first]])] -= Decimal(str(row[f"{first} GROSS AMT"]))
    found: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows_of_august.to_pylist():
        found[row["currency"]] += row["amount"]
    assert found == expected
    assert (rows_of_august.num_rows, quarantined.num_rows) == (2_306, 0)
