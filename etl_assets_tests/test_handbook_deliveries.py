"""The handbook's transactions as a bank's daily files: nothing lost, nothing told that a bank would not know."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from etl_assets.institution_spec import load_spec

PROJECT = Path(__file__).parents[1]
SHARED_DATA = Path(os.environ.get("ETL_SHARED_DATA", PROJECT.parent / "shared" / "data"))
SOURCE = SHARED_DATA / "handbook" / "transactions.parquet"


@pytest.mark.skipif(not SOURCE.exists(), reason="the handbook's data is not here")
def test_the_handbooks_days_become_files_of_its_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PROJECT / "bench"))
    from handbook_deliveries import write_deliveries

    delivered = write_deliveries(SOURCE, tmp_path, days=3)
    spec = load_spec(PROJECT / "bench" / "handbook_bank.yaml")
    files = sorted(tmp_path.iterdir())
    assert [spec.deliveries.business_date(path.name) for path in files] == [date(2018, 4, d) for d in (1, 2, 3)]
    rows = pl.concat(pl.read_csv(path) for path in files)
    assert set(rows.columns) == set(spec.declared)
    source = pl.read_parquet(SOURCE).filter(pl.col("TX_DATETIME") < date(2018, 4, 4))
    assert delivered == len(rows) == len(source)
    assert rows["TX_FRAUD"].sum() == source["TX_FRAUD"].sum() > 0
    assert rows["TX_AMOUNT"].sum() == pytest.approx(source["TX_AMOUNT"].sum(), abs=0.001)
    assert files[0].stat().st_mtime == datetime(2018, 4, 2, 2, tzinfo=UTC).timestamp()
