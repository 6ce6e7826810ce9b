"""Each way in which a mirror's rows can be others is found, counted and named, whatever it is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from etl_assets.contracts import Column, Table
from etl_assets.io_managers.slices import daily_slice
from etl_assets.reconciliation.certificates import Certificate
from etl_assets_tests.backends import a_suite_database  # noqa: F401
from etl_assets_tests.mirrored_tables import Mirrored, a_mirrored_table, found, on  # noqa: F401
from etl_assets_tests.payments import KEYLESS, MONDAY, PAYMENTS

NOON = datetime(2026, 3, 2, 12, 0, 0, 7, tzinfo=UTC)
COLUMNS = {
    "amount": Decimal("-12.3400"),
    "at": NOON,
    "note": "a|b",
    "bytes": b"\x00|",
    "share": 0.1,
    "is_new": False,
}
NULLABLE = pa.schema([field.with_nullable(nullable=True) for field in PAYMENTS.schema])


def payments(*ids: int, **values: Any) -> pa.Table:
    rows = [{"day": MONDAY, "id": i, **COLUMNS, **values} for i in ids]
    return pa.Table.from_pylist(rows, schema=NULLABLE)


@pytest.fixture(name="one")
def a_table(mirrored: Mirrored) -> Mirrored:
    """A table that nobody has written."""
    return mirrored.of(PAYMENTS)


def changed(**values: Any) -> pa.Table:
    """The second of three payments is another."""
    return pa.concat_tables([payments(1), payments(2, **values), payments(3)])


def day_by_day(one: Mirrored, days: Mapping[str, tuple[pa.Table, pa.Table]]) -> dict[str, Certificate]:
    """The certificates of days that hold the first rows in PostgreSQL and the second in Snowflake, by name."""
    dates = [MONDAY + timedelta(days=n) for n in range(len(days))]
    slice_ = daily_slice("day", dates)
    here, there = (pa.concat_tables(map(on, dates, rows)) for rows in zip(*days.values(), strict=True))
    one.postgres.warehouse.write(one.at, slice_, here, "run")
    one.mirror(there, slice_)
    return dict(zip(days, one.certificates(slice_), strict=True))


OTHERS: dict[str, dict[str, Any]] = {
    "a cent": {"amount": Decimal("-12.3300")},
    "a hundredth of a cent": {"amount": Decimal("-12.3401")},
    "the sign": {"amount": Decimal("12.3400")},
    "a microsecond": {"at": NOON.replace(microsecond=8)},
    "a space": {"note": "a|b "},
    "a letter that looks the same": {"note": "\u0430|b"},
    "no text for NULL": {"note": ""},
    "NULL for text": {"note": None},
    "the sign of NULL": {"note": "~"},
    "a byte": {"bytes": b"\x01|"},
    "the next double": {"share": math.nextafter(0.1, 1)},
    "a double that is none": {"share": math.nan},
    "a truth": {"is_new": None},
}


def test_one_other_value_is_found_with_its_row_and_column(one: Mirrored) -> None:
    days = {name: (payments(1, 2, 3), changed(**other)) for name, other in OTHERS.items()}
    for name, certificate in day_by_day(one, days).items():
        assert (name, *found(certificate)) == (name, "different", 0, 0, 1, (next(iter(OTHERS[name])),))
        assert [key["id"] for key in certificate.differing_keys] == ["2"]


MOVES: tuple[tuple[tuple[str | None, str | None], tuple[str | None, str | None]], ...] = (
    (("a|b", ""), ("a", "|b")),
    (("a,b", "c"), ("a", "b,c")),
    (("a", "8:b"), ("a8:b", "")),
    (("~", None), (None, "~")),
    (("", None), (None, "")),
    (("\x1f", "\n"), ("\x1f\n", "")),
    (("\u00e9", "e\u0301"), ("e\u0301", "\u00e9")),
)


def test_text_that_moves_into_the_next_column_is_found(mirrored: Mirrored) -> None:
    day, number = PAYMENTS.columns[:2]
    texts = (Column("one", pa.string(), ""), Column("other", pa.string(), ""))
    one = mirrored.of(Table("texts", "", (day, number, *texts), ("day", "id"), "day"))

    def row(one_text: str | None, other: str | None) -> pa.Table:
        values = {"day": MONDAY, "id": 1, "one": one_text, "other": other}
        return pa.Table.from_pylist([values], schema=one.at.table.schema)

    days = {str(n): (row(*before), row(*after)) for n, (before, after) in enumerate(MOVES)}
    expected = ("different", 0, 0, 1, ("one", "other"))
    assert {found(certificate) for certificate in day_by_day(one, days).values()} == {expected}


def test_the_same_rows_are_equal_in_any_order_and_with_either_zero(one: Mirrored) -> None:
    rows = (payments(1, 2, 3, share=0.0), payments(3, 1, 2, share=-0.0))
    assert found(day_by_day(one, {"same": rows})["same"]) == ("equal", 0, 0, 0, ())


def test_rows_that_are_others_in_number_or_place_are_told_apart(one: Mirrored) -> None:
    """Of swapped values every sum, count and extreme is the same."""
    three, tea = payments(1, 2, 3), payments(1, note="tea")
    days = {
        "missing": (three, payments(1, 2)),
        "extra": (three, payments(1, 2, 3, 4)),
        "another": (three, payments(1, 2, 4)),
        "swapped": (pa.concat_tables([tea, payments(2)]), pa.concat_tables([payments(1), payments(2, note="tea")])),
    }
    certificates = day_by_day(one, days)
    assert {name: found(certificate) for name, certificate in certificates.items()} == {
        "missing": ("different", 1, 0, 0, ()),
        "extra": ("different", 0, 1, 0, ()),
        "another": ("different", 1, 1, 0, ()),
        "swapped": ("different", 0, 0, 2, ("note",)),
    }
    keys = {name: sorted(str(key["id"]) for key in one.differing_keys) for name, one in certificates.items()}
    assert keys == {"missing": ["3"], "extra": ["4"], "another": ["3", "4"], "swapped": ["1", "2"]}


def test_a_row_that_stands_there_twice_is_one_too_many(one: Mirrored) -> None:
    """Snowflake enforces no key."""
    one.write(payments(1, 2, 3))
    one.by_hand("INSERT INTO {table} SELECT * FROM {table} WHERE ID = 2")
    certificate = one.certificate()
    assert found(certificate) == ("different", 0, 1, 0, ())
    assert certificate.differing_keys == ({"day": "2026-03-02", "id": "2"},)
    one.by_hand("INSERT INTO {table} SELECT * FROM {table} WHERE ID = 2")
    assert found(one.certificate()) == ("different", 0, 3, 0, ())


def test_a_table_without_key_is_compared_as_a_multiset_of_rows(one: Mirrored) -> None:
    days = {
        "same": (payments(1, 2, 2), payments(2, 1, 2)),
        "another": (payments(1, 2, 2), payments(1, 2, 4)),
        "once more": (payments(1, 2, 2), payments(1, 2, 2, 2)),
    }
    certificates = day_by_day(one.of(KEYLESS), days)
    assert {name: found(certificate)[:4] for name, certificate in certificates.items()} == {
        "same": ("equal", 0, 0, 0),
        "another": ("different", 1, 1, 0),
        "once more": ("different", 0, 1, 0),
    }
    assert not any(certificate.differing_keys for certificate in certificates.values())


def test_no_value_leaves_the_databases_but_those_of_the_key(one: Mirrored) -> None:
    """Neither in the certificate nor on the way to it."""
    one.write(payments(1, 2, 3))
    one.mirror(changed(note="secret", amount=Decimal("99.9900")))
    seen: list[str] = []
    for side in (one.postgres, one.snowflake):
        original = side.warehouse.fetch
        side.warehouse = _Spied(side.warehouse, seen, original)
    try:
        certificate = one.certificate()
    finally:
        for side in (one.postgres, one.snowflake):
            side.warehouse = side.warehouse.warehouse
    assert certificate.columns_differ == ("amount", "note")
    assert not any("secret" in text for text in (*seen, repr(certificate)))
    assert "99.99" not in repr(replace(certificate, sums=""))


class _Spied:
    """A warehouse whose answers are written down."""

    def __init__(self, warehouse: Any, seen: list[str], fetch: Any) -> None:
        self.warehouse, self.exists, self._seen, self._fetch = warehouse, warehouse.exists, seen, fetch

    def fetch(self, sql: str, values: Any = ()) -> pa.Table:
        rows = self._fetch(sql, values)
        self._seen.append(str(rows.to_pylist()))
        return rows
