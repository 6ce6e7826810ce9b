"""A corrected record or rule reaches the tables: what changed runs again, nothing else, and the audit trail says so."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from etl_assets.audit import PROMISES, violations
from etl_assets.io_managers.slices import WHOLE
from etl_assets.io_managers.targets import Target
from etl_assets.repair.correction_file import FileRefused, read, written
from etl_assets.repair.corrections_asked import exported
from etl_assets.repair.questions import Filter, Quarantine
from etl_assets.repair.repairs import Repairs, Replay
from etl_assets.repair.replay import Plan, Wish, of_file, of_rule, of_withdrawal, perform
from etl_assets.tables import cleaned_table
from etl_assets_tests.bank import HEADER, Platform, line
from etl_assets_tests.conftest import fresh_platform
from etl_assets_tests.specs import minimal_spec

FIRST = date(2026, 3, 2)
DAYS = [FIRST + timedelta(days=n) for n in range(4)]
BROKEN, UNSPLIT, LARGE, REPEATED = DAYS[1], DAYS[1], DAYS[2], DAYS[3]
SMALL = {"row_rules": [{"name": "amount_is_small", "column": "amount", "minimum": -100}]}
ADA = Wish("ada", "the bank's mail of Tuesday")


@pytest.fixture
def platform(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Platform]:
    with four_days(request, tmp_path / "deliveries") as platform:
        yield platform


@pytest.fixture(scope="module")
def untouched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """For tests that replay nothing."""
    with four_days(request, tmp_path_factory.mktemp("untouched")) as platform:
        yield platform
        assert not platform.warehouse.exists(platform.spec.institution, "replays")
        assert not platform.warehouse.exists(platform.spec.institution, "corrections")


@contextmanager
def four_days(request: pytest.FixtureRequest, folder: Path) -> Iterator[Platform]:
    """Forty payments a day, and: a broken amount and an unsplit record, one too large, one that repeats a key."""
    odd = {
        DAYS[0]: "",
        DAYS[1]: line(190, DAYS[1], amount="-12,5O") + "191;c1;s1\n",
        DAYS[2]: line(290, DAYS[2], amount="-500,00"),
        DAYS[3]: line(1, DAYS[0]),
    }
    with fresh_platform(request, folder, **SMALL) as platform:
        for n, day in enumerate(DAYS):
            platform.deliver(day, HEADER + "".join(line(100 * n + i, day) for i in range(40)) + odd[day])
        platform.run(DAYS[0], DAYS[-1], layers=("daily", "scores"))
        assert platform.errors() == ""
        yield platform


def quarantine_of(platform: Platform) -> Quarantine:
    return Quarantine(platform.warehouse, platform.spec)


def edited(platform: Platform, **typed: str) -> bytes:
    """The exported file with these cells typed over in its first line that is split."""
    rows = list(exported(quarantine_of(platform), Filter(disposition="invalid")))
    sources = list(platform.spec.declared)
    if typed:
        next(row for row in rows if row["_problem"] is None).update(typed)
    return written(rows, sources).encode()


def from_file(platform: Platform, content: bytes) -> Plan:
    file = read("corrected.csv", content, list(platform.spec.declared))
    return of_file(quarantine_of(platform), file, ADA)


def performed(platform: Platform, plan: Plan) -> Replay:
    ended = perform(plan, lambda: platform.definitions, platform.instance, lambda _: None)
    assert ended.problem is None
    assert_the_account_balances(platform)
    return ended


def assert_the_account_balances(platform: Platform) -> None:
    for promise in PROMISES:
        if promise.name != "alert_budget_is_kept":
            assert set(violations(platform.warehouse, platform.spec, promise, DAYS).values()) == {0}, promise.name


def ran(platform: Platform, replay: Replay) -> dict[str, list[str]]:
    """Table -> the partitions that the replay's runs materialised, each as often as it was."""
    runs = set(replay.run_ids.split(","))
    found: dict[str, list[str]] = {}
    for key in platform.definitions.resolve_asset_graph().materializable_asset_keys:
        events = platform.instance.fetch_materializations(dg.AssetKey(key.path), limit=1000).records
        days = sorted(str(e.partition_key) for e in events if e.run_id in runs)
        found |= {key.path[-1]: days} if days else {}
    return found


def iso(*days: date) -> list[str]:
    return [day.isoformat() for day in days]


def published(platform: Platform, number: int) -> dict[str, Any]:
    rows = platform.warehouse.read_slice(Target(platform.spec.institution, cleaned_table(platform.spec)), WHOLE)
    (row,) = [r for r in rows.to_pylist() if r["transaction_id"] == str(number)]
    return dict(row)


def reasons(platform: Platform) -> list[tuple[date, str]]:
    return [(r["business_date"], r["reasons"]) for r in platform.table("quarantined_transactions", order="1, 3")]


def test_a_corrected_record_is_published_and_only_what_saw_it_runs_again(platform: Platform) -> None:
    content = edited(platform, amount="-12,50")
    raw = platform.arrow("raw_transactions", "business_date, _row_number")
    plan = from_file(platform, content)
    assert [(row.business_date, row.would_be_published) for row in plan.asked] == [(BROKEN, True)]
    ended = performed(platform, plan)
    row = published(platform, 190)
    assert row["amount"] == Decimal("-12.5000")
    first = quarantine_of(platform).delivered([(row["_delivery_id"], row["_row_number"])]).to_pylist()
    assert [(r["id"], r["amount"]) for r in first] == [("190", "-12,5O")]
    assert platform.arrow("raw_transactions", "business_date, _row_number").equals(raw)
    seeing = iso(*DAYS[1:])
    assert ran(platform, ended) == {
        **dict.fromkeys(("cleaned_transactions", "quarantined_transactions", "row_account"), iso(BROKEN)),
        **dict.fromkeys(("featured_transactions", "scored_transactions", "alerts"), seeing),
    }
    (told,) = platform.table("replays")
    assert (told["who"], told["why"], told["outcome"]) == ("ada", ADA.why, "done")
    assert (told["rows_asked"], told["corrections"], told["rows_published"]) == (1, 1, 1)
    assert (told["asked"], told["file_sha256"]) == ("file corrected.csv", hashlib.sha256(content).hexdigest())
    (said,) = platform.table("corrections")
    assert (said["fields"], said["replay_id"]) == ('{"amount": "-12,50"}', told["replay_id"])


def test_what_would_come_of_it_is_shown_without_anything_happening(untouched: Platform) -> None:
    plan = from_file(untouched, edited(untouched, amount="still none"))
    (row,) = plan.asked
    assert row.before == row.after == ("invalid", "amount_is_not_a_number", None, None)
    assert plan.days["cleaned"] == (BROKEN,)
    assert not plan.days["featured"]


def test_rows_that_fare_as_before_make_no_day_run_again(untouched: Platform) -> None:
    plan = of_rule(quarantine_of(untouched), Filter(), ADA)
    assert len(plan.asked) == 4
    assert plan.changes_nothing


def test_an_unsplit_record_is_published_once_its_columns_are_typed_in(platform: Platform) -> None:
    rows = list(exported(quarantine_of(platform), Filter(reason="record_cannot_be_split")))
    assert rows[0]["_record"] == "191;c1;s1"
    rows[0] |= {"id": "191", "card": "c1", "shop": "s1", "at": f"{UNSPLIT:%d.%m.%Y} 10:00:00", "amount": "-1,00"}
    performed(platform, from_file(platform, written(rows, list(platform.spec.declared)).encode()))
    assert published(platform, 191)["amount"] == Decimal("-1.0000")


def test_a_changed_rule_publishes_what_it_now_allows_and_runs_no_other_day(platform: Platform) -> None:
    loose = {"row_rules": [{"name": "amount_is_small", "column": "amount", "minimum": -1000}]}
    rules = minimal_spec(**loose).row_rules
    platform.spec = platform.spec.model_copy(update={"row_rules": rules})
    ended = performed(platform, of_rule(quarantine_of(platform), Filter(), ADA))
    assert published(platform, 290)["amount"] == Decimal("-500.0000")
    assert ran(platform, ended)["cleaned_transactions"] == iso(LARGE)
    assert ran(platform, ended)["scored_transactions"] == iso(*DAYS[2:])
    assert (ended.rows_asked, ended.rows_published, ended.corrections) == (4, 1, 0)


def test_a_file_given_back_unchanged_replays_nothing_and_an_old_one_undoes_nothing(platform: Platform) -> None:
    old = edited(platform)
    plan = from_file(platform, old)
    assert plan.changes_nothing
    performed(platform, plan)
    assert not platform.warehouse.exists(platform.spec.institution, "replays")
    performed(platform, from_file(platform, edited(platform, amount="-12,5x")))
    assert from_file(platform, edited(platform)).changes_nothing
    with pytest.raises(FileRefused, match=r"line 2: a correction of this record is in force"):
        from_file(platform, old)


def test_a_withdrawn_correction_puts_the_record_back_where_it_was(platform: Platform) -> None:
    before = reasons(platform)
    performed(platform, from_file(platform, edited(platform, amount="-12,50")))
    assert len(reasons(platform)) == len(before) - 1
    row = published(platform, 190)
    key = (row["_delivery_id"], row["_row_number"])
    performed(platform, of_withdrawal(quarantine_of(platform), key, ADA))
    assert reasons(platform) == before
    assert [c["fields"] for c in Repairs(platform.warehouse, platform.spec.institution).history(key)][1] is None
    with pytest.raises(FileRefused, match="no correction of line"):
        of_withdrawal(quarantine_of(platform), key, ADA)


def test_a_correction_that_repeats_a_key_of_another_day_runs_that_day_too(platform: Platform) -> None:
    """The corrected row takes the id of a payment of the day before: the later version supersedes it there."""
    plan = from_file(platform, edited(platform, id="5", amount="-12,50"))
    assert plan.days["cleaned"] == (DAYS[0], BROKEN)
    ended = performed(platform, plan)
    assert ran(platform, ended)["cleaned_transactions"] == iso(DAYS[0], BROKEN)
    assert published(platform, 5)["business_date"] == BROKEN
    assert (DAYS[0], "superseded") in reasons(platform)


def test_lines_that_are_about_no_record_are_refused_with_their_number(untouched: Platform) -> None:
    content = edited(untouched) + b"2026-03-02,'nothing,7,,,,,,,\r\n"
    with pytest.raises(FileRefused, match=r"line 5, columns _delivery_id and _row_number: no such record"):
        from_file(untouched, content)


def test_a_replay_that_is_killed_has_left_its_name(platform: Platform) -> None:
    def killed() -> dg.Definitions:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        perform(from_file(platform, edited(platform, amount="-12,50")), killed, platform.instance, lambda _: None)
    (told,) = platform.table("replays")
    assert (told["outcome"], told["problem"], told["who"]) == ("failed", "KeyboardInterrupt", "ada")


def test_a_day_that_is_refused_keeps_its_rows_and_the_replay_says_so(platform: Platform) -> None:
    strict = platform.spec.batch_rules.model_copy(update={"min_records": 1000})
    platform.spec = platform.spec.model_copy(update={"batch_rules": strict})
    ended = perform(
        from_file(platform, edited(platform, amount="-12,50")),
        lambda: platform.definitions,
        platform.instance,
        lambda _: None,
    )
    assert "at least 1000 are expected" in str(ended.problem)
    assert [row["outcome"] for row in platform.table("replays")] == ["failed"]
    assert ended.rows_published == 0
