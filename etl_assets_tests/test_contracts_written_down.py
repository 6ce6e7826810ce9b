"""A contract as text: JSON for metadata, DDL for a database, Markdown for people, and tables that cannot exist."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_assets.contracts import Column, ContractBroken, Table, arrow_type, quoted
from etl_assets.io_managers.postgres.types import STORED, sql_type
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.slices import WHOLE
from etl_assets.io_managers.targets import Mode, Target
from etl_assets_tests.test_contracts import PAYMENTS

decimals = st.integers(1, 38).flatmap(lambda p: st.builds(pa.decimal128, st.just(p), st.integers(-p, p)))
moments = st.builds(
    pa.timestamp,
    st.sampled_from(["s", "ms", "us", "ns"]),
    st.none() | st.sampled_from(["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "+01:00"]),
)
types = st.sampled_from([*map(arrow_type, STORED), pa.decimal256(60, 5), pa.decimal64(12, 2)]) | decimals | moments
columns = st.builds(
    Column, st.text(min_size=1), types, st.text(), required=st.booleans(), unit=st.none() | st.text(max_size=3)
)


@given(st.lists(columns, min_size=1, max_size=4, unique_by=lambda c: c.name), st.text(), st.data())
def test_a_contract_comes_back_from_json(columns: list[Column], name: str, data: st.DataObject) -> None:
    names = st.sampled_from([column.name for column in columns])
    key = tuple(data.draw(st.lists(names, unique=True)))
    table = Table(name, "Any.", tuple(columns), key=key, partition_column=data.draw(st.none() | names))
    back = Table.from_dict(json.loads(json.dumps(table.to_dict())))
    assert back == table
    assert back.schema == table.schema


def test_a_type_that_no_table_can_have_is_refused_by_name() -> None:
    with pytest.raises(ContractBroken, match="list<item: string>"):
        arrow_type(str(pa.list_(pa.string())))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": ()}, r"table t: no columns"),
        ({"columns": (Column("a", pa.int64(), ""), Column("a", pa.string(), ""))}, r"columns named twice \['a'\]"),
        ({"key": ("a", "b")}, r"unknown key columns \['b'\]"),
        ({"key": ("a", "a")}, r"key columns named twice \['a'\]"),
        ({"partition_column": "day"}, r"unknown key columns \['day'\]"),
    ],
)
def test_a_table_that_cannot_exist_is_refused_where_it_is_written_down(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ContractBroken, match=message):
        Table(**{"name": "t", "description": "", "columns": (Column("a", pa.int64(), ""),), **changes})


def test_the_statement_names_types_key_and_required_columns() -> None:
    assert PAYMENTS.ddl("bank.payments", sql_type) == (
        "CREATE TABLE IF NOT EXISTS bank.payments (\n"
        '  "id" bigint NOT NULL,\n'
        '  "payer" text NOT NULL,\n'
        '  "payee" text,\n'
        '  "amount" numeric(24,4),\n'
        '  "at" timestamp with time zone,\n'
        '  PRIMARY KEY ("id")\n'
        ")"
    )


HOSTILE = [
    'a"',
    '"',
    "'",
    "a b",
    "Ünï",
    "select",
    "x); DROP SCHEMA bank CASCADE; --",
    '""; --',
    "\\",
    "%s",
    "$1",
    "A",
    "a",
]


def test_hostile_names_are_only_names(warehouse: PostgresWarehouse) -> None:
    table = Table("p); --", "Hostile.", tuple(Column(n, pa.string(), n) for n in HOSTILE), key=tuple(HOSTILE[:2]))
    target = Target('ba"nk', table)
    content = pa.table({name: [name, name + "2"] for name in HOSTILE})
    warehouse.write(target, WHOLE, content, "run", mode=Mode.APPEND)
    stored = warehouse.read_slice(target, WHOLE)
    assert sorted(stored.to_pylist(), key=str) == sorted(content.to_pylist(), key=str)


@settings(max_examples=50)
@given(st.text(min_size=1))
def test_a_quoted_name_ends_where_it_began(name: str) -> None:
    inside = quoted(name)[1:-1]
    assert '"' not in inside.replace('""', "")
    assert inside.replace('""', '"') == name


def test_the_dictionary_has_a_line_per_column_that_says_what_it_means() -> None:
    assert PAYMENTS.dictionary().splitlines() == [
        "### payments",
        "",
        "Payments of a day.",
        "",
        "| column | type | unit | meaning |",
        "|---|---|---|---|",
        "| `id` (key) | int64, required |  | Which payment. |",
        "| `payer` | string, required |  | Who paid. |",
        "| `payee` | string |  | Who was paid. |",
        "| `amount` | decimal128(24, 4) | currency | How much. |",
        "| `at` | timestamp[us, tz=UTC] |  | When. |",
    ]


def test_a_name_from_a_file_cannot_break_the_dictionary() -> None:
    table = Table("t", "Any.", (Column("a|b\n| c", pa.int64(), "One | two\nlines."),))
    assert table.dictionary().splitlines()[-1] == r"| `a\|b \| c` | int64 |  | One \| two lines. |"
