"""What an asset's metadata asks for is done: mode, layout, drift, contract; what nobody knows is refused by name."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import dagster as dg
import pandas as pd
import polars as pl
import psycopg
import pyarrow as pa
import pytest
from psycopg.conninfo import make_conninfo

from etl_assets.contracts import Column, Table
from etl_assets.io_managers.asset_metadata import table_metadata
from etl_assets.io_managers.errors import KeyRepeated, NeverWritten, Permanent, SchemaDrifted, TypeRefused
from etl_assets.io_managers.postgres.connections import close_all
from etl_assets_tests.dagster_asset import Asset, an_asset  # noqa: F401

DAYS = dg.DailyPartitionsDefinition("2026-03-01", end_date="2026-03-10")
MONDAY, TUESDAY = "2026-03-02", "2026-03-03"
INFERRED = {"contract": "inferred", "partition_expr": "day"}


def of(*key: str, **said: str) -> dict[str, Any]:
    columns = (Column("day", pa.date32(), ""), Column("id", pa.int64(), ""), Column("n", pa.int64(), ""))
    return {**table_metadata(Table("events", "", columns, key, "day")), **said}


def rows(day: str, **n: int) -> pa.Table:
    """By id the number in its row: i1=5 is the row 1 with a 5."""
    ids = [int(name[1:]) for name in n]
    days = pa.array([date.fromisoformat(day)] * len(ids), pa.date32())
    return pa.table({"day": days, "id": pa.array(ids, pa.int64()), "n": pa.array(n.values(), pa.int64())})


def numbers(events: Asset, *days: str) -> dict[int, int]:
    asked = days or ((MONDAY,) if events.partitions else (None,))
    found = pa.concat_tables([events.read(pa.Table, day) for day in asked])
    return dict(zip(found["id"].to_pylist(), found["n"].to_pylist(), strict=True))


@pytest.mark.parametrize("layout", ["plain", "partitioned"])
def test_replace_partition_is_the_default_and_idempotent(asset: Callable[..., Asset], layout: str) -> None:
    events = asset(of("day", "id", layout=layout), DAYS)
    events.write(rows(TUESDAY, i9=9), TUESDAY)
    for _ in range(2):
        events.write(rows(MONDAY, i1=1, i2=2), MONDAY)
    events.write(rows(MONDAY, i2=3), MONDAY)
    assert numbers(events, MONDAY, TUESDAY) == {2: 3, 9: 9}


def test_append_adds_and_a_rerun_doubles(asset: Callable[..., Asset]) -> None:
    events = asset(of(write_mode="append"), DAYS)
    for _ in range(2):
        events.write(rows(MONDAY, i1=1, i2=2), MONDAY)
    assert events.read(pa.Table, MONDAY)["id"].to_pylist() == [1, 2, 1, 2]
    assert [said["dagster/partition_row_count"] for _, said in events.said()] == [2, 2]


def test_append_with_a_key_refuses_the_rerun_and_keeps_what_was_there(asset: Callable[..., Asset]) -> None:
    events = asset(of("day", "id", write_mode="append"), DAYS)
    events.write(rows(MONDAY, i1=1), MONDAY)
    events.write(rows(MONDAY, i2=2), MONDAY)
    with pytest.raises(KeyRepeated, match=r"bank/events \[2026-03-02\]"):
        events.write(rows(MONDAY, i2=3, i3=3), MONDAY)
    assert numbers(events) == {1: 1, 2: 2}


def test_upsert_takes_the_place_of_the_same_key_and_removes_nothing(asset: Callable[..., Asset]) -> None:
    events = asset(of("day", "id", write_mode="upsert"), DAYS)
    events.write(rows(MONDAY, i1=1, i2=2), MONDAY)
    for _ in range(2):
        events.write(rows(MONDAY, i2=7, i3=3), MONDAY)
    assert numbers(events) == {1: 1, 2: 7, 3: 3}
    with pytest.raises(KeyRepeated):
        events.write(pa.concat_tables([rows(MONDAY, i1=8), rows(MONDAY, i1=9)]), MONDAY)
    assert numbers(events) == {1: 1, 2: 7, 3: 3}


def test_replace_table_leaves_the_rows_of_this_run_only(asset: Callable[..., Asset]) -> None:
    events = asset(of(write_mode="replace_table"), DAYS)
    events.write(rows(MONDAY, i1=1), MONDAY)
    for _ in range(2):
        events.write(rows(TUESDAY, i2=2), TUESDAY)
    assert numbers(events, TUESDAY) == {2: 2}
    with pytest.raises(NeverWritten, match=MONDAY):
        numbers(events, MONDAY)


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("write_mode", "replace_partition, append, upsert, keep, replace_table"),
        ("layout", "plain, partitioned"),
        ("schema_drift", "error, add"),
    ],
)
def test_an_unknown_choice_is_refused_with_those_that_there_are(
    asset: Callable[..., Asset], name: str, choices: str
) -> None:
    with pytest.raises(Permanent, match=f"asset bank/events.*: `{name}` is 'sometimes'; it can be {choices}"):
        asset(of(**{name: "sometimes"}), DAYS).write(rows(MONDAY, i1=1), MONDAY)


@pytest.mark.parametrize(
    ("said", "refusal"),
    [
        ({"write_mode": "upsert"}, "mode `upsert` needs a key"),
        ({"write_mode": "keep"}, "mode `keep` needs a key"),
        ({"layout": "partitioned", "write_mode": "append"}, "is written by `replace_partition` only"),
    ],
)
def test_choices_that_have_no_meaning_together_are_refused_with_the_asset(
    asset: Callable[..., Asset], said: dict[str, str], refusal: str
) -> None:
    with pytest.raises(Permanent, match=rf"bank/events \[2026-03-02\]: .*{refusal}"):
        asset(of(**said), DAYS).write(rows(MONDAY, i1=1), MONDAY)


def test_the_partitioned_layout_needs_a_partition(asset: Callable[..., Asset]) -> None:
    with pytest.raises(Permanent, match="needs exactly one partition dimension"):
        asset(of(layout="partitioned")).write(rows(MONDAY, i1=1))


def test_the_layout_of_a_table_is_not_changed_by_a_later_write(asset: Callable[..., Asset]) -> None:
    asset(of(), DAYS).write(rows(MONDAY, i1=1), MONDAY)
    with pytest.raises(SchemaDrifted, match="another layout"):
        asset(of(layout="partitioned"), DAYS).write(rows(MONDAY, i2=2), MONDAY)
    assert numbers(asset(of(), DAYS)) == {1: 1}


def test_a_table_that_somebody_else_made_is_written_and_read(asset: Callable[..., Asset]) -> None:
    events = asset(of(), DAYS)
    with psycopg.connect(events.url) as connection:
        connection.execute("CREATE SCHEMA bank")
        connection.execute("CREATE TABLE bank.events (day date, id bigint, n bigint)")
        connection.execute("INSERT INTO bank.events VALUES ('2026-03-02', 1, 1), ('2026-03-03', 2, 2)")
    with pytest.raises(NeverWritten, match=MONDAY):
        numbers(events, MONDAY)
    events.write(rows(MONDAY, i3=3), MONDAY)
    assert numbers(events, MONDAY) == {3: 3}
    assert numbers(asset(of())) == {2: 2, 3: 3}


def test_a_role_that_may_create_in_its_schema_only_can_write_there(asset: Callable[..., Asset]) -> None:
    events, role = asset(of(), DAYS), f"etl_{uuid4().hex[:8]}"
    with psycopg.connect(events.url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'only_here'")
        connection.execute(f"CREATE SCHEMA bank; GRANT USAGE, CREATE ON SCHEMA bank TO {role}")
        try:
            url = make_conninfo(events.url, user=role, password="only_here")  # noqa: S106
            replace(events, url=url).write(rows(MONDAY, i1=1), MONDAY)
            assert numbers(events) == {1: 1}
        finally:
            close_all()
            connection.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


@pytest.mark.parametrize("said", [{}, {"contract": "guessed"}], ids=str)
def test_a_missing_contract_is_refused_with_the_asset(asset: Callable[..., Asset], said: dict[str, str]) -> None:
    events = asset(said, DAYS)
    for use in (lambda: events.write(rows(MONDAY, i1=1), MONDAY), lambda: events.read(pa.Table, MONDAY)):
        with pytest.raises(Permanent, match=r'asset bank/events has no `contract`.*"inferred"'):
            use()


def test_an_inferred_table_is_read_as_the_catalogue_has_it(asset: Callable[..., Asset]) -> None:
    events = asset(INFERRED, DAYS)
    frame = pl.DataFrame({"day": [date(2026, 3, 2)], "kind": pl.Series(["a"], dtype=pl.Categorical), "n": [2**40]})
    events.write(frame.with_columns(at=pl.lit(datetime(2026, 3, 2, tzinfo=UTC))), MONDAY)
    events.write(frame.clear().with_columns(at=pl.lit(None, pl.Datetime("us", "UTC"))), TUESDAY)
    expected = {"day": pa.date32(), "kind": pa.string(), "n": pa.int64(), "at": pa.timestamp("us", "UTC")}
    for day, count in ((MONDAY, 1), (TUESDAY, 0)):
        found = events.read(pa.Table, day)
        assert (found.schema, found.num_rows) == (pa.schema(expected), count)


@pytest.mark.parametrize("mode", ["append", "upsert"])
def test_an_inferred_table_has_the_keys_of_the_metadata(asset: Callable[..., Asset], mode: str) -> None:
    events = asset(INFERRED | {"keys": ["day", "id"], "write_mode": mode}, DAYS)
    events.write(rows(MONDAY, i2=2, i1=1), MONDAY)
    assert list(numbers(events)) == [1, 2]
    if mode == "upsert":
        events.write(rows(MONDAY, i2=5), MONDAY)
        assert numbers(events) == {1: 1, 2: 5}
    else:
        with pytest.raises(KeyRepeated):
            events.write(rows(MONDAY, i2=5), MONDAY)


def test_an_inferred_table_can_be_partitioned_in_the_database(asset: Callable[..., Asset]) -> None:
    events = asset(INFERRED | {"layout": "partitioned"}, DAYS)
    events.write(pa.concat_tables([rows(MONDAY, i1=1), rows(TUESDAY, i2=2)]), MONDAY, TUESDAY)
    events.write(rows(MONDAY, i1=3).to_pandas(), MONDAY)
    assert numbers(events, MONDAY, TUESDAY) == {1: 3, 2: 2}


def test_frames_that_change_are_refused_by_default(asset: Callable[..., Asset]) -> None:
    events = asset(INFERRED, DAYS)
    events.write(rows(MONDAY, i1=1), MONDAY)
    more = rows(MONDAY, i2=2).append_column("colour", pa.array(["red"]))
    with pytest.raises(SchemaDrifted, match=r"bank/events.* lacks the columns \['colour'\]"):
        events.write(more, MONDAY)
    with pytest.raises(SchemaDrifted, match=r"has columns of its own \['n'\]"):
        events.write(rows(MONDAY, i2=2).drop_columns("n"), MONDAY)
    with pytest.raises(SchemaDrifted, match="n: bigint instead of text"):
        events.write(rows(MONDAY, i2=2).set_column(2, "n", pa.array(["two"])), MONDAY)
    assert numbers(events) == {1: 1}


@pytest.mark.parametrize("layout", ["plain", "partitioned"])
def test_drift_that_may_add_widens_the_table_and_fills_with_null(asset: Callable[..., Asset], layout: str) -> None:
    events = asset(INFERRED | {"schema_drift": "add", "layout": layout}, DAYS)
    events.write(rows(MONDAY, i1=1), MONDAY)
    events.write(rows(TUESDAY, i2=2).drop_columns("n").append_column("colour", pa.array(["red"])), TUESDAY)
    assert events.read(pa.Table, MONDAY, TUESDAY).sort_by("id").select(["id", "n", "colour"]).to_pylist() == [
        {"id": 1, "n": 1, "colour": None},
        {"id": 2, "n": None, "colour": "red"},
    ]
    with pytest.raises(SchemaDrifted, match="n: bigint instead of text"):
        events.write(rows(MONDAY, i2=2).set_column(2, "n", pa.array(["two"])), MONDAY)


@pytest.mark.parametrize(
    "frame",
    [pa.table({"x": pa.nulls(1)}), pa.table({"x": [[1, 2]]}), pd.DataFrame({"x": pd.to_timedelta(["1 day"])})],
    ids=["null", "list", "duration"],
)
def test_a_type_that_cannot_be_inferred_is_refused_with_asset_and_column(
    asset: Callable[..., Asset], frame: Any
) -> None:
    with pytest.raises(TypeRefused, match=r"bank/events.*column x: PostgreSQL has no type that holds Arrow's"):
        asset({"contract": "inferred"}).write(frame)
