"""What is missing, empty, unequal in shape or written in between gets its own verdict; reads are bounded."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from etl_assets.contracts import Column, Table
from etl_assets.io_managers.errors import Permanent
from etl_assets.io_managers.slices import WHOLE, Dimension, Part, Slice, daily_slice
from etl_assets.reconciliation.certificates import Verdict
from etl_assets.reconciliation.drilldown import Bounds
from etl_assets_tests.backends import a_suite_database  # noqa: F401
from etl_assets_tests.mirrored_tables import Mirrored, a_mirrored_table, found, on  # noqa: F401
from etl_assets_tests.payments import MONDAY, PAYMENTS, TUESDAY, WEDNESDAY
from etl_assets_tests.test_reconciliation_rows import changed, payments

TWO_DAYS = daily_slice("day", [MONDAY, TUESDAY])


@pytest.fixture(name="one")
def a_written_table(mirrored: Mirrored) -> Mirrored:
    """Three payments in both warehouses."""
    one = mirrored.of(PAYMENTS)
    one.write(payments(1, 2, 3))
    return one


def test_a_table_that_one_side_lacks_is_missing_and_not_an_error(mirrored: Mirrored) -> None:
    one = mirrored.of(PAYMENTS)
    assert found(one.certificate()) == ("missing_in_postgres", 0, 0, 0, ())
    one.postgres.warehouse.write(one.at, TWO_DAYS, payments(1, 2), "run")
    monday, tuesday = one.certificates(TWO_DAYS)
    assert found(monday) == ("missing_in_snowflake", 2, 0, 0, ())
    assert found(tuesday) == ("missing_in_snowflake", 0, 0, 0, ())
    other = mirrored.of(PAYMENTS)
    other.mirror(payments(1, 2))
    assert found(other.certificate()) == ("missing_in_postgres", 0, 2, 0, ())


def test_a_partition_is_equal_if_it_is_empty_on_both_sides_and_missing_on_one(one: Mirrored) -> None:
    one.write(pa.concat_tables([payments(1), on(TUESDAY, payments(1))]), TWO_DAYS)
    one.mirror(payments(1), TWO_DAYS)
    three = daily_slice("day", [MONDAY, TUESDAY, WEDNESDAY])
    verdicts = {certificate.partition_key: found(certificate)[:4] for certificate in one.certificates(three)}
    assert verdicts == {
        "2026-03-02": ("equal", 0, 0, 0),
        "2026-03-03": ("missing_in_snowflake", 1, 0, 0),
        "2026-03-04": ("equal", 0, 0, 0),
    }
    one.mirror(on(WEDNESDAY, payments(1)), daily_slice("day", [WEDNESDAY]))
    assert found(one.certificates(three)[-1]) == ("missing_in_postgres", 0, 1, 0, ())


def test_only_the_partition_that_differs_is_different(one: Mirrored) -> None:
    one.write(pa.concat_tables([payments(1, 2), on(TUESDAY, payments(1, 2))]), TWO_DAYS)
    one.mirror(payments(1, 3))
    assert [certificate.verdict for certificate in one.certificates(TWO_DAYS)] == [Verdict.DIFFERENT, Verdict.EQUAL]


def test_a_column_that_the_mirror_lacks_is_named(one: Mirrored) -> None:
    one.by_hand("ALTER TABLE {table} DROP COLUMN NOTE")
    assert found(one.certificate()) == ("different", 0, 0, 0, ("note",))
    one.by_hand("ALTER TABLE {table} DROP COLUMN DAY")
    with pytest.raises(Permanent, match="day"):
        one.certificate()


def test_a_column_that_somebody_has_made_anew_in_another_type_is_named(mirrored: Mirrored) -> None:
    columns = tuple(Column(name, kind, "") for name, kind in (("day", pa.date32()), ("booked", pa.date32())))
    one = mirrored.of(Table("booked", "", columns, partition_column="day"))
    one.write(pa.table({name: pa.array([MONDAY], pa.date32()) for name in ("day", "booked")}))
    one.by_hand("ALTER TABLE {table} DROP COLUMN BOOKED")
    one.by_hand("ALTER TABLE {table} ADD COLUMN BOOKED TIMESTAMP_NTZ(6)")
    one.by_hand(f"UPDATE {{table}} SET BOOKED = '{MONDAY} 10:00:00'")
    assert found(one.certificate()) == ("different", 0, 0, 0, ("booked",))


def test_a_text_that_somebody_has_made_a_number_is_named_and_no_error(one: Mirrored) -> None:
    one.by_hand("ALTER TABLE {table} DROP COLUMN NOTE")
    one.by_hand("ALTER TABLE {table} ADD COLUMN NOTE NUMBER(5,0)")
    assert found(one.certificate()) == ("different", 0, 0, 0, ("note",))


def test_a_column_of_postgres_in_another_type_is_named(one: Mirrored) -> None:
    name = f'"{one.at.schema}"."{one.at.table.name}"'
    with one.postgres.warehouse.transaction() as connection:
        connection.execute(f"ALTER TABLE {name} ALTER COLUMN note TYPE bigint USING 1")
    assert found(one.certificate()) == ("different", 0, 0, 0, ("note",))


def test_a_column_that_only_the_mirror_has_is_no_part_of_the_contract(one: Mirrored) -> None:
    one.by_hand("ALTER TABLE {table} ADD COLUMN OWN NUMBER(5,0)")
    assert one.certificate().is_equal


def test_rows_that_are_replaced_while_they_are_compared_are_not_called_different(one: Mirrored) -> None:
    def rewritten(question: str) -> None:
        if "hash of the row" in question:
            one.postgres.before = len
            one.postgres.warehouse.write(one.at, daily_slice("day", [MONDAY]), changed(note="tea"), "run")

    one.postgres.before = rewritten
    meanwhile = one.certificate()
    assert found(meanwhile) == ("changed_meanwhile", 0, 0, 0, ())
    assert not meanwhile.is_equal
    assert found(one.certificate()) == ("different", 0, 0, 1, ("note",))


def test_a_mirror_that_is_replaced_while_it_is_compared_is_not_called_different(one: Mirrored) -> None:
    """Snowflake differed, and when its rows are looked for it does not any more."""
    one.mirror(changed(note="tea"))

    def mended(question: str) -> None:
        if "GROUP BY" not in question and "HAVING" not in question and "INFORMATION_SCHEMA" not in question:
            one.snowflake.before = len
            one.mirror(payments(1, 2, 3))

    one.snowflake.before = mended
    assert found(one.certificate()) == ("changed_meanwhile", 0, 0, 0, ())
    assert one.certificate().is_equal


def test_the_certificate_says_which_write_was_compared(one: Mirrored) -> None:
    first = one.certificate()
    one.write(payments(1, 2))
    second = one.certificate()
    assert first.source_written_at
    assert second.source_written_at
    assert first.source_written_at < second.source_written_at < second.checked_at


def many(rows: int) -> pa.Table:
    cents = pa.array(np.arange(rows)).cast(pa.decimal128(24, 4))
    return (
        payments(0)
        .take(pa.array([0] * rows))
        .set_column(1, "id", pa.array(range(rows), pa.int64()))
        .set_column(2, "amount", cents)
    )


def with_another_cent(rows: pa.Table, at: int) -> pa.Table:
    cent = pa.array([Decimal("0.0100") if n == at else Decimal(0) for n in range(len(rows))], pa.decimal128(23, 4))
    return rows.set_column(
        2, "amount", pc.add(rows["amount"].cast(pa.decimal128(23, 4)), cent).cast(pa.decimal128(24, 4))
    )


def test_one_cent_among_a_hundred_thousand_rows_is_found_by_reading_few(one: Mirrored) -> None:
    rows = many(100_000)
    one.write(rows)
    one.mirror(with_another_cent(rows, 77_777))
    one.postgres.rows = one.snowflake.rows = 0
    certificate = one.certificate()
    assert found(certificate) == ("different", 0, 0, 1, ("amount",))
    assert certificate.differing_keys == ({"day": "2026-03-02", "id": "77777"},)
    assert one.postgres.rows + one.snowflake.rows < 8_000


def test_bounded_reads_never_claim_more_than_was_read(one: Mirrored) -> None:
    one.mirror(payments(1, 4, 5, 6, note="other"))
    none_read = one.certificate(Bounds(rows=2))
    assert (none_read.rows_missing, none_read.rows_extra, none_read.rows_changed) == (0, 0, 0)
    assert none_read.rows_not_compared == 4
    assert none_read.verdict is Verdict.DIFFERENT
    two_named = one.certificate(Bounds(keys=2))
    assert found(two_named)[:4] == ("different", 2, 3, 1)
    assert len(two_named.differing_keys) == 2
    not_looked = one.certificate(Bounds(partitions=0))
    assert not_looked.rows_not_compared == 4


def test_all_kinds_of_partitions_have_certificates(mirrored: Mirrored) -> None:
    """Whole tables, values of several dimensions, and windows within a day."""
    fields = (
        Column("region", pa.string(), ""),
        Column("n", pa.int32(), ""),
        Column("at", pa.timestamp("us", "UTC"), ""),
    )
    one = mirrored.of(Table("kinds", "", fields))
    start = datetime(2026, 3, 2, tzinfo=UTC)
    hours = [start + timedelta(hours=n) for n in range(3)]
    rows = pa.table(
        {"region": ["n'o", "s\\o", "n'o"], "n": [1, 2, 2], "at": hours},
        schema=pa.schema([(f.name, f.type) for f in fields]),
    )
    one.write(rows, WHOLE)
    one.by_hand("UPDATE {table} SET N = 3 WHERE REGION LIKE 's%'")
    regions = Dimension("region", (Part("north", "n'o"), Part("south", "s\\o")))
    numbers = Dimension("n", (Part("1", 1), Part("2", 2), Part("3", 3)))
    windows = Dimension("at", tuple(Part(str(n), at, at + timedelta(hours=1)) for n, at in enumerate(hours)))
    said = {
        slice_: {one.partition_key: one.verdict.value for one in mirrored_of}
        for slice_, mirrored_of in (
            ("whole", one.certificates(WHOLE)),
            ("grid", one.certificates(Slice((regions, numbers)))),
            ("hours", one.certificates(Slice((windows,)))),
        )
    }
    assert said["whole"] == {"": "different"}
    assert said["hours"] == {"0": "equal", "1": "different", "2": "equal"}
    assert {key: verdict for key, verdict in said["grid"].items() if verdict != "equal"} == {
        "south|2": "missing_in_snowflake",
        "south|3": "missing_in_postgres",
    }


def test_hostile_names_are_compared_like_any_other(mirrored: Mirrored) -> None:
    fields = (Column('a"b', pa.string(), ""), Column("{x}", pa.string(), ""), Column("% '", pa.int64(), ""))
    one = mirrored.of(Table("ta\"b'le", "", fields, key=("{x}",)))
    one = replace(one, at=replace(one.at, schema=f"{one.at.schema} 'x"))
    rows = pa.table({'a"b': ["{x}", "y"], "{x}": ["%s", "$1"], "% '": [1, 2]})
    one.write(rows, WHOLE)
    (same,) = one.certificates(WHOLE)
    assert same.is_equal
    one.mirror(rows.set_column(2, "% '", pa.array([1, 3], pa.int64())), WHOLE)
    (other,) = one.certificates(WHOLE)
    assert found(other) == ("different", 0, 0, 1, ("% '",))
    assert other.differing_keys == ({"{x}": "$1"},)
