"""What a table promises of its rows, and what it refuses to take for them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from etl_assets.contracts import Column, ContractBroken, Table, arrow_type, repeated_keys
from etl_assets.io_managers.postgres.types import STORED

MONEY = pa.decimal128(24, 4)
INSTANT = pa.timestamp("us", "UTC")
PAYMENTS = Table(
    "payments",
    "Payments of a day.",
    (
        Column("id", pa.int64(), "Which payment."),
        Column("payer", pa.string(), "Who paid.", required=True),
        Column("payee", pa.string(), "Who was paid."),
        Column("amount", MONEY, "How much.", unit="currency"),
        Column("at", INSTANT, "When."),
    ),
    key=("id",),
)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
THREE = {
    "id": [1, 2, 3],
    "payer": ["a", "b", "c"],
    "payee": ["x", None, "z"],
    "amount": pa.array([Decimal("12.5"), None, Decimal(-3)], MONEY),
    "at": pa.array([NOON, None, NOON], INSTANT),
}


def rows(**columns: Any) -> pa.Table:
    return pa.table(THREE | columns)


def column_of(kind: pa.DataType) -> Table:
    return Table("t", "One column.", (Column("value", kind, "A value."),))


def conformed(values: pa.Array, kind: pa.DataType) -> list[Any]:
    found: list[Any] = column_of(kind).conform(pa.table({"value": values}))["value"].to_pylist()
    return found


@given(st.permutations(PAYMENTS.schema.names))
def test_columns_go_in_by_name_in_whatever_order_they_come(order: list[str]) -> None:
    shuffled = rows().select(order)
    assert PAYMENTS.conform(shuffled) == PAYMENTS.conform(rows())
    assert PAYMENTS.conform(shuffled).schema == PAYMENTS.schema


def test_frames_of_other_libraries_conform_to_the_same_rows() -> None:
    expected = PAYMENTS.conform(rows())
    assert PAYMENTS.conform(pl.from_arrow(rows()).to_arrow()) == expected
    frame = rows().to_pandas()
    assert isinstance(frame, pd.DataFrame)
    assert PAYMENTS.conform(pa.Table.from_pandas(frame, preserve_index=False)) == expected
    encoded = rows(payer=pa.array(["a", "b", "c"]).dictionary_encode())
    assert PAYMENTS.conform(encoded) == expected


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (rows().drop_columns("payee"), r"table payments: missing columns \['payee'\]"),
        (rows(note=["", "", ""]), r"table payments: unknown columns \['note'\]"),
        (rows().rename_columns(["id", "payer", "Payee", "amount", "at"]), r"missing .*'payee'.* unknown .*'Payee'"),
        (rows().append_column("payee", pa.array([""] * 3)), r"table payments: repeated columns \['payee'\]"),
        (rows(payer=["a", None, None]), "column payer is required and is null in 2 rows"),
        (rows(id=pa.array([1, None, 3])), "column id is required and is null in 1 rows"),
        (rows(id=[1, 2, 1]), r"key \(id\) is not unique: 1 rows repeat another"),
        (rows(id=[2, 2, 2], payer=["a", None, "c"]), "null in 1 rows; key .* 2 rows repeat another"),
        (rows(id=["one", "two", "three"]), "table payments, column id: string does not fit int64 without loss"),
    ],
)
def test_rows_of_another_shape_are_refused_in_words(broken: pa.Table, message: str) -> None:
    with pytest.raises(ContractBroken, match=message):
        PAYMENTS.conform(broken)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (pa.array([Decimal("0.00001")]), MONEY),
        (pa.array([0.12345]), MONEY),
        (pa.array([float("nan")]), MONEY),
        (pa.array([Decimal("12345678901234567890.1234")], MONEY), pa.float64()),
        (pa.array([0.1]), pa.float32()),
        (pa.array([1.5]), pa.int64()),
        (pa.array([2**53 + 1]), pa.float64()),
        (pa.array([2]), pa.bool_()),
        (pa.array([70_000]), pa.int16()),
        (pa.array(["012"]), pa.int64()),
        (pa.array([b"\xff"]), pa.string()),
        (pa.array([1], pa.timestamp("ns", "UTC")), INSTANT),
        (pa.array([datetime(2026, 3, 2, 13)], pa.timestamp("us")), pa.date32()),  # noqa: DTZ001
        (pa.array([datetime(2026, 3, 2)], pa.timestamp("us")), INSTANT),  # noqa: DTZ001
        (pa.array([NOON], INSTANT), pa.timestamp("us")),
        (pa.array([NOON.replace(hour=0)], INSTANT), pa.date32()),
        (pa.array([date(2026, 3, 2)]), INSTANT),
    ],
    ids=lambda value: str(value) if isinstance(value, pa.DataType) else f"{value.type}:{value[0]}",
)
def test_a_value_that_would_change_or_be_guessed_is_refused(values: pa.Array, kind: pa.DataType) -> None:
    with pytest.raises(ContractBroken, match="does not fit"):
        conformed(values, kind)


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (pa.array([0.1, None, -12.5]), MONEY, [Decimal("0.1"), None, Decimal("-12.5")]),
        (pa.array([7, None]), pa.float64(), [7.0, None]),
        (pa.array([1, 0]), pa.bool_(), [True, False]),
        (pa.array([None, None]), INSTANT, [None, None]),
        (pa.array(["é", None], pa.large_string()), pa.string(), ["é", None]),
        (pa.array([NOON], pa.timestamp("ms", "Europe/Berlin")), INSTANT, [NOON]),
        (pa.array([datetime(2026, 3, 2)], pa.timestamp("ns")), pa.date32(), [date(2026, 3, 2)]),  # noqa: DTZ001
        (pa.array([0.5, float("inf"), None], pa.float64()), pa.float32(), [0.5, float("inf"), None]),
    ],
)
def test_a_value_that_another_type_holds_exactly_is_taken(values: pa.Array, kind: pa.DataType, expected: list) -> None:
    assert conformed(values, kind) == expected


def test_not_a_number_stays_not_a_number() -> None:
    (found,) = conformed(pa.array([float("nan")], pa.float64()), pa.float32())
    assert found != found  # noqa: PLR0124  only NaN is unequal to itself


@example(0.0003)
@given(st.floats(-1e6, 1e6) | st.decimals(-100, 100, places=6).map(float))
def test_a_float_becomes_money_only_where_it_says_the_same(value: float) -> None:
    try:
        (found,) = conformed(pa.array([value]), MONEY)
    except ContractBroken:
        assert float(round(Decimal(value), 4)) != value
    else:
        assert float(found) == value


@given(st.lists(st.tuples(st.none() | st.integers(0, 2), st.none() | st.text("ab", max_size=1)), max_size=12))
def test_repeated_keys_are_counted_as_a_person_would(keys: list[tuple[int | None, str | None]]) -> None:
    table = pa.table(
        {"n": pa.array([n for n, _ in keys], pa.int64()), "t": pa.array([t for _, t in keys], pa.string())}
    )
    whole = Counter((n, t) for n, t in keys if n is not None and t is not None)
    assert repeated_keys(table, ("n", "t")) == sum(count - 1 for count in whole.values())


@pytest.mark.parametrize("kind", [*map(arrow_type, STORED), MONEY, INSTANT, pa.timestamp("us")], ids=str)
def test_an_empty_table_has_the_types_and_conforms(kind: pa.DataType) -> None:
    table = Table("t", "Keyed.", (Column("value", kind, "A value."),), key=("value",))
    assert table.empty().schema == pa.schema([pa.field("value", kind, nullable=False)])
    assert table.conform(table.empty()) == table.empty()
