"""What can have a table's name in PostgreSQL and be none: it is called by its kind, and left as it was."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest

from etl_assets.io_managers.errors import SchemaDrifted
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.targets import Drift, Layout, Mode
from etl_assets_tests.payments import KEYLESS, MONDAY, PAYMENTS, Bank, payments


@pytest.fixture(name="bank")
def a_bank(database: str) -> Bank:
    """Monday has a row, in a table that is called otherwise."""
    bank = Bank.of(PostgresWarehouse(url=database, retry_for_s=0), Layout.PLAIN, replace(PAYMENTS, name="before"))
    bank.write(payments(MONDAY, 1), MONDAY)
    return bank


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        ("VIEW bank.keyless AS SELECT * FROM bank.before", "view"),
        ("MATERIALIZED VIEW bank.keyless AS SELECT * FROM bank.before", "materialized view"),
        ("SEQUENCE bank.keyless", "sequence"),
        ("INDEX keyless ON bank.before (note)", "index"),
        ("TYPE bank.keyless AS (day date)", "composite type"),
    ],
)
@pytest.mark.parametrize("drift", Drift)
@pytest.mark.parametrize("mode", [Mode.REPLACE_PARTITION, Mode.APPEND])
def test_what_is_no_table_is_called_by_its_kind_and_left(
    bank: Bank, made: str, kind: str, drift: Drift, mode: Mode
) -> None:
    with psycopg.connect(bank.warehouse.url, autocommit=True) as connection:
        connection.execute(f"CREATE {made}")
    other = bank.changed(KEYLESS, drift)
    with pytest.raises(SchemaDrifted, match=rf"bank\.keyless is a {kind} in the database.*Rename or drop the {kind}"):
        other.write(payments(MONDAY, 2), MONDAY, mode=mode)
    assert bank.stored(MONDAY) == [(MONDAY, 1)]


def test_a_view_can_be_read(bank: Bank) -> None:
    with psycopg.connect(bank.warehouse.url, autocommit=True) as connection:
        connection.execute("CREATE VIEW bank.keyless AS SELECT * FROM bank.before")
    assert bank.changed(KEYLESS).stored(MONDAY) == [(MONDAY, 1)]
