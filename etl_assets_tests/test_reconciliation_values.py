"""Any table that both warehouses hold has one fingerprint in both, and any one value that changes is found."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from etl_assets.contracts import Column, Table
from etl_assets.io_managers.errors import TypeRefused
from etl_assets.io_managers.slices import daily_slice
from etl_assets.io_managers.snowflake.types import sql_type
from etl_assets_tests.arrow_values import _array, columns
from etl_assets_tests.backends import a_suite_database  # noqa: F401
from etl_assets_tests.mirrored_tables import Mirrored, a_mirrored_table, found, on  # noqa: F401
from etl_assets_tests.payments import MONDAY, TUESDAY

numbers = count()
TWO_DAYS = daily_slice("day", [MONDAY, TUESDAY])
# Not shrunk: each step writes four tables into two databases.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
MODERATE = settings(
    deadline=None,
    max_examples=20,
    phases=PHASES,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@dataclass(frozen=True, repr=False)
class Change:
    """A table by day and id, the same with one other value, the row and the column of that."""

    rows: pa.Table
    changed: pa.Table
    row: int
    column: str

    def __repr__(self) -> str:
        """Short: a table may have a megabyte of text."""
        return f"{self.column}, row {self.row}: {str(self.values)[:200]}"

    @property
    def values(self) -> list[object]:
        """What was there and what is there now."""
        return [table[self.column][self.row].as_py() for table in (self.rows, self.changed)]


def is_held(kind: pa.DataType) -> bool:
    """Whether both warehouses hold the type; the local Snowflake has 64 bits for NUMBER(38,0)."""
    try:
        return sql_type(kind) != "NUMBER(38,0)"
    except TypeRefused:
        return False


def said_of_double(value: float) -> object:
    """What a comparison sees of a double, by exact arithmetic."""
    exact = Fraction(value) if math.isfinite(value) else Fraction(0)
    if not math.isfinite(value):
        return repr(value)
    if abs(exact) >= 2**115:
        return "huge" if value > 0 else "-huge"
    return exact if abs(exact) >= 1 else math.trunc(exact * 2**106)


def seen(value: Any) -> object:
    return said_of_double(value) if isinstance(value, float) else value


@st.composite
def changes(draw: st.DrawFn) -> Change:
    drawn = draw(st.lists(columns.filter(lambda column: is_held(column[0])), min_size=1, max_size=5))
    rows = draw(st.integers(1, 5))
    drafts = [draw(st.lists(st.none() | values, min_size=rows, max_size=rows)) for _, values in drawn]
    row, number = draw(st.integers(0, rows - 1)), draw(st.integers(0, len(drawn) - 1))
    kind, values = drawn[number]
    other = draw(st.none() | values)
    changed = [*drafts[number][:row], other, *drafts[number][row + 1 :]]
    was, is_ = (seen(_array(kind, [value])[0].as_py()) for value in (drafts[number][row], other))
    assume(was != is_)
    arrays = [_array(kind, values) for (kind, _), values in zip(drawn, drafts, strict=True)]
    names = [f"{n} {kind}" for n, (kind, _) in enumerate(drawn)]
    key = {"day": pa.array([MONDAY] * rows, pa.date32()), "id": pa.array(range(rows), pa.int64())}
    table = pa.table({**key, **dict(zip(names, arrays, strict=True))})
    return Change(table, table.set_column(2 + number, names[number], _array(kind, changed)), row, names[number])


def contract(rows: pa.Table) -> Table:
    key = ("day", "id")
    fields = tuple(Column(field.name, field.type, "", field.name in key) for field in rows.schema)
    return Table(f"table {next(numbers)}", "", fields, key, "day")


@MODERATE
@given(change=changes())
def test_any_table_is_equal_in_both_and_any_other_value_is_found(mirrored: Mirrored, change: Change) -> None:
    one = mirrored.of(contract(change.rows))
    one.postgres.warehouse.write(one.at, TWO_DAYS, pa.concat_tables([change.rows, on(TUESDAY, change.rows)]), "run")
    one.mirror(pa.concat_tables([change.rows, on(TUESDAY, change.changed)]), TWO_DAYS)
    same, other = one.certificates(TWO_DAYS)
    assert found(same) == ("equal", 0, 0, 0, ())
    assert same.hash_in_postgres == same.hash_in_snowflake
    assert found(other) == ("different", 0, 0, 1, (change.column,))
    assert other.differing_keys == ({"day": str(TUESDAY), "id": str(change.row)},)
