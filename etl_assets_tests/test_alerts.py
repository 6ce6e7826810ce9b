"""An alert is what people were told: issued once, and never changed by a score that is restated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import pytest

from etl_assets.feature_groups import FEATURES
from etl_assets.io_managers.errors import Refused
from etl_assets.io_managers.postgres.schema import qualified
from etl_assets_tests.bank import HEADER, Platform, line
from etl_assets_tests.conftest import fresh_platform
from models.explanation import alert_sentence

DAYS = [date(2026, 3, 2) + timedelta(days=n) for n in range(4)]
TOLD = ("transaction_id", "score", "threshold", "reasons", "sentence", "issued_at", "run_id", "model_version")


@pytest.fixture
def scored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A bank of four scored days with one payment a day that nobody overlooks."""
    rng = np.random.default_rng(3)
    share = {"share": 0.02}  # of forty payments a day nothing is known about the strangest in two hundred
    with fresh_platform(request, tmp_path_factory.mktemp("alerts"), alert_budget=share) as platform:
        for n, day in enumerate(DAYS):
            spent = [f"-{amount:.2f}".replace(".", ",") for amount in (*rng.normal(30, 4, 40), 9_000)]
            rows = [line(100 * n + i, day, card=f"c{i % 4}", amount=amount) for i, amount in enumerate(spent)]
            platform.deliver(day, HEADER + "".join(rows))
        platform.run(DAYS[0], DAYS[-1], layers=("daily", "scores"))
        assert platform.errors() == ""
        yield platform


def told(platform: Platform) -> list[dict[str, object]]:
    return platform.table("alerts", TOLD, "business_date, transaction_id")


def test_every_flagged_row_is_told_as_it_was_scored(scored: Platform) -> None:
    columns = ("transaction_id", "score", "threshold", "reasons", "model_version")
    flagged = [row for row in scored.table("scored_transactions", (*columns, "is_flagged")) if row.pop("is_flagged")]
    alerts = [{name: alert[name] for name in columns} for alert in told(scored)]
    assert alerts
    assert sorted(alerts, key=str) == sorted(flagged, key=str)


def test_restated_scores_change_no_alert_and_are_not_told_again(scored: Platform) -> None:
    before = told(scored)
    scored.deliver(DAYS[0], HEADER + "".join(line(i, DAYS[0], amount="-9000,00") for i in range(41)))
    scored.run(DAYS[0], DAYS[-1], layers=("daily", "scores"))
    now_flagged = {row["transaction_id"] for row in scored.table("scored_transactions", ("transaction_id",)) if row}
    after = {alert["transaction_id"]: alert for alert in told(scored)}
    assert {alert["transaction_id"] for alert in before} <= set(after) <= now_flagged
    assert [after[alert["transaction_id"]] for alert in before] == before


@pytest.mark.parametrize(
    "change", ["UPDATE {} SET score = 0", "DELETE FROM {}", "TRUNCATE {}"], ids=["update", "delete", "truncate"]
)
def test_the_database_itself_lets_nobody_change_an_alert(scored: Platform, change: str) -> None:
    before, at = told(scored), qualified(scored.spec.institution, "alerts")
    with pytest.raises(Refused, match="never changed"), scored.warehouse.transaction() as connection:
        connection.execute(change.format(at))
    assert told(scored) == before


def test_an_alert_can_be_read_by_a_person(scored: Platform) -> None:
    for alert in told(scored):
        assert f"Stranger than {100 * float(str(alert['score'])):.1f}"[:16] in str(alert["sentence"])
        first = json.loads(str(alert["reasons"]))[0]["feature"].replace("_", " ")
        assert first in str(alert["sentence"])


@pytest.mark.parametrize(
    ("score", "share"), [(0.5, "50.0 %"), (0.9987, "99.9 %"), (0.99994, "99.99 %"), (1 - 1e-9, "99.9999 %")]
)
def test_no_alert_claims_that_nothing_is_stranger(score: float, share: str) -> None:
    reasons = json.dumps([{"feature": FEATURES[0].name, "value": 9.0, "expected": 1.0, "surprise": 5.0}])
    assert alert_sentence(score, reasons, FEATURES).startswith(f"Stranger than {share} of normal traffic: ")
