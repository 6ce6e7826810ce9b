"""Spending that councils published, taken in by a spec alone: every line accounted for, every sum that of others."""

from __future__ import annotations

import csv
import shutil
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.sources.layout import DeliveryRejected, Reading
from etl_assets.sources.reading import read_delivery
from etl_assets.tables import raw_table
from etl_assets.transforms.cleaning import Verdict, clean

LONDON = ZoneInfo("Europe/London")
COUNCIL: dict[str, Any] = {
    "description": "A council that publishes what it spends.",
    "owners": ["team:payments"],
    "time_zone": "Europe/London",
    "event_precision": "day",
    "max_lateness_days": 92,
    "deliveries": {"folder": "deliveries", "file_name": r"spend_(?P<business_date>\d{8})\.csv"},
}
LEEDS = COUNCIL | {
    "institution": "leeds",
    "start_date": "2011-01-01",
    "max_lateness_days": 95,
    "deliveries": COUNCIL["deliveries"]
    | {"csv": {"encoding": "cp1252", "footer": {"pattern": r",{9}(?P<total>[\d.]+),,", "required": False}}},
    "columns": {
        "transaction_id": {"source": "TransactionNumber", "aliases": ["Transaction Number"]},
        "counterparty_id": {"source": "SupplierName", "aliases": ["Supplier name"]},
        "event_at": {"source": "DatePaid", "aliases": ["Date paid"], "formats": ["%d-%b-%Y", "%d-%b-%y"]},
        "amount": {"source": "NetAmount", "aliases": ["Net Amount"], "sign": "positive_leaves"},
        "currency": {"fixed": "GBP"},
    },
}
OXFORD = COUNCIL | {
    "institution": "oxford",
    "start_date": "2017-01-01",
    "columns": {
        "counterparty_id": {"source": "Merchant", "aliases": ["MCH.MERCHANT NAME"]},
        "event_at": {"source": "Date", "aliases": ["FIN.TRANSACTION DATE"], "formats": ["%d/%m/%Y"]},
        "amount": {
            "source": "Value",
            "aliases": ["FIN.TRANSACTION AMOUNT"],
            "thousands_mark": ",",
            "sign": "positive_leaves",
        },
        "currency": {"fixed": "GBP"},
    },
}
TRAFFORD = COUNCIL | {
    "institution": "trafford",
    "start_date": "2026-04-01",
    "columns": {
        "counterparty_id": {"source": "BeneficiaryName"},
        "event_at": {"source": "PaymentDate", "formats": ["%Y-%m-%d"]},
        "amount": {"source": "Amount", "sign": "positive_leaves"},
        "category": {"source": "MerchantCategoryCode"},
        "description": {"source": "Purpose"},
        "currency": {"fixed": "GBP"},
    },
}


class Expected(NamedTuple):
    """A published file, the business date that it is for, and what is known of it from elsewhere."""

    spec: dict[str, Any]
    file: str
    day: date
    records: int
    control_lines: int
    total: str


FILES = [
    Expected(LEEDS, "leeds_spend/2011-01.raw.csv", date(2011, 1, 31), 8_837, 1, "65483945.63"),
    Expected(LEEDS, "leeds_spend/2013-12.raw.csv", date(2013, 12, 31), 9_574, 2, "104758470.89"),
    Expected(OXFORD, "oxford_gpc/procurement-card-spending-jan-mar-2017.csv", date(2017, 3, 31), 1_141, 1, "178660.96"),
    Expected(OXFORD, "oxford_gpc/procurement-card-spending-apr-jun-2017.csv", date(2017, 6, 30), 653, 1, "105969.44"),
    Expected(OXFORD, "oxford_gpc/procurement-card-spending-july-2017.csv", date(2017, 7, 31), 284, 1, "30123.08"),
    Expected(
        TRAFFORD,
        "trafford_gpc/government_procurement_card_transactions_2026-27.csv",
        date(2026, 5, 31),
        2_024,
        1,
        "494906.66",
    ),
]


def delivered(expected: Expected, shared_data: Path, folder: Path) -> tuple[InstitutionSpec, Path]:
    """The file under a name that says its business date; those of the councils name a month, a quarter, a year."""
    spec = InstitutionSpec.model_validate(expected.spec)
    path = folder / f"spend_{expected.day:%Y%m%d}.csv"
    shutil.copyfile(shared_data / expected.file, path)
    assert spec.deliveries.business_date(path.name) == expected.day
    return spec, path


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


@pytest.mark.parametrize("expected", FILES, ids=[e.file.split("/")[1] for e in FILES])
def test_every_line_is_published_or_a_control_line_and_the_sum_is_the_published_one(
    expected: Expected, shared_data: Path, tmp_path: Path
) -> None:
    spec, path = delivered(expected, shared_data, tmp_path)
    reading = read_delivery(path.name, path.read_bytes(), spec)
    assert (reading.rows.num_rows, reading.control_lines) == (expected.records, expected.control_lines)
    assert reading.records_read == len(path.read_bytes().splitlines())
    verdict = judged(reading, spec, expected.day)
    assert verdict.quarantined.to_pylist() == []
    assert verdict.published.num_rows == expected.records == reading.records_read - reading.control_lines
    assert pc.sum(verdict.published["amount"]).as_py() == -Decimal(expected.total)


@pytest.mark.parametrize("expected", FILES[:2], ids=["2011-01", "2013-12"])
def test_leeds_as_published_becomes_what_others_made_of_it(
    expected: Expected, shared_data: Path, tmp_path: Path
) -> None:
    """Days and amounts of the given clean file, in which all repayments (123 and 115) have lost their sign."""
    spec, path = delivered(expected, shared_data, tmp_path)
    published = judged(read_delivery(path.name, path.read_bytes(), spec), spec, expected.day).published
    found = {
        row["transaction_id"]: (row["event_at"].astimezone(LONDON).date(), row["amount"])
        for row in published.to_pylist()
    }
    clean_file = shared_data / expected.file.replace(".raw.", ".clean.")
    with clean_file.open(encoding="cp1252", newline="") as file:
        oracle = {row[8]: (date.fromisoformat(row[7]), Decimal(row[9])) for row in list(csv.reader(file))[1:]}
    assert {name: (day, abs(amount)) for name, (day, amount) in found.items()} == oracle
    assert sum(amount > 0 for _, amount in found.values()) == {2011: 123, 2013: 115}[expected.day.year]


def test_bytes_of_cp1252_deep_in_the_file_are_text(shared_data: Path, tmp_path: Path) -> None:
    spec, path = delivered(FILES[0], shared_data, tmp_path)
    rows = read_delivery(path.name, path.read_bytes(), spec).rows
    everything = pc.binary_join_element_wise(*(rows[n] for n in rows.schema.names[4:]), "", null_handling="skip")
    assert pc.sum(pc.match_substring(everything, "\N{EN DASH}")).as_py() == 1


def test_the_control_total_of_leeds_is_checked_as_it_is_printed(shared_data: Path, tmp_path: Path) -> None:
    spec, path = delivered(FILES[1], shared_data, tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b",,472.4,", b",,472.5,").replace(b"1312-00001,472.4,", b"1312-00001,472.5,"))
    with pytest.raises(DeliveryRejected, match=r"on line 9576 expects a total of 104758470\.9, .* to 104758470\.99"):
        read_delivery(path.name, path.read_bytes(), spec)
