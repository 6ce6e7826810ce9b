"""Every Arrow type comes back exactly as it was written, or is refused by name before anything happens."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_assets.contracts import Column, Table
from etl_assets.io_managers.errors import Permanent, Refused, TypeRefused
from etl_assets.io_managers.slices import daily_slice
from etl_assets_tests.arrow_values import REFUSED, different, every_type, tables
from etl_assets_tests.backends import Backend, a_backend, a_bank, a_suite_database  # noqa: F401
from etl_assets_tests.payments import MONDAY, PAYMENTS, Bank, payments

numbers = count()
EXAMPLES = 40
LOWEST, HIGHEST = -(2**63), 2**63 - 1


def _by_day(rows: pa.Table) -> tuple[Table, pa.Table]:
    """The rows as those of Monday in a table of their own, and its contract."""
    columns = [Column("day", pa.date32(), ""), *(Column(f.name, f.type, "") for f in rows.schema)]
    table = Table(f"table {next(numbers)}", "", tuple(columns))
    return table, rows.add_column(0, "day", pa.array([MONDAY] * len(rows), pa.date32())).cast(table.schema)


def _for_many(backend: Backend, check: Callable[..., None], **values: st.SearchStrategy[Any]) -> None:
    """The check holds for examples of the values, fewer where each takes long."""
    examples = max(8, int(EXAMPLES / backend.slowness))
    settings(deadline=None, max_examples=examples, database=None)(given(**values)(check))()


def test_any_table_comes_back_as_it_was_written(backend: Backend, bank: Bank) -> None:
    def check(rows: pa.Table) -> None:
        table, rows = _by_day(rows)
        one = bank.changed(table)
        if any(backend.refuses(field.type) for field in rows.schema):
            with pytest.raises(TypeRefused):
                one.write(rows, MONDAY)
            return
        one.write(rows, MONDAY)
        assert different(one.rows(MONDAY), rows) == []
        with bank.warehouse.read_batches(one.at, daily_slice("day", [MONDAY])) as batches:
            assert different(batches.read_all(), rows) == []

    _for_many(backend, check, rows=tables())


def test_all_types_are_null_or_absent_alike(bank: Bank) -> None:
    table, rows = _by_day(every_type())
    one = bank.changed(table)
    for part in (rows, rows.slice(0, 0)):
        one.write(part, MONDAY)
        assert different(one.rows(MONDAY), part) == []


def test_types_that_are_not_held_exactly_are_refused_by_name_before_anything_is_made(bank: Bank) -> None:
    for kind in REFUSED:
        table = Table("odd", "", (Column("day", pa.date32(), ""), Column("odd", kind, "")))
        with pytest.raises(TypeRefused) as refusal:
            bank.changed(table).write(pa.table({"day": [], "odd": []}), MONDAY)
        assert str(kind) in str(refusal.value.description)
        assert not bank.warehouse.exists("bank", "odd")


MOMENTS = (
    *(pa.timestamp(unit, zone) for unit in ("s", "ms", "us") for zone in (None, "UTC")),
    pa.date32(),
    pa.date64(),
)


def test_any_moment_that_its_bits_can_say_is_exact_or_refused(backend: Backend, bank: Bank) -> None:
    """Also those that no calendar has, and, in date64, those that are no date."""

    def check(kind: pa.DataType, bits: int) -> None:
        value = pa.array([bits >> (64 - kind.bit_width)], pa.int64()).cast(f"int{kind.bit_width}").view(kind)
        table, old = _by_day(pa.table({"at": pa.nulls(1, kind)}))
        one, new = bank.changed(table), old.set_column(1, "at", value)
        one.write(old, MONDAY)
        try:
            one.write(new, MONDAY)
        except Permanent:
            new = old
        assert different(one.rows(MONDAY), new) == []

    any_bits = st.sampled_from([LOWEST, HIGHEST]) | st.integers(LOWEST, HIGHEST)
    _for_many(backend, check, kind=st.sampled_from(MOMENTS), bits=any_bits)


def test_the_earliest_moment_of_each_type_is_before_the_databases_and_refused(bank: Bank) -> None:
    for kind in MOMENTS:
        value = pa.array([LOWEST >> (64 - kind.bit_width)], pa.int64()).cast(f"int{kind.bit_width}").view(kind)
        table, rows = _by_day(pa.table({"at": value}))
        with pytest.raises(Permanent):
            bank.changed(table).write(rows, MONDAY)
        assert not bank.warehouse.exists("bank", table.name)


def test_a_null_character_in_text_is_exact_or_refused_whole_with_the_column(backend: Backend, bank: Bank) -> None:
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        table, rows = _by_day(pa.table({"n": [1, 2], "note": pa.array(["a", "b"], kind)}))
        one = bank.changed(table)
        one.write(rows, MONDAY)
        new = rows.set_column(2, "note", pa.array(["c", "d\x00secret"], kind))
        if backend.holds_null_characters:
            one.write(new, MONDAY)
            assert different(one.rows(MONDAY), new) == []
            continue
        with pytest.raises(Permanent, match="note") as refusal:
            one.write(new, MONDAY)
        assert "secret" not in str(refusal.value.description)
        assert different(one.rows(MONDAY), rows) == []


def test_text_that_is_no_json_is_refused_without_its_content(bank: Bank) -> None:
    table, rows = _by_day(pa.table({"extra": pa.array(["{}"], pa.json_())}))
    one = bank.changed(table)
    one.write(rows, MONDAY)
    with pytest.raises(Refused) as refusal:
        one.write(rows.set_column(1, "extra", pa.array(['{"secret":'], pa.json_())), MONDAY)
    assert "secret" not in str(refusal.value.description)
    assert different(one.rows(MONDAY), rows) == []


def test_a_number_that_is_too_large_for_its_column_is_refused(bank: Bank) -> None:
    bank.write(payments(MONDAY, 1), MONDAY)
    large = pa.array([10**20], pa.decimal128(38, 0))
    with pytest.raises((Permanent, ValueError)):
        bank.write(payments(MONDAY, 2).set_column(2, "amount", large), MONDAY)
    assert bank.stored(MONDAY) == [(MONDAY, 1)]


def test_only_the_columns_asked_for_are_read_and_in_that_order(bank: Bank) -> None:
    rows = payments(MONDAY, 1, 2, note="tea").cast(PAYMENTS.schema)
    asked = ["note", "day", "id"]
    bank.write(rows, MONDAY)
    found = bank.warehouse.read_slice(bank.at, daily_slice("day", [MONDAY]), asked)
    assert different(found, rows.select(asked)) == []
