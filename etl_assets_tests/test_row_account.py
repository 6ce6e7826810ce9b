"""Records read = published + quarantined + control lines, per delivery, exactly."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from etl_assets.contracts import Table
from etl_assets.deliveries.ledger import Read
from etl_assets.deliveries.row_account import RowAccount
from etl_assets.tables import QUARANTINED, ROW_ACCOUNT, cleaned_table
from etl_assets_tests.reads import read
from etl_assets_tests.specs import minimal_spec

CLEANED = cleaned_table(minimal_spec())


def filled(table: Table, **columns: list[Any]) -> pa.Table:
    """Rows of the table with these columns only."""
    return pa.table({name: pa.array(values, table.schema.field(name).type) for name, values in columns.items()})


def deliveries(*reads: Read) -> pa.Table:
    rows = [
        {"_delivery_id": r.delivery_id}
        | {n: getattr(r, n) for n in ("business_date", "path", "records_read", "control_lines")}
        for r in reads
    ]
    return pa.Table.from_pylist(rows)


def row_account(*parts: tuple[pa.Table, pa.Table], of: pa.Table) -> pa.Table:
    account = RowAccount()
    for published, quarantined in parts:
        account.add(published, quarantined)
    return account.rows(of)


AMOUNTS = [Decimal("0.10"), Decimal("0.20"), Decimal("-99999999999999999999.9999")]


def test_the_row_account_of_each_delivery_adds_up() -> None:
    a, b, c = (
        read("in/a.csv", records_read=7),
        read("b.csv", "b", records_read=1),
        read("c.csv", "c", records_read=0, control_lines=0),
    )
    published = filled(CLEANED, _delivery_id=[a.delivery_id] * 3, amount=AMOUNTS)
    out = filled(QUARANTINED, _delivery_id=[a.delivery_id] * 3, disposition=["invalid", "superseded", "invalid"])
    account = row_account((published, out), of=deliveries(a, b, c))
    assert ROW_ACCOUNT.conform(account).equals(account)
    names = ["file", "records_read", "published", "invalid", "duplicate", "superseded", "control_lines"]
    assert [tuple(row[name] for name in names) for row in account.to_pylist()] == [
        ("a.csv", 7, 3, 2, 0, 1, 1),
        ("b.csv", 1, 0, 0, 0, 0, 1),
        ("c.csv", 0, 0, 0, 0, 0, 0),
    ]
    assert account["published_amount"].to_pylist() == [sum(AMOUNTS, Decimal(0)), 0, 0]


fates = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["published", "invalid", "duplicate", "superseded"])))


@given(fates, st.integers(0, 3))
def test_every_record_of_a_delivery_is_in_its_account_once(records: list[tuple[str, str]], control_lines: int) -> None:
    reads = [
        read(n, n, records_read=sum(f == n for f, _ in records) + control_lines, control_lines=control_lines)
        for n in "ab"
    ]
    ids = {r.path: r.delivery_id for r in reads}
    shown = [ids[file] for file, fate in records if fate == "published"]
    kept = [(ids[file], fate) for file, fate in records if fate != "published"]
    published = filled(CLEANED, _delivery_id=shown, amount=[Decimal(1)] * len(shown))
    out = filled(QUARANTINED, _delivery_id=[i for i, _ in kept], disposition=[d for _, d in kept])
    parts = ((published, out.slice(0, 1)), (published.slice(0, 0), out.slice(1)))
    for row in row_account(*parts, of=deliveries(*reads)).to_pylist():
        whole = sum(row[name] for name in ("published", "invalid", "duplicate", "superseded", "control_lines"))
        assert row["records_read"] == whole
        assert row["published_amount"] == row["published"]


def test_a_day_without_deliveries_has_an_empty_account() -> None:
    nothing = row_account((CLEANED.empty(), QUARANTINED.empty()), of=deliveries().cast(pa.schema([])))
    assert nothing == ROW_ACCOUNT.empty()
