"""A judge's opinion of a row: one sure window is heard, circumstances are no reason, little data promises little."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from etl_assets.feature_groups import Feature
from models.calibration import Tail
from models.fitting import fitted
from models.judge import UNUSUAL, Judge

GROUPS = ("amount", "amount", "account_velocity", "calendar")
INPUTS = tuple(Feature(f"f{place}", group, "high", "", "") for place, group in enumerate(GROUPS))


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge.fit(np.random.default_rng(0).exponential(size=(5_000, len(GROUPS))), INPUTS)


def test_one_sure_window_is_not_outvoted_by_one_that_saw_nothing(judge: Judge) -> None:
    assert judge.strangeness(np.array([[8.0, 0.0, 0.0, 0.0]]))[0] == pytest.approx(8 - np.log(2), abs=0.01)


def test_a_busy_day_must_be_rarer_than_a_large_amount(judge: Judge) -> None:
    assert judge.strangeness(np.array([[0.0, 0.0, 8.0, 0.0]]))[0] == pytest.approx(8 - UNUSUAL)


def test_what_day_it_is_is_never_a_reason(judge: Judge) -> None:
    rarity = np.array([[1.0, 0.5, 0.0, 30.0]])
    assert judge.strangeness(rarity)[0] < 1
    assert np.argmax(judge.weight_as_reason(rarity, rarity)[0]) == 0


def test_a_drift_on_few_rows_counts_in_logarithms_only() -> None:
    few, many = (Tail.fit(np.random.default_rng(0).exponential(size=rows)) for rows in (130, 100_000))
    far = np.array([11.0])
    assert few.rarity(far)[0] < 8 < many.rarity(far)[0]


def test_a_date_that_training_never_saw_moves_no_expectation() -> None:
    scaled = np.random.default_rng(0).normal(size=(2_000, len(GROUPS)))
    network, _, _ = fitted(scaled[200:], scaled[:200], INPUTS, seed=1)

    def expected(day: float, *, known: bool) -> float:
        values = torch.tensor([[0.5, 0.5, 0.0, day]])
        present = torch.tensor([[True, True, True, known]])
        return float(network.expected(values, present)[0][0, 0])

    assert expected(40.0, known=True) == expected(0.0, known=False)
    assert expected(0.0, known=True) != expected(0.0, known=False)
