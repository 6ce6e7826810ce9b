"""Rows that are spooled come back as they went in, whether or not they went over the disk."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_assets.spool import Spool

SCHEMA = pa.schema([("n", pa.int64()), ("text", pa.string())])


def rows(numbers: list[int]) -> pa.Table:
    return pa.table({"n": numbers, "text": [f"row {n}" for n in numbers]}, schema=SCHEMA)


@given(st.lists(st.lists(st.integers(0, 9), max_size=5), max_size=10), st.integers(0, 300))
def test_rows_come_back_in_order_and_as_often_as_asked(added: list[list[int]], most_bytes: int) -> None:
    expected = [n for numbers in added for n in numbers]
    with Spool(SCHEMA, most_bytes) as spool:
        for numbers in added:
            spool.add(rows(numbers))
            assert spool.whole()["n"].to_pylist() == expected[: spool.num_rows]
        assert spool.num_rows == len(expected)
        assert spool.reader().read_all()["n"].to_pylist() == expected


@given(st.lists(st.tuples(st.booleans(), st.lists(st.integers(0, 9), max_size=5)), max_size=8), st.integers(0, 200))
def test_absorbed_rows_keep_their_place(added: list[tuple[bool, list[int]]], most_bytes: int) -> None:
    expected = [n for _, numbers in added for n in numbers]
    with Spool(SCHEMA, most_bytes) as spool:
        for is_absorbed, numbers in added:
            if not is_absorbed:
                spool.add(rows(numbers))
                continue
            with Spool(SCHEMA, most_bytes // 2) as other:
                other.add(rows(numbers[:2]))
                other.add(rows(numbers[2:]))
                spool.absorb(other)
                assert other.whole().num_rows == 0
        assert spool.num_rows == len(expected)
        assert spool.whole()["n"].to_pylist() == expected


def test_many_rows_do_not_stay_in_memory() -> None:
    before = pa.total_allocated_bytes()
    with Spool(SCHEMA, 100_000) as spool:
        for _ in range(100):
            spool.add(rows(list(range(1000))))
        assert pa.total_allocated_bytes() - before < 1_000_000
        assert sum(table.num_rows for table in spool.tables()) == 100_000


def test_a_reader_gives_only_what_is_kept() -> None:
    with Spool(SCHEMA, 10) as spool:
        spool.add(rows([1, 2]))
        spool.add(rows([3, 4]))
        even = spool.reader(lambda table: table.filter(pc.equal(pc.bit_wise_and(table["n"], 1), 0)))
        assert even.read_all()["n"].to_pylist() == [2, 4]


def test_rows_with_other_columns_are_refused() -> None:
    with Spool(SCHEMA) as spool, pytest.raises(ValueError, match="n"):
        spool.add(pa.table({"n": [1]}))
