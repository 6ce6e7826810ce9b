"""The promise of the PostgreSQL I/O manager: the slice holds exactly these rows, or what it held before."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from threading import Barrier, Thread

import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_assets.contracts import Column, ContractBroken, Table
from etl_assets.io_managers.errors import (
    KeyRepeated,
    NeverWritten,
    Refused,
    RowsOutsideSlice,
    SchemaDrifted,
    TypeRefused,
    Unavailable,
)
from etl_assets.io_managers.postgres import PostgresWarehouse
from etl_assets.io_managers.targets import Target
from etl_assets.io_managers.postgres_types import sql_type
from etl_assets.io_managers.slices import daily_slice

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)
PAYMENTS = Table(
    "payments",
    "Payments of a day.",
    (
        Column("day", pa.date32(), "Day.", required=True),
        Column("id", pa.int64(), "Id.", required=True),
        Column("amount", pa.decimal128(24, 4), "Amount."),
        Column("at", pa.timestamp("us", "UTC"), "Instant."),
        Column("note", pa.string(), "Text."),
        Column("bytes", pa.binary(), "Bytes."),
        Column("share", pa.float64(), "Number."),
        Column("is_new", pa.bool_(), "Flag."),
    ),
    key=("day", "id"),
    partition_column="day",
)
AT = Target("bank", PAYMENTS)


def payments(day: date, *ids: int, note: str | None = None) -> pa.Table:
    rows = [{"day": day, "id": i, "note": note} for i in ids]
    return pa.Table.from_pylist(rows, schema=pa.schema([f.with_nullable(nullable=True) for f in PAYMENTS.schema]))


def stored(warehouse: PostgresWarehouse, *days: date) -> list[tuple[date, int]]:
    rows = warehouse.read_slice(AT, daily_slice("day", days))
    return list(zip(rows["day"].to_pylist(), rows["id"].to_pylist(), strict=True))


def write(warehouse: PostgresWarehouse, rows: pa.Table, *days: date) -> dict[str, int]:
    return warehouse.write(AT, daily_slice("day", days), rows, "run")


def test_a_rerun_replaces_its_slice_and_leaves_the_neighbour(warehouse: PostgresWarehouse) -> None:
    write(warehouse, payments(TUESDAY, 9), TUESDAY)
    write(warehouse, payments(MONDAY, 1, 2, 3), MONDAY)
    assert write(warehouse, payments(MONDAY, 1, 5), MONDAY) == {"2026-03-02": 2}
    assert stored(warehouse, MONDAY, TUESDAY) == [(MONDAY, 1), (MONDAY, 5), (TUESDAY, 9)]


def test_an_empty_slice_is_written_and_differs_from_one_that_never_was(warehouse: PostgresWarehouse) -> None:
    write(warehouse, payments(MONDAY), MONDAY)
    assert stored(warehouse, MONDAY) == []
    assert warehouse.written("bank", "payments") == {"2026-03-02"}


def test_a_table_that_was_never_written_is_refused_by_name(warehouse: PostgresWarehouse) -> None:
    with pytest.raises(NeverWritten) as refusal:
        stored(warehouse, MONDAY)
    assert "bank.payments" in str(refusal.value.description)


def test_rows_of_another_day_are_refused_before_anything_is_deleted(warehouse: PostgresWarehouse) -> None:
    write(warehouse, payments(MONDAY, 1), MONDAY)
    with pytest.raises(RowsOutsideSlice):
        write(warehouse, pa.concat_tables([payments(MONDAY, 2), payments(TUESDAY, 3)]), MONDAY)
    assert stored(warehouse, MONDAY) == [(MONDAY, 1)]


@contextmanager
def a_server_that_fails(warehouse: PostgresWarehouse, timing: str, sqlstate: str) -> Iterator[None]:
    """Every statement of `timing` on the table fails inside PostgreSQL with this error code."""
    with psycopg.connect(warehouse.url, autocommit=True) as connection:
        connection.execute(
            "CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '{sqlstate}'; END $$"
        )
        connection.execute(f"CREATE TRIGGER fail {timing} ON bank.payments EXECUTE FUNCTION fail()")
    yield


@pytest.mark.parametrize("timing", ["BEFORE DELETE", "AFTER DELETE", "BEFORE INSERT", "AFTER INSERT"])
def test_a_disk_that_fills_up_while_writing_leaves_the_old_rows(warehouse: PostgresWarehouse, timing: str) -> None:
    write(warehouse, payments(MONDAY, 1, 2), MONDAY)
    with a_server_that_fails(warehouse, timing, "53100"), pytest.raises(Unavailable, match="no room left"):
        write(warehouse, payments(MONDAY, 7, 8, 9), MONDAY)
    assert stored(warehouse, MONDAY) == [(MONDAY, 1), (MONDAY, 2)]


def test_a_statement_that_the_database_refuses_is_permanent_and_leaves_the_old_rows(
    warehouse: PostgresWarehouse,
) -> None:
    write(warehouse, payments(MONDAY, 1), MONDAY)
    with a_server_that_fails(warehouse, "AFTER INSERT", "23514"), pytest.raises(Refused):
        write(warehouse, payments(MONDAY, 2), MONDAY)
    assert stored(warehouse, MONDAY) == [(MONDAY, 1)]


def test_four_writers_of_one_day_leave_the_rows_of_exactly_one(warehouse: PostgresWarehouse) -> None:
    barrier = Barrier(4)

    def writer(number: int) -> None:
        barrier.wait()
        write(warehouse, payments(MONDAY, *range(number * 100, number * 100 + 50)), MONDAY)

    threads = [Thread(target=writer, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [i for _, i in stored(warehouse, MONDAY)]
    assert ids == list(range(ids[0], ids[0] + 50))


def test_columns_are_stored_by_name_whatever_their_order(warehouse: PostgresWarehouse) -> None:
    rows = payments(MONDAY, 1, note="tea")
    write(warehouse, rows.select(rows.column_names[::-1]), MONDAY)
    assert warehouse.read_slice(AT, daily_slice("day", [MONDAY]), ["note", "id"]).to_pylist() == [
        {"note": "tea", "id": 1}
    ]


@pytest.mark.parametrize("change", ["missing", "unknown", "null in the key", "repeated key"])
def test_rows_that_break_the_contract_are_refused(warehouse: PostgresWarehouse, change: str) -> None:
    rows = payments(MONDAY, 1, 2)
    broken = {
        "missing": rows.drop_columns(["note"]),
        "unknown": rows.append_column("colour", pa.array(["red", "blue"])),
        "null in the key": payments(MONDAY, 1, None),  # type: ignore[arg-type]
        "repeated key": payments(MONDAY, 1, 1),
    }[change]
    with pytest.raises((ContractBroken, KeyRepeated)):
        write(warehouse, broken, MONDAY)
    assert not warehouse.exists("bank", "payments")


def test_a_table_altered_by_hand_is_refused_before_anything_is_deleted(warehouse: PostgresWarehouse) -> None:
    write(warehouse, payments(MONDAY, 1), MONDAY)
    with psycopg.connect(warehouse.url, autocommit=True) as connection:
        connection.execute("ALTER TABLE bank.payments ADD COLUMN colour text")
    with pytest.raises(SchemaDrifted) as refusal:
        write(warehouse, payments(MONDAY, 2), MONDAY)
    assert "colour" in str(refusal.value.description)
    assert stored(warehouse, MONDAY) == [(MONDAY, 1)]


def test_a_type_that_postgresql_cannot_hold_exactly_is_refused_by_name() -> None:
    with pytest.raises(TypeRefused) as refusal:
        sql_type(pa.timestamp("ns", "UTC"))
    assert "timestamp[ns" in str(refusal.value.description)


def test_an_unreachable_server_is_transient_and_its_password_stays_out_of_the_message() -> None:
    nowhere = PostgresWarehouse(url="postgresql://etl:topsecret@127.0.0.1:9/warehouse", retry_for_s=0)
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9") as failure:
        write(nowhere, payments(MONDAY, 1), MONDAY)
    assert "topsecret" not in str(failure.value) + repr(nowhere)
    with pytest.raises(Unavailable) as failure:
        nowhere.fetch("SELECT 1")
    assert "topsecret" not in str(failure.value)


def test_a_wrong_password_is_permanent_and_not_repeated(warehouse: PostgresWarehouse) -> None:
    user, _, rest = warehouse.url.partition("//")[2].partition(":")
    wrong = PostgresWarehouse(url=f"postgresql://{user}:topsecret@{rest.partition('@')[2]}")
    with pytest.raises(Refused) as refusal:
        wrong.exists("bank", "payments")
    assert "topsecret" not in str(refusal.value.description)


instants = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
rows_of_a_day = st.lists(
    st.fixed_dictionaries(
        {
            "amount": st.none() | st.decimals(Decimal(-(10**19)), Decimal(10**19), places=4),
            "at": st.none() | instants,
            "note": st.none() | texts,
            "bytes": st.none() | st.binary(max_size=20),
            "share": st.none() | st.floats(),
            "is_new": st.none() | st.booleans(),
        }
    ),
    max_size=8,
)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=rows_of_a_day)
def test_every_value_comes_back_as_it_was_written(warehouse: PostgresWarehouse, rows: list[dict[str, object]]) -> None:
    numbered = [{"day": MONDAY, "id": i, **row} for i, row in enumerate(rows)]
    table = PAYMENTS.conform(pa.Table.from_pylist(numbered, schema=PAYMENTS.schema))
    write(warehouse, table, MONDAY)
    found = warehouse.read_slice(AT, daily_slice("day", [MONDAY]))
    assert found.schema == table.schema
    assert repr(found.to_pylist()) == repr(table.to_pylist())


def test_null_characters_in_text_are_refused_whole(warehouse: PostgresWarehouse) -> None:
    write(warehouse, payments(MONDAY, 1), MONDAY)
    with pytest.raises(Refused):
        write(warehouse, payments(MONDAY, 2, note="a\x00b"), MONDAY)
    assert stored(warehouse, MONDAY) == [(MONDAY, 1)]
