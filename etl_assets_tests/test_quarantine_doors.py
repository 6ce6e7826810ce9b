"""The doors to the quarantine: the command line as a person meets it, and the jobs in the Dagster UI."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from etl_assets import cli
from etl_assets.commands import quarantine as cli_quarantine
from etl_assets.repair.correction_file import written
from etl_assets.repair.corrections_asked import exported
from etl_assets.repair.questions import Filter, Quarantine
from etl_assets_tests.bank import HEADER, Platform, line
from etl_assets_tests.conftest import fresh_platform
from etl_assets_tests.specs import minimal_spec

DAY = date(2026, 3, 2)
NEXT = DAY + timedelta(days=1)
LIMIT = {"row_rules": [{"name": "amount_is_small", "column": "amount", "minimum": -100}]}
LOOSE = minimal_spec(row_rules=[{"name": "amount_is_small", "column": "amount", "minimum": -1000}]).row_rules


@contextmanager
def two_days(request: pytest.FixtureRequest, folder: Path) -> Iterator[Platform]:
    """A broken amount in the form of a formula and a record too short, then a payment that is too large."""
    with fresh_platform(request, folder, **LIMIT) as platform:
        good = "".join(line(n, DAY) for n in range(60))
        platform.deliver(DAY, HEADER + good + line(60, DAY, amount="=1+1", card="secret-card") + "61;c1\n")
        large = line(190, NEXT, amount="-500,00")
        platform.deliver(NEXT, HEADER + "".join(line(100 + n, NEXT) for n in range(60)) + large)
        platform.run(DAY, NEXT, layers=("daily",))
        assert platform.errors() == ""
        yield platform


@pytest.fixture(scope="module")
def _shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with two_days(request, tmp_path_factory.mktemp("untouched")) as platform:
        yield platform


@pytest.fixture
def untouched(_shared: Platform, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """For tests that replay nothing."""
    return opened(_shared, monkeypatch)


@pytest.fixture
def platform(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    with two_days(request, tmp_path / "deliveries") as platform:
        yield opened(platform, monkeypatch)


def opened(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """The platform behind the commands' doors, in place of the one that the environment names."""

    @contextmanager
    def graph() -> Iterator[tuple[Any, Any]]:
        yield lambda: platform.definitions, platform.instance

    monkeypatch.setattr(cli_quarantine, "_quarantine", lambda _, **_runs: Quarantine(platform.warehouse, platform.spec))
    monkeypatch.setattr(cli_quarantine, "_platform", graph)
    return platform


def said(platform: Platform, command: str, *arguments: str) -> Result:
    return CliRunner().invoke(cli.app, ["quarantine", command, platform.spec.institution, *arguments])


def listed(platform: Platform, *filters: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said(platform, "list", "--json", *filters).stdout)
    return found


def test_list_counts_and_names_rows_without_their_content(untouched: Platform) -> None:
    result = said(untouched, "list")
    assert result.exit_code == 0
    for word in ("amount_is_not_a_number", "record_cannot_be_split", "amount_is_small", "2026-03-03", "invalid"):
        assert word in result.stdout
    assert "secret-card" not in result.stdout
    found = listed(untouched)
    assert sum(row["rows"] for row in found["counts"]) == len(found["rows"]) == 3
    assert "secret-card" not in json.dumps(found)


@pytest.mark.parametrize(
    ("filters", "lines"),
    [
        (("--from", "2026-03-03"), [62]),
        (("--to", "2026-03-02"), [62, 63]),
        (("--reason", "record_cannot_be_split"), [63]),
        (("--disposition", "duplicate"), []),
        (("--file", "transactions_20260303.csv"), [62]),
        (("--limit", "1"), [62]),
    ],
)
def test_list_shows_what_the_filters_leave(untouched: Platform, filters: tuple[str, ...], lines: list[int]) -> None:
    assert [row["_row_number"] for row in listed(untouched, *filters)["rows"]] == lines


def test_show_tells_all_of_one_record(untouched: Platform) -> None:
    row = listed(untouched)["rows"][0]
    shown = said(untouched, "show", row["_delivery_id"], str(row["_row_number"]))
    assert shown.exit_code == 0
    for word in ("as delivered", "secret-card", "=1+1", "amount_is_not_a_number"):
        assert word in shown.stdout
    nothing = said(untouched, "show", row["_delivery_id"], "999")
    assert nothing.exit_code == 1
    assert "no line 999" in nothing.stderr


def test_export_correct_dry_run_replay(platform: Platform, tmp_path: Path) -> None:
    file = tmp_path / "repair.csv"
    assert said(platform, "export", str(file), "--reason", "amount_is_not_a_number").exit_code == 0
    content = file.read_bytes()
    assert b",'=1+1" in content
    again = ("replay", "--corrections", str(file), "--why", "the bank said so", "--who", "ada")
    unchanged = said(platform, *again)
    assert (unchanged.exit_code, "nothing changes" in unchanged.stdout) == (0, True)
    file.write_bytes(content.replace(b"'=1+1", b'"-2,00"'))
    tried = said(platform, *again, "--dry-run")
    assert "rows asked for: 1, would be published: 1, corrections to store: 1" in tried.stdout
    assert len(platform.table("quarantined_transactions")) == 3
    done = said(platform, *again)
    assert (done.exit_code, "1 of 1 rows are published now" in done.stdout) == (0, True)
    assert [r["who"] for r in platform.table("replays")] == ["ada"]
    shown = said(platform, "show", *_corrected(platform))
    assert "the bank said so" in shown.stdout
    back = said(platform, "withdraw", *_corrected(platform), "--why", "it was right")
    assert (back.exit_code, "0 of 1 rows are published now" in back.stdout) == (0, True)
    assert len(platform.table("quarantined_transactions")) == 3


def _corrected(platform: Platform) -> tuple[str, str]:
    row = platform.table("corrections")[0]
    return str(row["_delivery_id"]), str(row["_row_number"])


def test_a_wrong_file_is_a_message_and_exit_code_1(untouched: Platform, tmp_path: Path) -> None:
    file = tmp_path / "repair.csv"
    rows = list(exported(Quarantine(untouched.warehouse, untouched.spec), Filter()))
    file.write_text(written(rows, [*untouched.spec.declared]).replace("amount", "amuont", 1))
    refused = said(untouched, "replay", "--corrections", str(file), "--why", "because")
    assert refused.exit_code == 1
    assert "line 1: column" in refused.stderr
    assert "'amuont'" in refused.stderr
    absent = said(untouched, "replay", "--corrections", str(tmp_path / "none.csv"), "--why", "because")
    assert (absent.exit_code, "none.csv" in absent.stderr) == (1, True)
    both = said(untouched, "replay", "--corrections", str(file), "--why", "because", "--reason", "x")
    assert both.exit_code == 2


def test_nobody_replays_without_saying_why(untouched: Platform) -> None:
    assert said(untouched, "replay").exit_code == 2
    assert said(untouched, "replay", "--why", " ").exit_code == 1


def test_a_replay_that_fails_ends_with_exit_code_1(platform: Platform) -> None:
    strict = platform.spec.batch_rules.model_copy(update={"min_records": 1000})
    platform.spec = platform.spec.model_copy(update={"row_rules": LOOSE, "batch_rules": strict})
    failed = said(platform, "replay", "--why", "the rule was wrong")
    assert failed.exit_code == 1
    assert "at least 1000 are expected" in failed.stderr


def job(platform: Platform, name: str, op: str, **config: object) -> Any:
    institution = platform.spec.institution
    found = platform.definitions.resolve_job_def(f"{institution}__{name}")
    config = {
        "ops": {f"{institution}__{op}": {"config": config}},
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
    }
    return found.execute_in_process(run_config=config, instance=platform.instance, raise_on_error=False)


def metadata(result: Any) -> dict[str, Any]:
    (output,) = [e for e in result.all_events if e.event_type_value == "STEP_OUTPUT"]
    return {name: value.value for name, value in output.step_output_data.metadata.items()}


def test_the_job_counts_the_quarantine_and_shows_no_record(untouched: Platform) -> None:
    result = job(untouched, "quarantine", "count_quarantine")
    assert result.success
    assert metadata(result)["rows_by_reason"] == 3
    assert "| 2026-03-03 | invalid | amount_is_small | 1 |" in metadata(result)["quarantine"]
    assert "secret-card" not in json.dumps(metadata(result))


def test_the_job_replays_what_a_changed_rule_allows(platform: Platform) -> None:
    platform.spec = platform.spec.model_copy(update={"row_rules": LOOSE})
    wish = {"why": "the rule was wrong", "who": "grace", "reason": "amount_is_small"}
    assert job(platform, "replay", "replay_quarantine", **wish, dry_run=True).success
    assert not platform.warehouse.exists(platform.spec.institution, "replays")
    result = job(platform, "replay", "replay_quarantine", **wish, first="2026-03-02")
    assert result.success
    assert metadata(result)["business_dates"] == "2026-03-03"
    (told,) = platform.table("replays")
    assert (told["who"], told["rows_published"], told["outcome"]) == ("grace", 1, "done")
    assert len(platform.table("quarantined_transactions")) == 2


@pytest.mark.parametrize("wrong", [{"first": "March"}, {"who": " "}])
def test_a_job_without_sense_fails_before_it_writes(untouched: Platform, wrong: dict[str, str]) -> None:
    result = job(untouched, "replay", "replay_quarantine", **{"why": "because", "who": "grace"} | wrong)
    assert not result.success
    assert not untouched.warehouse.exists(untouched.spec.institution, "replays")
