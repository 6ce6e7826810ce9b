"""What Dagster records of a run: row counts and the table, never a row's content or the password of the URL."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from psycopg.conninfo import conninfo_to_dict

from etl_assets.contracts import Column, Table
from etl_assets.io_managers.asset_metadata import table_metadata
from etl_assets.io_managers.postgres.io_manager import PostgresIOManager
from etl_assets_tests.dagster_asset import KEY, Asset, an_asset  # noqa: F401
from etl_assets_tests.payments import MONDAY, PAYMENTS, TUESDAY, payments

DAYS = dg.DailyPartitionsDefinition("2026-03-01", end_date="2026-03-10")
BY_DAY = table_metadata(PAYMENTS)
SECRET, NUMBER = "classified", 4711471147114711
SCANNED = Table(
    "scanned",
    "",
    (
        Column("id", pa.int64(), ""),
        Column("text", pa.string(), ""),
        Column("small", pa.int32(), ""),
        Column("amount", pa.decimal128(6, 2), ""),
        Column("at", pa.timestamp("us", "UTC"), ""),
    ),
    key=("id",),
)


def scanned(**values: Any) -> pa.Table:
    """One row with a secret in each column."""
    row = {"id": NUMBER, "text": SECRET, "small": 1, "amount": None, "at": None}
    return pa.table({name: [value] for name, value in (row | values).items()})


BROKEN = {
    "a number that does not fit": scanned(small=NUMBER),
    "a decimal that does not fit": scanned(amount=f"{NUMBER}.4711"),
    "a text that is no number": scanned(small=SECRET),
    "a text that is no instant": scanned(at=SECRET),
    "a null character": scanned(text=f"{SECRET}\x00"),
    "a repeated key": pa.concat_tables([scanned(), scanned()]),
    "a value beyond the calendar": scanned(at=pa.scalar(-(2**63) + NUMBER, pa.timestamp("us", "UTC"))),
    "an unknown column": scanned(colour=SECRET),
}


def leaks(events: Asset, *secrets: str) -> list[str]:
    """Which of the secrets stand in an event, be it in its message, its metadata or a stack trace."""
    recorded = "".join(dg.serialize_value(event) for event in events.events())
    assert "ASSET_MATERIALIZATION" in recorded
    return [secret for secret in secrets if secret in recorded]


def test_each_partition_of_a_range_has_its_count_and_the_table(asset: Callable[..., Asset]) -> None:
    events = asset(BY_DAY, DAYS)
    events.write(pa.concat_tables([payments(MONDAY, 1, 2), payments(TUESDAY, 3)]), "2026-03-02", "2026-03-04")
    counts = {"2026-03-02": 2, "2026-03-03": 1, "2026-03-04": 0}
    assert dict(events.said()) == {
        key: {"dagster/table_name": "bank.payments", "dagster/partition_row_count": n} for key, n in counts.items()
    }


def test_an_asset_without_partitions_has_its_row_count_and_the_table(asset: Callable[..., Asset]) -> None:
    events = asset(BY_DAY)
    events.write(payments(MONDAY, 1, 2).to_reader())
    assert events.said() == [(None, {"dagster/table_name": "bank.payments", "dagster/row_count": 2})]


def test_the_columns_of_a_contract_stand_in_dagsters_catalogue() -> None:
    schema = BY_DAY["dagster/column_schema"]
    found = {column.name: (column.type, column.constraints.nullable) for column in schema.columns}
    assert found["amount"] == ("decimal128(24, 4)", True)
    assert found["id"] == ("int64", False)


def test_events_of_a_good_run_have_no_password_and_no_row(asset: Callable[..., Asset]) -> None:
    events = asset(table_metadata(SCANNED))
    events.write(scanned())
    assert events.read()["text"].to_pylist() == [SECRET]
    assert leaks(events, SECRET, str(NUMBER), str(conninfo_to_dict(events.url)["password"]), events.url) == []


@pytest.mark.parametrize("broken", BROKEN)
def test_events_of_a_run_that_rows_fail_have_no_password_and_no_row(asset: Callable[..., Asset], broken: str) -> None:
    events = asset(table_metadata(SCANNED))
    events.write(SCANNED.empty())
    with pytest.raises(dg.Failure):
        events.write(BROKEN[broken])
    password = str(conninfo_to_dict(events.url)["password"])
    assert leaks(events, SECRET, str(NUMBER), password, events.url) == []


@pytest.mark.parametrize("rest", ["@{host}:{port}/{dbname}", "@127.0.0.1:9/nowhere", "@{host}:{port}/x?sslmode=odd"])
def test_events_of_a_run_that_cannot_connect_have_no_password(asset: Callable[..., Asset], rest: str) -> None:
    good = asset(table_metadata(SCANNED))
    good.write(SCANNED.empty())
    parts = conninfo_to_dict(good.url)
    url = f"postgresql://{parts['user']}:{SECRET}{rest.format(**parts)}"
    with pytest.raises(Exception, match=r"127\.0\.0\.1"):
        Asset(url, good.instance, good.metadata, settings={"retry_for_s": 0}).write(SCANNED.empty())
    assert leaks(good, SECRET) == []


def test_the_url_comes_from_the_environment_and_stays_out_of_every_repr(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAREHOUSE_URL", database)

    @dg.asset(key=KEY, metadata=table_metadata(SCANNED))
    def events() -> pa.Table:
        return scanned(at=datetime(2026, 3, 2, tzinfo=UTC))

    manager = PostgresIOManager(url=dg.EnvVar("WAREHOUSE_URL"))
    definitions = dg.Definitions([events], resources={"io_manager": manager})
    job = definitions.resolve_implicit_global_asset_job_def()
    assert job.execute_in_process().success
    resolved = PostgresIOManager(url=database)
    password = str(conninfo_to_dict(database)["password"])
    shown = [resolved, resolved.tables, resolved.connections, manager, definitions]
    assert [password in f"{it!r}{it}" for it in shown] == [False] * len(shown)
