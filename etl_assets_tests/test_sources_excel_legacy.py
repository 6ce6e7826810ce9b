"""Workbooks of old Excel (.xls), as Birmingham publishes them: every row is there, and none is lost with a cut."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow.compute as pc
import pytest

from etl_assets.sources.excel import read_excel
from etl_assets.sources.layout import DeliveryRejected
from etl_assets.sources.reading import read_delivery
from etl_assets_tests.specs import minimal_spec

SPEC = minimal_spec(deliveries={"format": "excel", "excel": {"sheet": "Payments"}})
BIRMINGHAM = {
    "cusersfinainmndesktoppublish-spend-august-2017-all-directorates.xls": ("Sheet1", 2306, "30.01"),
    "publish-spend-december-2016.xls": ("Sheet1", 3002, "20"),
    "purchasecardtransactionsapril2014.xls": ("APR 2014", 2690, "52.32"),
}


@pytest.mark.parametrize("name", BIRMINGHAM)
def test_birminghams_legacy_workbooks_are_read_to_the_row(shared_data: Path, name: str) -> None:
    sheet, count, first = BIRMINGHAM[name]
    columns = {
        "transaction_id": None,
        "account_id": {"source": "CARD NUMBER"},
        "counterparty_id": {"source": "MERCHANT NAME"},
        "event_at": {"source": "TRANS DATE", "formats": ["%Y-%m-%d"]},
        "amount": {"source": "ORIGINAL GROSS AMT", "sign": "positive_leaves"},
    }
    deliveries = {"format": "excel", "excel": {"sheet": sheet}}
    spec = minimal_spec(event_precision="day", deliveries=deliveries, columns=columns)
    reading = read_delivery(name, (shared_data / "birmingham_pcards" / name).read_bytes(), spec)
    assert (reading.rows.num_rows, reading.control_lines) == (count, 1)
    assert reading.rows["_problem"].null_count == count
    assert reading.rows["ORIGINAL GROSS AMT"][0].as_py() == first
    assert pc.all(pc.match_substring_regex(reading.rows["TRANS DATE"], r"^\d{4}-\d{2}-\d{2}$")).as_py()
    assert all(re.fullmatch(r"-?\d+(\.\d{1,2})?", amount) for amount in reading.rows["ORIGINAL GROSS AMT"].to_pylist())


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.9, 0.995])
@pytest.mark.parametrize("name", BIRMINGHAM)
def test_a_legacy_workbook_that_was_cut_off_is_never_read_as_a_shorter_sheet(
    shared_data: Path, name: str, share: float
) -> None:
    content = (shared_data / "birmingham_pcards" / name).read_bytes()
    with pytest.raises(DeliveryRejected, match=r"it ends before its last sector\); ask for the file again"):
        read_excel(content[: int(len(content) * share)], SPEC)
