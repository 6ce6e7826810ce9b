"""Workbooks of old Excel (.xls), as Birmingham publishes them: none is read as a shorter one.

That every row of them is there is shown by `test_third_party_chain.py`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from etl_assets.sources.excel import read_excel
from etl_assets.sources.layout import DeliveryRejected
from etl_assets_tests.specs import minimal_spec

SPEC = minimal_spec(deliveries={"format": "excel", "excel": {"sheet": "Payments"}})
BIRMINGHAM = (
    "cusersfinainmndesktoppublish-spend-august-2017-all-directorates.xls",
    "publish-spend-december-2016.xls",
    "purchasecardtransactionsapril2014.xls",
)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.9, 0.995])
@pytest.mark.parametrize("name", BIRMINGHAM)
def test_a_legacy_workbook_that_was_cut_off_is_never_read_as_a_shorter_sheet(
    shared_data: Path, name: str, share: float
) -> None:
    content = (shared_data / "birmingham_pcards" / name).read_bytes()
    with pytest.raises(DeliveryRejected, match=r"it ends before its last sector\); ask for the file again"):
        read_excel(content[: int(len(content) * share)], SPEC)
