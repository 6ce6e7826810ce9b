"""Bad input through the whole graph: quarantined with reason, file and line, or one clear error; never silence."""

from datetime import date, timedelta

import dagster as dg
import pytest

from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets_tests.bank import HEADER, Platform, line

MONDAY, TUESDAY, WEDNESDAY = date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 4)
GOOD = "".join(line(number, MONDAY) for number in range(40))


def quarantine(platform: Platform) -> list[tuple[object, ...]]:
    """Disposition, reasons, file and line of every quarantined record."""
    columns = ("disposition", "reasons", "file", "_row_number")
    return [tuple(row.values()) for row in platform.table("quarantined_transactions", columns, "file, _row_number")]


def account(platform: Platform) -> list[tuple[object, ...]]:
    """Read, published, invalid, duplicate, superseded and control lines of each delivery, by file."""
    columns = ("records_read", "published", "invalid", "duplicate", "superseded", "control_lines")
    return [tuple(row.values()) for row in platform.table("row_account", columns, "file")]


def test_good_rows_of_a_damaged_file_are_published_and_the_others_say_why(platform: Platform) -> None:
    too_few, too_many = "50;c1;s1;02.03.2026 10:00:00\n", "51;c1;s1;02.03.2026 10:00:00;-1,00;surplus\n"
    more = "".join(line(number, MONDAY) for number in range(100, 140))
    platform.deliver(MONDAY, HEADER + GOOD + too_few + more + too_many)
    platform.run(MONDAY)
    file = "transactions_20260302.csv"
    assert quarantine(platform) == [
        ("invalid", "record_cannot_be_split", file, 42),
        ("invalid", "record_cannot_be_split", file, 83),
    ]
    assert account(platform) == [(83, 80, 2, 0, 0, 1)]
    assert platform.failed_checks("row_account") == set()


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("60;c1;s1;31.02.2026 10:00:00;-1,00\n", "event_at_is_not_a_time"),
        ("60;c1;s1;02.03.2026 10:00:00;NaN\n", "amount_is_not_a_number"),
        (";c1;s1;02.03.2026 10:00:00;-1,00\n", "transaction_id_is_missing"),
        ("60;c1;s1;03.03.2026 10:00:00;-1,00\n", "event_at_is_after_business_date"),
        ("60;c1;s1;02.01.2026 10:00:00;-1,00\n", "event_at_is_too_late"),
        ("60;c1;s1;02.03.2026 10:00:00;-1,005\n", "amount_has_too_many_digits"),
        ("60;c1;s\x00;02.03.2026 10:00:00;-1,00\n", "record_cannot_be_split"),
        ("60;c1;caf\udcff;02.03.2026 10:00:00;-1,00\n", "record_cannot_be_split"),
    ],
)
def test_a_bad_record_deep_in_the_file_is_quarantined_under_its_reason(
    platform: Platform, record: str, reason: str
) -> None:
    content = (HEADER + GOOD + record + line(70, MONDAY)).encode("utf-8", "surrogateescape")
    platform.deliver(MONDAY, content)
    platform.run(MONDAY)
    assert quarantine(platform) == [("invalid", reason, "transactions_20260302.csv", 42)]
    assert account(platform) == [(43, 41, 1, 0, 0, 1)]


def test_a_header_without_rows_is_a_day_without_transactions_and_an_alert(platform: Platform) -> None:
    platform.deliver(MONDAY, HEADER)
    platform.run(MONDAY)
    assert account(platform) == [(1, 0, 0, 0, 0, 1)]
    assert platform.failed_checks("raw_transactions") == {("an_empty_delivery_is_announced", "2026-03-02")}


def test_a_missing_delivery_is_said_by_a_check(platform: Platform) -> None:
    platform.deliver(TUESDAY, HEADER + line(1, TUESDAY))
    platform.run(MONDAY, TUESDAY)
    assert platform.failed_checks("raw_transactions") == {("a_delivery_arrived", "2026-03-02")}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "0 bytes"),
        ("id;card;shop;at\n1;c1;s1;02.03.2026 10:00:00\n", "amount"),
    ],
)
def test_a_file_that_is_wrong_as_a_whole_is_refused_by_name_and_the_day_keeps_its_rows(
    platform: Platform, content: str, said: str
) -> None:
    platform.deliver(MONDAY, HEADER + GOOD)
    platform.run(MONDAY)
    platform.deliver(MONDAY, content, suffix="_2")
    platform.run(MONDAY)
    assert "transactions_20260302_2.csv" in platform.errors()
    assert said in platform.errors()
    assert len(platform.table("cleaned_transactions", ("transaction_id",))) == 40
    assert [row["state"] for row in platform.table("deliveries", ("state", "path"), "path")] == ["read", "rejected"]


def test_a_refused_day_of_a_range_leaves_its_neighbours_published_and_fails_the_run(platform: Platform) -> None:
    for day in (MONDAY, TUESDAY, WEDNESDAY):
        platform.deliver(day, HEADER + "".join(line(n, day) for n in range(20)))
    platform.deliver(TUESDAY, HEADER + "x;c1;s1;nonsense;-1,00\n" * 20)
    daily, *_ = platform.run(MONDAY, WEDNESDAY)
    assert "2026-03-03: 20 of 20 records are invalid" in str(daily.error)
    for asset in ("cleaned_transactions", "featured_transactions", "scored_transactions"):
        key = dg.AssetKey([platform.spec.institution, asset])
        assert platform.instance.get_materialized_partitions(key) == {"2026-03-02", "2026-03-04"}
    assert ("share_quarantined_is_under_limit", "2026-03-03") in platform.failed_checks("cleaned_transactions")


def test_a_day_above_the_limit_keeps_the_rows_that_it_had(platform: Platform) -> None:
    platform.deliver(MONDAY, HEADER + GOOD)
    platform.run(MONDAY)
    platform.deliver(MONDAY, HEADER + "x;c1;s1;nonsense;-1,00\n" * 20, suffix="_2")
    platform.run(MONDAY)
    assert "share of 0.333 above the limit" in platform.errors()
    assert len(platform.table("cleaned_transactions", ("transaction_id",))) == 40


def test_an_identical_redelivery_publishes_nothing_twice(platform: Platform) -> None:
    platform.deliver(MONDAY, HEADER + GOOD)
    platform.deliver(MONDAY, HEADER + GOOD, suffix="_again", hour=5)
    platform.run(MONDAY)
    assert account(platform) == [(41, 40, 0, 0, 0, 1), (41, 0, 0, 40, 0, 1)]
    assert [r["state"] for r in platform.table("deliveries", ("state", "path"), "path")] == ["read", "redelivered"]


def test_an_overwritten_file_keeps_the_earlier_delivery_in_the_account(platform: Platform) -> None:
    platform.deliver(MONDAY, HEADER + line(1, MONDAY) + line(2, MONDAY))
    platform.run(MONDAY)
    platform.deliver(MONDAY, HEADER + line(1, MONDAY) + line(2, MONDAY, amount="-99,00"), hour=6)
    platform.run(MONDAY)
    assert sorted(account(platform)) == [(3, 1, 0, 0, 1, 1), (3, 1, 0, 1, 0, 1)]
    amounts = platform.table("cleaned_transactions", ("amount::text",), "1")
    assert [row["amount"] for row in amounts] == ["-12.5000", "-99.0000"]
    assert platform.failed_checks("row_account") == set()


def test_a_correction_two_days_later_asks_for_the_first_day_again_and_moves_the_row(platform: Platform) -> None:
    platform.deliver(MONDAY, HEADER + line(1, MONDAY) + line(2, MONDAY))
    platform.run(MONDAY)
    platform.deliver(WEDNESDAY, HEADER + line(2, MONDAY, amount="-20,00") + line(3, WEDNESDAY))
    platform.run(WEDNESDAY)
    assert ("transaction_key_is_unique", "2026-03-04") in platform.failed_checks("cleaned_transactions")
    platform.run(MONDAY)
    platform.run(WEDNESDAY)
    assert platform.failed_checks("cleaned_transactions") == set()
    rows = platform.table("cleaned_transactions", ("business_date::text AS day", "transaction_id AS id"), "1, 2")
    assert [tuple(row.values()) for row in rows] == [("2026-03-02", "1"), ("2026-03-04", "2"), ("2026-03-04", "3")]


def test_an_unreachable_database_is_one_clear_error_without_the_password(platform: Platform) -> None:
    platform.deliver(MONDAY, HEADER + GOOD)
    platform.warehouse = PostgresWarehouse(url="postgresql://etl:topsecret@127.0.0.1:9/warehouse", retry_for_s=0)
    platform.run(MONDAY)
    assert "PostgreSQL at 127.0.0.1:9/warehouse does not answer" in platform.errors()
    assert "topsecret" not in platform.errors()


def test_a_folder_that_cannot_be_listed_is_not_an_empty_one(platform: Platform) -> None:
    platform.run(MONDAY)
    assert "cannot be listed" in platform.errors()
    assert not platform.warehouse.exists(platform.spec.institution, "raw_transactions")


def test_a_key_that_comes_again_after_the_horizon_is_another_payment_in_one_range_as_well(platform: Platform) -> None:
    later = MONDAY + timedelta(days=platform.spec.duplicate_horizon_days + 1)
    platform.deliver(MONDAY, HEADER + line(1, MONDAY))
    platform.deliver(later, HEADER + line(1, later))
    platform.run(MONDAY, later, layers=("daily",))
    assert len(platform.table("cleaned_transactions")) == 2
    assert "transaction_key_is_unique" not in {name for name, _ in platform.failed_checks("cleaned_transactions")}
