"""Names that people give: any text is a schema, table, column or partition, or is refused before anything is made."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from etl_assets.contracts import Column, Table
from etl_assets.io_managers.errors import Permanent
from etl_assets.io_managers.slices import Dimension, Part, Slice
from etl_assets.io_managers.targets import Mode, Target
from etl_assets_tests.abilities import Ability, needs
from etl_assets_tests.backends import Backend, a_backend, a_bank, a_suite_database  # noqa: F401
from etl_assets_tests.payments import Bank

NAMES = {
    "quotes": "o'Neill\"; DROP TABLE x --",
    "spaces": " two  words ",
    "upper case": "SELECT",
    "percent": "100 % (%s) %(a)s",
    "dollar": "$1 {} :a \\",
    "dot": "a.b",
    "not ASCII": "Überweisungen 支付 \U0001f4b0",
    "63 bytes": "x" * 63,
    "63 bytes not ASCII": "é" * 31 + "x",
}
names = pytest.mark.parametrize("name", NAMES.values(), ids=list(NAMES))


def _named(name: str, key: tuple[str, ...] = ()) -> Table:
    """A table in which everything has the name: itself, its partition column and another one."""
    other = name[1:] if len(name.encode()) > 40 else f"{name}2"
    return Table(name, "", (Column(name, pa.string(), ""), Column(other, pa.int64(), "")), key)


def _slice(table: Table, *values: str) -> Slice:
    return Slice((Dimension(table.columns[0].name, tuple(Part(value, value) for value in values)),))


def _rows(table: Table, *values: str) -> pa.Table:
    return pa.table([pa.array(values, pa.string()), list(range(len(values)))], names=table.schema.names)


def _there(backend: Backend, schema: str, table: Table) -> Bank:
    return Bank(backend.warehouse(), Target(schema, table, backend.layout))


@names
@pytest.mark.parametrize("is_keyed", [True, False])
def test_any_name_is_a_name_and_nothing_else(backend: Backend, name: str, is_keyed: bool) -> None:  # noqa: FBT001
    table = _named(name, (name,) if is_keyed else ())
    schema = "bank" if Ability.ANY_SCHEMA in backend.cannot else name
    one = _there(backend, schema, table)
    for _ in range(2):
        assert one.put(_rows(table, name, "other"), _slice(table, name, "other")) == {name: 1, "other": 1}
        one.put(_rows(table, name), _slice(table, name))
    found = one.warehouse.read_slice(one.at, _slice(table, name))
    assert found.to_pylist() == [{table.schema.names[0]: name, table.schema.names[1]: 0}]
    assert one.all().num_rows == 2
    assert one.warehouse.written(schema, name) == {name, "other"}
    assert backend.strangers(one.at) == set()


@pytest.mark.parametrize("name", [NAMES["quotes"], NAMES["percent"]])
@needs(Ability.UPSERT)
def test_any_name_can_be_upserted(backend: Backend, name: str) -> None:
    table = _named(name, (name,))
    one = _there(backend, "bank" if Ability.ANY_SCHEMA in backend.cannot else name, table)
    for _ in range(2):
        one.put(_rows(table, name), _slice(table, name), Mode.UPSERT)
    assert one.all().num_rows == 1


@pytest.mark.parametrize("odd", ["long", "long not ASCII", "", "a\x00b"], ids=["long", "not ASCII", "empty", "null"])
def test_a_name_that_the_database_would_change_is_refused_before_anything_is_made(backend: Backend, odd: str) -> None:
    """PostgreSQL cuts long names without a word: two tables that differ in the end would be one."""
    too_long = backend.longest_name + 1
    name = {"long": "x" * too_long, "long not ASCII": "é" * (too_long // 2) + "x" * (too_long % 2)}.get(odd, odd)
    short = _named("short")
    odd_column = replace(short, columns=(short.columns[0], Column(name, pa.int64(), "")))
    for schema, table in ((name, short), ("bank", replace(short, name=name)), ("bank", odd_column)):
        with pytest.raises(Permanent):
            _there(backend, schema, table).put(_rows(table, "a"), _slice(table, "a"))
        assert not backend.warehouse().exists("bank", "short")


def test_tables_of_one_long_beginning_stay_apart(backend: Backend) -> None:
    """Also in what the database names after them: indexes, partitions."""
    tables = [_named(f"{'x' * 62}{end}") for end in "ab"]
    for number, table in enumerate(tables):
        _there(backend, "bank", table).put(_rows(table, *"a" * number), _slice(table, "a"))
    assert [_there(backend, "bank", table).all().num_rows for table in tables] == [0, 1]


def test_the_notes_are_no_table_of_an_asset(bank: Bank) -> None:
    notes = bank.changed(_named("_slices"))
    with pytest.raises(Permanent):
        notes.put(_rows(notes.at.table, "a"), _slice(notes.at.table, "a"))
