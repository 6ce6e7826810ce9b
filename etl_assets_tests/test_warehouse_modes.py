"""Write modes, each with its idempotence, and what happens when the table is not as its contract says."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from etl_assets.contracts import Column, Table
from etl_assets.io_managers.errors import KeyRepeated, Permanent, RowsOutsideSlice, SchemaDrifted
from etl_assets.io_managers.slices import WHOLE
from etl_assets.io_managers.targets import Drift, Mode
from etl_assets_tests.abilities import Ability, needs
from etl_assets_tests.backends import a_backend, a_bank, a_suite_database  # noqa: F401
from etl_assets_tests.payments import KEYLESS, MONDAY, PAYMENTS, TUESDAY, Bank, payments

BY_ID = replace(PAYMENTS, name="by_id", key=("id",))
COLOUR = Column("colour", pa.string(), "Colour.")


@needs(Ability.APPEND)
def test_append_adds_and_a_rerun_doubles(bank: Bank) -> None:
    keyless = bank.changed(KEYLESS)
    keyless.write(payments(MONDAY, 1), MONDAY)
    for _ in range(2):
        assert keyless.write(payments(MONDAY, 2, 3), MONDAY, mode=Mode.APPEND) == {"2026-03-02": 2}
    assert keyless.stored(MONDAY) == [(MONDAY, n) for n in (1, 2, 3, 2, 3)]


@needs(Ability.APPEND)
def test_append_of_a_key_that_is_there_is_refused_and_changes_nothing(bank: Bank) -> None:
    bank.write(payments(MONDAY, 1, 2), MONDAY, mode=Mode.APPEND)
    with pytest.raises(KeyRepeated):
        bank.write(payments(MONDAY, 3, 2), MONDAY, mode=Mode.APPEND)
    assert bank.stored(MONDAY) == [(MONDAY, 1), (MONDAY, 2)]


@pytest.mark.parametrize("key", [("day", "id"), ("id", "day")])
def test_the_first_write_of_a_table_makes_its_key(bank: Bank, key: tuple[str, ...]) -> None:
    keyed = bank.changed(replace(PAYMENTS, key=key))
    with pytest.raises(KeyRepeated):
        keyed.write(payments(MONDAY, 1, 2, 1), MONDAY)
    assert not keyed.warehouse.exists(keyed.at.schema, keyed.at.table.name)
    keyed.write(payments(MONDAY, 2, 1), MONDAY)
    keyed.write(payments(TUESDAY, 1), TUESDAY)
    with pytest.raises(KeyRepeated):
        keyed.write(payments(TUESDAY, 1, 1), TUESDAY)
    assert sorted(keyed.stored(MONDAY, TUESDAY)) == [(MONDAY, 1), (MONDAY, 2), (TUESDAY, 1)]


@needs(Ability.APPEND)
def test_appended_rows_are_of_the_slice_too(bank: Bank) -> None:
    with pytest.raises(RowsOutsideSlice):
        bank.write(payments(TUESDAY, 1), MONDAY, mode=Mode.APPEND)


@needs(Ability.UPSERT)
def test_upsert_replaces_by_key_keeps_the_rest_and_can_be_repeated(bank: Bank) -> None:
    bank.write(payments(MONDAY, 1, 2, note="old"), MONDAY)
    for _ in range(2):
        bank.write(payments(MONDAY, 3, 2, note="new"), MONDAY, mode=Mode.UPSERT)
        assert bank.stored(MONDAY) == [(MONDAY, 1), (MONDAY, 2), (MONDAY, 3)]
        assert bank.notes(MONDAY) == ["old", "new", "new"]


@needs(Ability.UPSERT)
def test_keep_adds_what_is_new_and_changes_no_row_that_is_there(bank: Bank) -> None:
    bank.write(payments(MONDAY, 1, 2, note="as told"), MONDAY, mode=Mode.KEEP)
    for _ in range(2):
        bank.write(payments(MONDAY, 3, 2, note="restated"), MONDAY, mode=Mode.KEEP)
        assert bank.stored(MONDAY) == [(MONDAY, 1), (MONDAY, 2), (MONDAY, 3)]
        assert bank.notes(MONDAY) == ["as told", "as told", "restated"]


@needs(Ability.UPSERT)
def test_keep_of_one_key_twice_is_refused_and_changes_nothing(bank: Bank) -> None:
    bank.write(payments(MONDAY, 1, note="as told"), MONDAY)
    with pytest.raises(KeyRepeated):
        bank.write(payments(MONDAY, 2, 2, note="twice"), MONDAY, mode=Mode.KEEP)
    assert bank.notes(MONDAY) == ["as told"]


@needs(Ability.UPSERT)
def test_upsert_moves_a_row_whose_key_does_not_say_its_partition(bank: Bank) -> None:
    by_id = bank.changed(BY_ID)
    by_id.write(payments(MONDAY, 1, 2), MONDAY)
    by_id.write(payments(TUESDAY, 2), TUESDAY, mode=Mode.UPSERT)
    assert by_id.stored(MONDAY, TUESDAY) == [(MONDAY, 1), (TUESDAY, 2)]


@needs(Ability.UPSERT)
def test_upsert_of_one_key_twice_is_refused_and_changes_nothing(bank: Bank) -> None:
    bank.write(payments(MONDAY, 1, note="old"), MONDAY)
    with pytest.raises(KeyRepeated):
        bank.write(payments(MONDAY, 1, 1, note="new"), MONDAY, mode=Mode.UPSERT)
    assert bank.notes(MONDAY) == ["old"]


@needs(Ability.UPSERT)
def test_upsert_of_a_table_that_is_all_key_adds_what_is_new(bank: Bank) -> None:
    table = Table("keys", "", PAYMENTS.columns[:2], ("day", "id"))
    keys = bank.changed(table)
    for ids in ((1, 2), (2, 3)):
        keys.write(payments(MONDAY, *ids).select(["day", "id"]), MONDAY, mode=Mode.UPSERT)
    assert keys.stored(MONDAY) == [(MONDAY, 1), (MONDAY, 2), (MONDAY, 3)]


def test_upsert_without_a_key_has_no_meaning(bank: Bank) -> None:
    with pytest.raises(Permanent, match=r"key|replace_partition"):
        bank.changed(KEYLESS).write(payments(MONDAY, 1), MONDAY, mode=Mode.UPSERT)


@needs(Ability.REPLACE_TABLE)
@pytest.mark.parametrize("is_whole", [True, False])
def test_replace_table_leaves_only_the_rows_of_this_run(bank: Bank, is_whole: bool) -> None:  # noqa: FBT001
    bank.write(payments(TUESDAY, 9), TUESDAY)
    for _ in range(2):
        if is_whole:
            assert bank.put(payments(MONDAY, 1), WHOLE, Mode.REPLACE_TABLE) == {"": 1}
        else:
            bank.write(payments(MONDAY, 1), MONDAY, mode=Mode.REPLACE_TABLE)
        assert bank.all().num_rows == 1
        assert bank.warehouse.written("bank", "payments") == {"" if is_whole else "2026-03-02"}


@needs(Ability.REPLACE_TABLE)
def test_a_refused_replace_table_leaves_all_that_was_there(bank: Bank) -> None:
    bank.write(payments(TUESDAY, 9), TUESDAY)
    with pytest.raises(KeyRepeated):
        bank.put(payments(MONDAY, 1, 1), WHOLE, Mode.REPLACE_TABLE)
    assert bank.stored(TUESDAY) == [(TUESDAY, 9)]
    assert bank.warehouse.written("bank", "payments") == {"2026-03-03"}


@needs(Ability.REPLACE_TABLE)
def test_a_table_without_partitions_is_replaced_whole(bank: Bank) -> None:
    for ids in ((1, 2), (3,)):
        bank.put(payments(MONDAY, *ids))
    assert bank.stored(MONDAY) == [(MONDAY, 3)]


@needs(Ability.UPSERT)
def test_a_key_that_another_partition_holds_is_refused_and_changes_nothing(bank: Bank) -> None:
    by_id = bank.changed(BY_ID)
    by_id.write(payments(MONDAY, 1), MONDAY)
    with pytest.raises(KeyRepeated):
        by_id.write(payments(TUESDAY, 1), TUESDAY)
    assert by_id.stored(MONDAY, TUESDAY) == [(MONDAY, 1)]


def _with(*columns: Column) -> Table:
    return replace(PAYMENTS, columns=(*PAYMENTS.columns, *columns))


def _coloured(rows: pa.Table, colour: str) -> pa.Table:
    return rows.append_column("colour", pa.array([colour] * len(rows)))


@pytest.mark.parametrize("drift", Drift)
@pytest.mark.parametrize(
    ("table", "named"),
    [
        (
            replace(PAYMENTS, columns=(*PAYMENTS.columns[:6], Column("share", pa.string(), ""), PAYMENTS.columns[7])),
            "share",
        ),
        (replace(PAYMENTS, key=("id", "day")), "key"),
        (replace(PAYMENTS, key=()), "key"),
        (_with(replace(COLOUR, required=True)), "colour"),
    ],
    ids=["another type", "key in another order", "no key", "a new required column"],
)
def test_a_table_that_is_something_else_is_refused_before_anything_is_deleted(
    bank: Bank, drift: Drift, table: Table, named: str
) -> None:
    bank.write(payments(MONDAY, 1), MONDAY)
    changed = bank.changed(table, drift)
    with pytest.raises(SchemaDrifted, match=named):
        changed.write(
            _coloured(payments(MONDAY, 2), "red")
            .select(table.schema.names)
            .cast(pa.schema([f.with_nullable(nullable=True) for f in table.schema])),
            MONDAY,
        )
    assert bank.stored(MONDAY) == [(MONDAY, 1)]


@pytest.mark.parametrize("is_wider", [True, False], ids=["column missing", "column too many"])
def test_drift_is_refused_by_default_with_its_columns(bank: Bank, is_wider: bool) -> None:  # noqa: FBT001
    narrow, wide = bank, bank.changed(_with(COLOUR))
    before, after = (narrow, wide) if is_wider else (wide, narrow)
    rows = {narrow: payments(MONDAY, 1), wide: _coloured(payments(MONDAY, 1), "red")}
    before.write(rows[before], MONDAY)
    with pytest.raises(SchemaDrifted, match="colour"):
        after.write(rows[after].slice(0, 0), MONDAY)
    assert before.stored(MONDAY) == [(MONDAY, 1)]


def test_drift_that_may_add_gives_the_table_its_new_nullable_column(bank: Bank) -> None:
    bank.write(payments(MONDAY, 1), MONDAY)
    wide = bank.changed(_with(COLOUR), Drift.ADD)
    wide.write(_coloured(payments(TUESDAY, 2), "red"), TUESDAY)
    wide.write(_coloured(payments(TUESDAY, 2), "blue"), TUESDAY)
    assert wide.rows(MONDAY, TUESDAY)["colour"].to_pylist() == [None, "blue"]


def test_drift_that_may_add_keeps_a_column_that_only_the_table_has(bank: Bank) -> None:
    wide, narrow = bank.changed(_with(COLOUR)), bank.changed(PAYMENTS, Drift.ADD)
    wide.write(_coloured(payments(MONDAY, 1), "red"), MONDAY)
    narrow.write(payments(TUESDAY, 2), TUESDAY)
    assert wide.rows(MONDAY, TUESDAY)["colour"].to_pylist() == ["red", None]


def test_a_column_that_only_the_table_has_and_requires_is_refused(bank: Bank) -> None:
    wide = bank.changed(_with(replace(COLOUR, required=True)))
    wide.write(_coloured(payments(MONDAY, 1), "red"), MONDAY)
    with pytest.raises(SchemaDrifted, match="colour"):
        bank.changed(PAYMENTS, Drift.ADD).write(payments(MONDAY, 2), MONDAY)
    assert wide.stored(MONDAY) == [(MONDAY, 1)]


def test_a_write_that_fails_after_drift_added_a_column_takes_it_back(bank: Bank) -> None:
    bank.write(payments(MONDAY, 1), MONDAY)
    with pytest.raises(RowsOutsideSlice):
        bank.changed(_with(COLOUR), Drift.ADD).write(_coloured(payments(TUESDAY, 2), "red"), MONDAY)
    bank.write(payments(MONDAY, 3), MONDAY)
    assert bank.stored(MONDAY) == [(MONDAY, 3)]
