"""What is Snowflake's own in a write: few statements, no DDL among them, a lock that all share."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import dagster as dg
import polars as pl
import pyarrow as pa
import pytest

from etl_assets.contracts import Column
from etl_assets.io_managers.asset_metadata import table_metadata
from etl_assets.io_managers.errors import KeyRepeated, Refused
from etl_assets.io_managers.slices import WHOLE, daily_slice
from etl_assets.io_managers.snowflake.io_manager import SnowflakeIOManager
from etl_assets.io_managers.snowflake.names import stored as in_catalogue
from etl_assets.io_managers.snowflake.schema import NOTES
from etl_assets.io_managers.snowflake.sql import literal
from etl_assets.io_managers.targets import Layout, Mode
from etl_assets_tests.payments import MONDAY, PAYMENTS, TUESDAY, Bank, payments
from etl_assets_tests.snowflake_backend import SnowflakeBackend, snowflake_backend
from etl_assets_tests.statements import Statements

AWKWARD = ["", "'", "\\", "\\'", "''", "\n\t\r", "100 % (%s)", "$1 {} :a", "--x", "/*", "é\U0001f4b0", "\\u0041", '"']
DAYS = dg.DailyPartitionsDefinition("2026-03-02", end_date="2026-04-05")


@pytest.fixture(name="backend")
def a_backend(request: pytest.FixtureRequest) -> SnowflakeBackend:
    backend = snowflake_backend(request)
    backend.clear()
    return backend


@pytest.fixture(name="bank")
def a_bank(backend: SnowflakeBackend) -> Bank:
    return Bank.of(backend.warehouse(), backend.layout)


@pytest.mark.parametrize("mode", [Mode.REPLACE_PARTITION, Mode.UPSERT, Mode.APPEND, Mode.REPLACE_TABLE])
def test_a_range_of_two_years_is_few_statements_and_none_of_them_ends_the_transaction(
    bank: Bank, statements: Statements, mode: Mode
) -> None:
    """The fixture fails the test for DDL inside a transaction."""
    days = [MONDAY + timedelta(days=n) for n in range(730)]
    rows = pa.concat_tables([payments(day, 1, 2) for day in days]).combine_chunks()
    if mode is not Mode.APPEND:
        bank.write(rows, *days)
        statements.said.clear()
    assert bank.write(rows, *days, mode=mode) == {str(day): 2 for day in days}
    inside = [said.words[0] for said in statements.said if said.in_transaction]
    assert inside[-1] == "COMMIT"
    assert len(inside) <= 7
    assert len(statements.said) <= (23 if mode is not Mode.APPEND else 32)
    assert len(bank.warehouse.written("bank", "payments")) == 730


def test_what_is_noted_of_many_partitions_is_said_in_pieces_that_snowflake_takes(bank: Bank) -> None:
    """A statement may have a megabyte."""
    refused = {f"2026-03-{number:05}": f"{number} '\\é" + 300 * "x" for number in range(4_000)}
    bank.warehouse.write(bank.at, daily_slice("day", [MONDAY]), payments(MONDAY, 1), "run", refused=refused)
    assert bank.warehouse.refused("bank", "payments") == refused


def test_of_several_that_append_one_key_at_once_one_succeeds(bank: Bank) -> None:
    """Nothing is deleted, so nothing but the row that all writers lock makes one wait for the other's rows."""

    def append(number: int) -> bool:
        try:
            bank.write(payments(MONDAY, 1, note=str(number)), MONDAY, mode=Mode.APPEND)
        except KeyRepeated:
            return False
        return True

    bank.write(payments(MONDAY), MONDAY)
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(append, range(4))) == 1
    assert bank.stored(MONDAY) == [(MONDAY, 1)]


def test_without_the_row_that_writers_lock_nobody_writes(backend: SnowflakeBackend, bank: Bank) -> None:
    bank.write(payments(MONDAY, 1), MONDAY)
    backend._say('DELETE FROM BANK."_SLICES_OF_PAYMENTS" WHERE PARTITION_KEY IS NULL')
    with pytest.raises(Refused, match="have lost the row"):
        bank.write(payments(MONDAY, 2), MONDAY)


def test_a_table_that_somebody_else_has_made_is_read_and_written(backend: SnowflakeBackend, bank: Bank) -> None:
    bank.write(payments(MONDAY, 1), MONDAY)
    backend._say(f"DROP TABLE BANK.{in_catalogue(NOTES + 'payments')}")
    assert bank.stored(MONDAY) == [(MONDAY, 1)]
    assert bank.warehouse.written("bank", "payments") == set()
    bank.write(payments(TUESDAY, 2), TUESDAY)
    assert bank.stored(MONDAY, TUESDAY) == [(MONDAY, 1), (TUESDAY, 2)]
    assert bank.warehouse.written("bank", "payments") == {str(TUESDAY)}


def test_either_layout_is_the_same(bank: Bank) -> None:
    for layout in Layout:
        other = replace(bank, at=replace(bank.at, layout=layout))
        other.write(payments(MONDAY, 1), MONDAY)
        assert other.stored(MONDAY) == [(MONDAY, 1)]


def test_columns_that_only_the_table_has_outlive_an_upsert(backend: SnowflakeBackend, bank: Bank) -> None:
    bank.write(payments(MONDAY, 1, note="old"), MONDAY)
    backend._say("ALTER TABLE BANK.PAYMENTS ADD COLUMN COLOUR VARCHAR")
    backend._say("UPDATE BANK.PAYMENTS SET COLOUR = 'red'")
    wide = replace(PAYMENTS, columns=(*PAYMENTS.columns, Column("colour", pa.string(), "")))
    adding = bank.changed(PAYMENTS, drift=type(bank.at.drift).ADD)
    adding.write(payments(MONDAY, 1, 2, note="new"), MONDAY, mode=Mode.UPSERT)
    rows = bank.changed(wide).rows(MONDAY)
    assert rows.select(["note", "colour"]).to_pylist() == [
        {"note": "new", "colour": "red"},
        {"note": "new", "colour": None},
    ]


def test_literals_come_back_as_they_were_said(bank: Bank) -> None:
    values: list[Any] = [*AWKWARD, 0, -(2**63), Decimal("-1.50"), True, None, b"\x00'\\", 0.1, date(1, 1, 1)]
    values += [datetime(2026, 3, 29, 1, 30, 0, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999)]  # noqa: DTZ001
    said = ", ".join(f"{literal(value)} AS A{number}" for number, value in enumerate(values))
    found = bank.warehouse.fetch(f"SELECT {said}").to_pylist()[0].values()
    for found_, value in zip(found, values, strict=True):
        assert found_ == value


def test_bound_values_are_no_statement(bank: Bank) -> None:
    rows = bank.warehouse.fetch("SELECT %s AS A, %s AS B", ["x' OR '1' = '1", 2])
    assert rows.to_pylist() == [{"A": "x' OR '1' = '1", "B": 2}]


def test_assets_are_kept_in_snowflake_between_runs(backend: SnowflakeBackend) -> None:
    @dg.asset(key=["bank", "payments"], partitions_def=DAYS, metadata=table_metadata(PAYMENTS))
    def upstream(context: dg.AssetExecutionContext) -> pa.Table:
        return payments(date.fromisoformat(context.partition_key), 1, 2)

    @dg.asset(
        key=["bank", "counted"],
        ins={"rows": dg.AssetIn(["bank", "payments"])},
        partitions_def=DAYS,
        metadata={"contract": "inferred", "partition_expr": "day"},
    )
    def downstream(rows: pl.DataFrame) -> pl.DataFrame:
        return rows.group_by("day").agg(number=pl.len(), total=pl.col("id").cast(pl.Float64).sum())

    said = backend.warehouse().model_dump()
    resources = {"io_manager": SnowflakeIOManager(**said)}
    with dg.DagsterInstance.ephemeral() as instance:
        for day in ("2026-03-02", "2026-03-03", "2026-03-02"):
            run = dg.materialize([upstream, downstream], resources=resources, partition_key=day, instance=instance)
            assert run.success
        metadata = run.asset_materializations_for_node("bank__payments")[0].metadata
    warehouse = backend.warehouse()
    contract = warehouse.described("bank", "counted", "day")
    assert [str(column.type) for column in contract.columns] == ["date32[day]", "int64", "double"]
    at = Bank.of(warehouse, Layout.PLAIN, contract).at
    found = warehouse.read_slice(at, WHOLE).sort_by("day").to_pylist()
    assert found == [{"day": day, "number": 2, "total": 3.0} for day in (MONDAY, TUESDAY)]
    assert metadata["dagster/table_name"].value == f"{warehouse.database}.BANK.PAYMENTS"
    assert metadata["dagster/partition_row_count"].value == 2
    assert warehouse.read_slice(at, daily_slice("day", [MONDAY])).num_rows == 1
