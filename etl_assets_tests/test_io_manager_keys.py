"""Partitions that are names or numbers, those that come later, rectangles of two dimensions, and no partitions."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from etl_assets.contracts import Column, Table
from etl_assets.io_managers.asset_metadata import table_metadata
from etl_assets.io_managers.errors import NeverWritten, Permanent, RowsOutsideSlice
from etl_assets.io_managers.slices import Partial
from etl_assets_tests.dagster_asset import Asset, an_asset  # noqa: F401

NAMES = ("o'hara", 'q"uote', "100% $1 \\n", "Größe")
DAYS = dg.DailyPartitionsDefinition("2026-03-01", end_date="2026-03-10")
REGIONS = dg.StaticPartitionsDefinition(["north", "south", "west"])
CELLS = dg.MultiPartitionsDefinition({"region": REGIONS, "on": DAYS})
SALES = Table(
    "sales",
    "",
    (Column("day", pa.date32(), ""), Column("region", pa.string(), ""), Column("n", pa.int64(), "")),
)
OF_CELLS = {**table_metadata(SALES), "partition_expr": {"on": "day", "region": "region"}}
Row = tuple[str, str, int]


def of(kind: pa.DataType) -> dict[str, Any]:
    columns = (Column("part", kind, ""), Column("n", pa.int64(), ""))
    return table_metadata(Table("events", "", columns, partition_column="part"))


def rows(parts: dict[Any, int], kind: pa.DataType) -> pa.Table:
    """By part the number in its only row."""
    return pa.table({"part": pa.array(parts, kind), "n": list(parts.values())})


def numbers(found: pa.Table) -> dict[Any, int]:
    return dict(zip(found["part"].to_pylist(), found["n"].to_pylist(), strict=True))


def sales(*found: Row) -> pa.Table:
    days, regions, n = zip(*found, strict=True)
    return pa.table({"day": pa.array(days).cast(pa.date32()), "region": regions, "n": n})


def cells(found: pa.Table) -> set[Row]:
    return {(str(row["day"]), row["region"], row["n"]) for row in found.to_pylist()}


@pytest.mark.parametrize("layout", ["plain", "partitioned"])
def test_static_names_are_values_of_a_text_column_whatever_is_in_them(asset: Callable[..., Asset], layout: str) -> None:
    named = asset(of(pa.string()) | {"layout": layout}, dg.StaticPartitionsDefinition(NAMES))
    named.write(rows(dict.fromkeys(NAMES, 1), pa.string()), NAMES[0], NAMES[-1])
    named.write(rows({NAMES[1]: 2}, pa.string()), NAMES[1])
    assert sorted(str(key) for key, _ in named.said()) == sorted([*NAMES, NAMES[1]])
    assert numbers(named.read(pa.Table, NAMES[1])) == {NAMES[1]: 2}
    assert numbers(named.read(pa.Table, NAMES[0], NAMES[-1])) == dict.fromkeys(NAMES, 1) | {NAMES[1]: 2}


def test_static_numbers_are_values_of_an_integer_column(asset: Callable[..., Asset]) -> None:
    numbered = asset(of(pa.int32()), dg.StaticPartitionsDefinition(["1", "2", "10"]))
    numbered.write(rows({1: 1, 2: 2, 10: 3}, pa.int32()), "1", "10")
    numbered.write(rows({2: 7}, pa.int32()), "2")
    assert numbers(numbered.read(pa.Table, "1", "2")) == {1: 1, 2: 7}
    with pytest.raises(RowsOutsideSlice):
        numbered.write(rows({10: 1}, pa.int32()), "1")


def test_a_static_name_that_its_column_cannot_hold_is_refused_by_name(asset: Callable[..., Asset]) -> None:
    named = asset(of(pa.int32()), dg.StaticPartitionsDefinition(["north"]))
    with pytest.raises(Permanent, match=r"bank/events.*north.*int32"):
        named.write(rows({1: 1}, pa.int32()), "north")


def test_dynamic_partitions_are_written_when_they_come(asset: Callable[..., Asset]) -> None:
    files = asset(of(pa.string()), dg.DynamicPartitionsDefinition(name="files"))
    files.instance.add_dynamic_partitions("files", ["b", "a"])
    files.write(rows({"a": 1, "b": 2}, pa.string()), "b", "a")
    files.instance.add_dynamic_partitions("files", ["c"])
    files.write(rows({"c": 3}, pa.string()), "c")
    assert numbers(files.read(pa.Table, "b", "c")) == {"a": 1, "b": 2, "c": 3}
    assert numbers(files.read(pa.Table, "a")) == {"a": 1}


def test_one_cell_of_a_rectangle_is_written_alone(asset: Callable[..., Asset]) -> None:
    cell = asset(OF_CELLS, CELLS)
    cell.write(sales(("2026-03-02", "north", 1)), "2026-03-02|north")
    cell.write(sales(("2026-03-02", "south", 2)), "2026-03-02|south")
    cell.write(sales(("2026-03-02", "north", 3)), "2026-03-02|north")
    assert cells(cell.read(pa.Table, "2026-03-02|north", "2026-03-02|south")) == {
        ("2026-03-02", "north", 3),
        ("2026-03-02", "south", 2),
    }
    with pytest.raises(RowsOutsideSlice):
        cell.write(sales(("2026-03-03", "north", 1)), "2026-03-02|north")
    with pytest.raises(NeverWritten, match=r"bank/events.*2026-03-03\|west"):
        cell.read(pa.Table, "2026-03-03|west")


def test_a_rectangle_in_one_run_replaces_what_is_in_it_and_nothing_else(asset: Callable[..., Asset]) -> None:
    rectangle = asset(OF_CELLS, CELLS)
    every = [(day, region, 1) for day in ("2026-03-02", "2026-03-03") for region in ("north", "south", "west")]
    rectangle.write(sales(*every), "2026-03-02|north", "2026-03-03|west")
    rectangle.write(sales(("2026-03-03", "south", 5)), "2026-03-02|south", "2026-03-03|west")
    again = {key: said["dagster/partition_row_count"] for key, said in rectangle.said()[6:]}
    assert again == {"2026-03-02|south": 0, "2026-03-02|west": 0, "2026-03-03|south": 1, "2026-03-03|west": 0}
    assert cells(rectangle.read(pa.Table, "2026-03-02|north", "2026-03-03|west")) == {
        ("2026-03-02", "north", 1),
        ("2026-03-03", "north", 1),
        ("2026-03-03", "south", 5),
    }


def test_a_dimension_may_be_dynamic(asset: Callable[..., Asset]) -> None:
    shops = dg.DynamicPartitionsDefinition(name="shops")
    by_shop = asset(OF_CELLS, dg.MultiPartitionsDefinition({"region": shops, "on": DAYS}))
    by_shop.instance.add_dynamic_partitions("shops", ["x", "y"])
    by_shop.write(sales(("2026-03-02", "x", 1), ("2026-03-03", "y", 2)), "2026-03-02|x", "2026-03-03|y")
    assert cells(by_shop.read(pa.Table, "2026-03-02|y", "2026-03-03|y")) == {("2026-03-03", "y", 2)}


def test_what_is_no_rectangle_is_refused_by_name(asset: Callable[..., Asset]) -> None:
    rectangle = asset(OF_CELLS, CELLS)
    rows = sales(("2026-03-02", "north", 1))
    rectangle.write(rows, "2026-03-02|north", "2026-03-03|south")
    diagonal = dg.SpecificPartitionsPartitionMapping(["2026-03-02|north", "2026-03-03|south"])
    with pytest.raises(Permanent, match=r"bank/events.*: the run's 2 partitions are no rectangle"):
        rectangle.read(pa.Table, mapping=diagonal)
    with pytest.raises(Permanent, match=r"bank/events.*: the run's 3 partitions are no rectangle"):
        rectangle.write(Partial(rows, {"2026-03-03|south": "late"}), "2026-03-02|north", "2026-03-03|south")
    assert cells(rectangle.read(pa.Table, "2026-03-02|north")) == {("2026-03-02", "north", 1)}


@pytest.mark.parametrize("said", [None, "day", {"on": "day"}, {"on": "day", "region": "planet"}], ids=str)
def test_a_dimension_without_a_column_of_its_own_is_refused(asset: Callable[..., Asset], said: object) -> None:
    with pytest.raises(Permanent, match=r"bank/events.*(dimensions \['on', 'region'\]|column planet)"):
        asset(OF_CELLS | {"partition_expr": said}, CELLS).write(sales(("2026-03-02", "north", 1)), "2026-03-02|north")


def test_a_partitioned_asset_without_partition_column_is_refused(asset: Callable[..., Asset]) -> None:
    with pytest.raises(Permanent, match=r"bank/events.*: it is partitioned; name its partition column"):
        asset(table_metadata(SALES), DAYS).write(sales(("2026-03-02", "north", 1)), "2026-03-02")


def test_without_partitions_the_whole_table_is_replaced(asset: Callable[..., Asset]) -> None:
    whole = asset(table_metadata(SALES))
    whole.write(sales(("2026-03-02", "north", 1), ("2026-03-03", "north", 2)))
    whole.write(sales(("2026-03-03", "south", 3)))
    assert cells(whole.read()) == {("2026-03-03", "south", 3)}
    assert [said["dagster/row_count"] for _, said in whole.said()] == [2, 1]


def test_a_partition_reads_all_of_an_unpartitioned_upstream(asset: Callable[..., Asset]) -> None:
    whole = asset(table_metadata(SALES))
    whole.write(sales(("2026-03-02", "north", 1), ("2026-03-03", "north", 2)))
    assert whole.read(pa.Table, "2026-03-03", by=DAYS).num_rows == 2


def test_an_unpartitioned_asset_reads_every_partition_of_its_upstream(asset: Callable[..., Asset]) -> None:
    two_days = dg.DailyPartitionsDefinition("2026-03-02", end_date="2026-03-04")
    by_day = asset({**table_metadata(SALES), "partition_expr": "day"}, two_days)
    by_day.write(sales(("2026-03-02", "north", 1)), "2026-03-02")
    with pytest.raises(NeverWritten, match=r"bank/events.*: the partitions 2026-03-03 have never been written"):
        by_day.read()
    by_day.write(sales(("2026-03-03", "north", 2)), "2026-03-03")
    assert by_day.read()["n"].to_pylist() == [1, 2]
