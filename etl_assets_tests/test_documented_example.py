"""The examples of docs/io_managers.md run as they stand there, twice, and leave the tables that it says."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse

DOCUMENT = Path(__file__).parents[1] / "docs" / "io_managers.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
DAY, NEXT = "2026-03-02", "2026-03-03"


def runs_twice(block: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day has been materialised twice and the next one once, by what the block defines as `defs`."""
    monkeypatch.setenv("WAREHOUSE_URL", url)
    names: dict[str, Any] = {"__name__": "example"}
    exec(block, names)  # noqa: S102  the document is ours
    defs: dg.Definitions = names["defs"]
    job = defs.resolve_implicit_global_asset_job_def()
    for day in (DAY, NEXT, DAY):
        assert job.execute_in_process(partition_key=day).success


def test_the_first_example_has_ten_lines_of_code() -> None:
    lines = [line for line in BLOCKS[0].splitlines() if line and not line.startswith(("import", "from"))]
    assert len(lines) <= 10


def test_the_first_example_leaves_two_rows_a_day(warehouse: PostgresWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    runs_twice(BLOCKS[0], warehouse.url, monkeypatch)
    found = warehouse.fetch("SELECT day::text, id, price FROM shop.orders ORDER BY day, id")
    assert [tuple(row.values()) for row in found.to_pylist()] == [
        (DAY, 1, 9.5), (DAY, 2, None), (NEXT, 1, 9.5), (NEXT, 2, None)
    ]  # fmt: skip


def test_the_example_with_a_contract_counts_every_order_once(
    warehouse: PostgresWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs_twice(BLOCKS[1], warehouse.url, monkeypatch)
    found = warehouse.fetch("SELECT day::text, revenue::text FROM shop.revenue ORDER BY day")
    expected = {day: Decimal("9.60") for day in (DAY, NEXT)}
    assert {row["day"]: Decimal(row["revenue"]) for row in found.to_pylist()} == expected


def test_the_query_of_the_bookkeeping_lists_each_slice_once(
    warehouse: PostgresWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs_twice(BLOCKS[0], warehouse.url, monkeypatch)
    (query,) = re.findall(r"^```sql\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    found = warehouse.fetch(query.rstrip().rstrip(";")).to_pylist()
    assert [(row["partition_key"], row["row_count"]) for row in found] == [(DAY, 2), (NEXT, 2)]
