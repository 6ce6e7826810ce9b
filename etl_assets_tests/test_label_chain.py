"""Confirmed labels through the graph: features know a fraud from the moment on at which the institution knew it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from etl_assets_tests.bank import Platform, line
from etl_assets_tests.conftest import fresh_platform

HEADER = "id;card;shop;at;amount;fraud\n"
DAYS = [date(2026, 3, 16) + timedelta(days=n) for n in range(7)]
KNOWN_AFTER = 2
LABELS = {"source": "fraud", "known_after_days": KNOWN_AFTER}
SHOP = "s3"


def deliver(platform: Platform) -> None:
    """Twenty payments a day; on the second day all those in one shop are frauds of ordinary amounts."""
    for n, day in enumerate(DAYS):
        rows = [
            line(100 * n + i, day, card=f"c{i % 4}", shop=f"s{i % 5}", hour=str(2 + i), amount=f"-{20 + i % 3},00")
            for i in range(20)
        ]
        is_fraud = [int(n == 1 and i % 5 == 3) for i in range(20)]
        labelled = [f"{row.strip()};{fraud}\n" for row, fraud in zip(rows, is_fraud, strict=True)]
        platform.deliver(day, HEADER + "".join(labelled))


@pytest.fixture(scope="module")
def in_one_range(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("labelled")
    with fresh_platform(request, folder, start_date="2026-03-16", labels=LABELS) as platform:
        deliver(platform)
        platform.run(DAYS[0], DAYS[-1], layers=("daily",))
        assert platform.errors() == ""
        yield platform


def test_each_label_stands_on_the_day_on_which_it_was_known(in_one_range: Platform) -> None:
    later = timedelta(days=KNOWN_AFTER)
    assert labels_by_day(in_one_range) == {
        day + later: (day, 20, 4 if day == DAYS[1] else 0) for day in DAYS[:-KNOWN_AFTER]
    }


def labels_by_day(platform: Platform) -> dict[date, tuple[date, int, int]]:
    found: dict[date, tuple[date, int, int]] = {}
    for row in platform.table("confirmed_labels", ("business_date", "transaction_date", "is_fraud", "is_explained")):
        assert not row["is_explained"]
        day, paid = row["business_date"], row["transaction_date"]
        _, labels, frauds = found.get(day, (paid, 0, 0))
        found[day] = (paid, labels + 1, frauds + int(bool(row["is_fraud"])))
    return found


def test_no_feature_knows_a_fraud_before_the_institution_did(in_one_range: Platform) -> None:
    columns = ("business_date", "event_at", "counterparty_id", "counterparty_unexplained_frauds_7d AS frauds")
    rows = in_one_range.table("featured_transactions", columns, "event_at")
    known = {row["event_at"]: row["frauds"] for row in rows if row["counterparty_id"] == SHOP}
    first_fraud = min(at for at in known if at.date() == DAYS[1])
    assert {frauds for at, frauds in known.items() if at <= first_fraud + timedelta(days=KNOWN_AFTER)} == {0}
    assert {frauds for at, frauds in known.items() if at.date() >= DAYS[1] + timedelta(days=KNOWN_AFTER + 1)} == {4}
    assert {row["frauds"] for row in rows if row["counterparty_id"] != SHOP} == {0}


def test_days_one_by_one_have_the_features_of_the_range(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, in_one_range: Platform
) -> None:
    folder = tmp_path_factory.mktemp("one_by_one")
    with fresh_platform(request, folder, start_date="2026-03-16", labels=LABELS) as platform:
        deliver(platform)
        for day in DAYS:
            platform.run(day, layers=("daily",))
            assert platform.errors() == ""
        for table, order in (("featured_transactions", "transaction_id"), ("confirmed_labels", "transaction_id")):
            assert platform.arrow(table, order).equals(in_one_range.arrow(table, order)), table


def test_a_bank_without_labels_has_neither_the_table_nor_the_features(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with fresh_platform(request, tmp_path_factory.mktemp("unlabelled"), start_date="2026-03-16") as platform:
        keys = platform.definitions.resolve_asset_graph().get_all_asset_keys()
        assert not [key for key in keys if key.path[-1] == "confirmed_labels"]
