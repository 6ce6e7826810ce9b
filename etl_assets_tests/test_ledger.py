"""What the ledger knows of deliveries, where their records went, and which model version was in force."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from etl_assets.contracts import ContractBroken
from etl_assets.deliveries.ledger import Ledger, in_force
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.ledger_tables import PROMOTIONS
from etl_assets_tests.reads import MONDAY, read

TUESDAY, WEDNESDAY, SUNDAY = (MONDAY + timedelta(days=n) for n in (1, 2, 6))
NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)


@pytest.fixture
def ledger(warehouse: PostgresWarehouse) -> Ledger:
    return Ledger(warehouse, "bank_test")


def states(ledger: Ledger, *days: date) -> dict[str, tuple[str, int]]:
    """State and attempt by path."""
    rows = ledger.deliveries(days or [MONDAY, TUESDAY]).to_pylist()
    return {row["path"]: (row["state"], row["attempt"]) for row in rows}


def test_a_ledger_that_was_never_written_is_empty(ledger: Ledger) -> None:
    assert ledger.deliveries([MONDAY]).num_rows == 0
    assert in_force(ledger.promotions(), MONDAY) is None


def test_a_delivery_is_known_with_everything_that_was_found(ledger: Ledger) -> None:
    found = read("in/a.csv", content_digest="d", stated_rows=2, due_at=NOON, source="s3://b", duration_s=1.5)
    before = datetime.now(UTC)
    ledger.record([found], "run-1")
    (row,) = ledger.deliveries([MONDAY]).to_pylist()
    assert before <= row["first_read_at"] == row.pop("read_at") <= datetime.now(UTC)
    given = {"state": "read", "attempt": 1, "run_id": "run-1", "is_late": False}
    given |= {"first_read_at": row["first_read_at"]}
    expected = {name: getattr(found, name.removeprefix("_")) for name in row.keys() - given.keys()}
    assert row == expected | given


def test_a_second_read_counts_up_and_stays_one_delivery(ledger: Ledger) -> None:
    ledger.record([read("a.csv")], "run-1")
    ledger.record([read("a.csv"), read("b.csv", "b")], "run-2")
    assert states(ledger) == {"a.csv": ("read", 2), "b.csv": ("read", 1)}
    assert set(ledger.deliveries([MONDAY])["run_id"].to_pylist()) == {"run-2"}


def test_the_same_path_with_other_bytes_is_another_delivery(ledger: Ledger) -> None:
    ledger.record([read("a.csv", "a")], "run-1")
    ledger.record([read("a.csv", "b")], "run-2")
    rows = ledger.deliveries([MONDAY]).to_pylist()
    assert sorted((row["path"], row["state"], row["attempt"]) for row in rows) == [
        ("a.csv", "corrected", 1),
        ("a.csv", "read", 1),
    ]


def test_the_same_bytes_under_another_name_or_date_are_redelivered(ledger: Ledger) -> None:
    ledger.record([read("a.csv")], "run-1")
    later = MONDAY + timedelta(days=9)
    ledger.record(
        [read("copy.csv", delivered_at=datetime(2026, 3, 3, 9, tzinfo=UTC)), read("b.csv", day=later)], "run-2"
    )
    expected = {"a.csv": ("read", 1), "copy.csv": ("redelivered", 1), "b.csv": ("redelivered", 1)}
    assert states(ledger, MONDAY, later) == expected


def test_the_first_of_a_run_with_the_same_bytes_is_read_and_the_other_redelivered(ledger: Ledger) -> None:
    ledger.record([read("b.csv", delivered_at=NOON), read("a.csv", delivered_at=NOON - timedelta(hours=1))], "run-1")
    assert states(ledger) == {"a.csv": ("read", 1), "b.csv": ("redelivered", 1)}


def test_a_redelivery_that_is_read_again_stays_one(ledger: Ledger) -> None:
    pair = [read("a.csv"), read("b.csv", day=TUESDAY)]
    ledger.record(pair, "run-1")
    ledger.record(pair[1:], "run-2")
    ledger.record(pair[:1], "run-3")
    assert states(ledger) == {"a.csv": ("read", 2), "b.csv": ("redelivered", 2)}


def test_which_delivery_is_the_first_does_not_depend_on_the_order_of_runs(ledger: Ledger) -> None:
    ledger.record([read("b.csv", day=TUESDAY)], "run-1")
    ledger.record([read("a.csv")], "run-2")
    assert states(ledger) == {"a.csv": ("read", 1), "b.csv": ("redelivered", 1)}
    assert set(ledger.deliveries([TUESDAY])["run_id"].to_pylist()) == {"run-1"}


def test_the_same_bytes_as_a_rejected_file_are_read_and_redelivered_once_that_one_can_be_read(ledger: Ledger) -> None:
    ledger.record([read("a.csv", problem="no cp1252")], "run-1")
    ledger.record([read("b.csv", day=TUESDAY)], "run-2")
    assert states(ledger) == {"a.csv": ("rejected", 1), "b.csv": ("read", 1)}
    ledger.record([read("a.csv")], "run-3")
    assert states(ledger) == {"a.csv": ("read", 2), "b.csv": ("redelivered", 1)}


def test_a_file_that_was_rejected_keeps_its_reason_until_it_can_be_read(ledger: Ledger) -> None:
    ledger.record([read("a.csv", problem="it has 0 bytes", records_read=0, control_lines=0)], "run-1")
    (row,) = ledger.deliveries([MONDAY]).to_pylist()
    assert (row["state"], row["problem"], row["records_read"]) == ("rejected", "it has 0 bytes", 0)
    ledger.record([read("a.csv")], "run-2")
    (row,) = ledger.deliveries([MONDAY]).to_pylist()
    assert (row["state"], row["problem"], row["records_read"], row["attempt"]) == ("read", None, 3, 2)


def test_deliveries_are_told_for_the_days_asked_for(ledger: Ledger) -> None:
    ledger.record([read("a.csv"), read("b.csv", "b", day=TUESDAY)], "run-1")
    assert set(states(ledger, TUESDAY)) == {"b.csv"}
    assert states(ledger, WEDNESDAY) == {}


def test_a_retried_step_of_one_run_has_read_a_delivery_once(ledger: Ledger) -> None:
    for run in ("run-1", "run-1", "run-2"):
        ledger.record([read("a.csv")], run)
    assert states(ledger) == {"a.csv": ("read", 2)}


def test_a_file_that_was_only_saved_again_is_told_from_a_corrected_one(ledger: Ledger) -> None:
    ledger.record([read("a.csv", "first", content_digest="rows")], "run-1")
    ledger.record([read("a.csv", "saved again", content_digest="rows", delivered_at=NOON)], "run-2")
    ledger.record([read("copy.csv", "saved as", content_digest="rows", delivered_at=NOON)], "run-2")
    assert [row["state"] for row in ledger.history(MONDAY, MONDAY).to_pylist()] == ["read", "resaved", "redelivered"]


def test_what_comes_after_its_date_was_read_is_late_and_stays_late(ledger: Ledger) -> None:
    ledger.record([read("a.csv")], "run-1")
    after = datetime.now(UTC) + timedelta(minutes=1)
    ledger.record([read("b.csv", "b", delivered_at=after), read("c.csv", "c", day=TUESDAY)], "run-2")
    ledger.record([read("b.csv", "b", delivered_at=after)], "run-3")
    assert states(ledger) == {"a.csv": ("read", 1), "b.csv": ("late", 2), "c.csv": ("read", 1)}


def test_what_an_older_release_wrote_is_read_and_widened(ledger: Ledger) -> None:
    added = {"content_digest", "stated_rows", "due_at", "is_late", "first_read_at", "source", "code_version"}
    ledger.record([read("a.csv", problem="no cp1252")], "run-1")
    with ledger.warehouse.transaction() as connection:
        for column in (*added, "duration_s"):
            connection.execute(f"ALTER TABLE bank_test.deliveries DROP COLUMN {column}")
    assert ledger.versions(MONDAY, MONDAY)["state"].to_pylist() == ["rejected"]
    (row,) = ledger.history(MONDAY, MONDAY).to_pylist()
    assert {row[name] for name in added} == {None}
    ledger.record([read("a.csv", content_digest="d")], "run-2")
    assert states(ledger) == {"a.csv": ("read", 2)}


def test_a_run_that_found_nothing_records_nothing(ledger: Ledger) -> None:
    ledger.record([read("a.csv")], "run-1")
    ledger.record([], "run-2")
    assert states(ledger) == {"a.csv": ("read", 1)}


def test_two_institutions_have_ledgers_of_their_own(warehouse: PostgresWarehouse) -> None:
    Ledger(warehouse, "one").record([read("a.csv")], "run-1")
    Ledger(warehouse, "two").record([read("b.csv")], "run-2")
    assert states(Ledger(warehouse, "two")) == {"b.csv": ("read", 1)}


def promotions(*decisions: tuple[date, str | None, str]) -> pa.Table:
    """(in force from, version, outcome), decided one after the other."""
    rows = [
        {
            "in_force_from": day,
            "model_version": version,
            "model_run_id": f"training-{version}",
            "outcome": outcome,
            "reason": "because",
            "decided_at": datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=n),
            "run_id": "run",
        }
        for n, (day, version, outcome) in enumerate(decisions)
    ]
    return pa.Table.from_pylist(rows, schema=PROMOTIONS.schema)


@pytest.mark.parametrize(
    ("decisions", "expected"),
    [
        ([], None),
        ([(TUESDAY, "1", "promoted")], None),
        ([(MONDAY, "1", "promoted")], "1"),
        ([(MONDAY, "1", "refused")], None),
        ([(SUNDAY - timedelta(days=20), "1", "promoted"), (MONDAY, "2", "refused")], "1"),
        ([(SUNDAY - timedelta(days=20), "1", "promoted"), (MONDAY, "2", "promoted")], "2"),
        ([(MONDAY, "2", "promoted"), (SUNDAY - timedelta(days=20), "1", "promoted")], "2"),
        ([(MONDAY, "2", "promoted"), (MONDAY, "1", "promoted")], "1"),
        ([(MONDAY, "1", "promoted"), (MONDAY, None, "refused")], "1"),
        ([(MONDAY, "1", "promoted"), (WEDNESDAY, "2", "promoted")], "1"),
    ],
)
def test_the_latest_promotion_for_the_latest_date_scores_a_day(
    decisions: list[tuple[date, str | None, str]], expected: str | None
) -> None:
    found = in_force(promotions(*decisions), MONDAY)
    assert found == (None if expected is None else (expected, f"training-{expected}"))


def test_a_rollback_is_one_more_decision_and_the_earlier_ones_stay(ledger: Ledger) -> None:
    for version in ("1", "2", "1"):
        decision = {"model_version": version, "model_run_id": f"r{version}", "outcome": "promoted", "reason": "gate"}
        ledger.decide(MONDAY, decision, "run")
    assert ledger.promotions()["model_version"].to_pylist() == ["1", "2", "1"]
    assert in_force(ledger.promotions(), SUNDAY) == ("1", "r1")
    assert in_force(ledger.promotions(), MONDAY - timedelta(days=1)) is None


def test_a_decision_without_a_reason_is_not_recorded(ledger: Ledger) -> None:
    with pytest.raises(ContractBroken, match="reason"):
        ledger.decide(MONDAY, {"model_version": "1", "outcome": "promoted"}, "run")
    assert ledger.promotions().num_rows == 0
