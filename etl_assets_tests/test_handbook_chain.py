"""Forty days of card transactions made by others, through the whole chain: nothing lost, everything scored."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

DAYS, ROWS, SPENT = 40, 384_041, Decimal("20595361.30")


@pytest.fixture(scope="module")
def measured(shared_data: Path) -> Iterator[Any]:
    """What the benchmark's run of the main job found; it has a PostgreSQL of its own."""
    bench = str(Path(__file__).parents[1] / "bench")
    sys.path.insert(0, bench)
    from main_job import measure

    yield measure(shared_data / "handbook", DAYS)
    sys.path.remove(bench)


@pytest.fixture(scope="module")
def figures(measured: Any) -> Mapping[str, float]:
    return measured.figures()


def test_every_row_of_forty_days_is_published(measured: Any) -> None:
    assert measured.errors == []
    assert measured.account == {
        "records_read": ROWS + DAYS,
        "published": ROWS,
        "invalid": 0,
        "duplicate": 0,
        "superseded": 0,
        "control_lines": DAYS,
    }


def test_every_published_row_has_a_score_and_its_amount_to_the_cent(measured: Any) -> None:
    assert measured.rows_scored == ROWS
    assert measured.published_amount == -SPENT


def test_the_shipped_scorer_is_not_below_its_baselines(figures: Mapping[str, float]) -> None:
    assert figures["scored_by_a_model"] > 100_000
    assert figures["average_precision"] >= max(figures["amount_only_ap"], figures["zscore_ap"])
    assert figures["auc"] >= max(figures["amount_only_auc"], figures["zscore_auc"])
