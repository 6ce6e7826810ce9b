"""Calibration, figures and words: a score means a share, and a reason can be read."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from etl_assets.feature_groups import Feature
from etl_assets_tests.model_traffic import INPUTS, PLACE, Matrix, normal
from models.baselines import ZScores
from models.calibration import Tail
from models.explanation import sentence
from models.scaling import Scaling
from models.scorer import Scorer
from models.scoring import Reasons, Scores
from models.training import report, train


@pytest.mark.parametrize(("rows", "tolerances"), [(1_000, (0.25, 0.5, 1.5)), (20_000, (0.08, 0.15, 0.4))])
def test_the_share_of_normal_traffic_above_a_score_is_what_the_score_says(
    rows: int, tolerances: tuple[float, float, float]
) -> None:
    fresh = normal(20_000, seed=14)
    for model in (train(normal(rows, seed=13), INPUTS, seed=3).scorer, ZScores.fit(normal(rows, seed=13), INPUTS)):
        score = model.score(fresh).score
        for level, tolerance in zip((0.5, 0.9, 0.99), tolerances, strict=True):
            assert (score >= level).mean() == pytest.approx(1 - level, rel=tolerance)


@given(
    sample=hnp.arrays(np.float64, st.integers(0, 80), elements=st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0])),
    values=hnp.arrays(np.float64, 20, elements=st.floats(-1e9, 1e9)),
)
def test_a_stranger_value_never_has_a_lower_score(sample: Matrix, values: Matrix) -> None:
    tail = Tail.fit(sample)
    shares = tail.share_below(np.sort(values))
    assert np.all(np.diff(shares) >= -1e-15)
    assert np.all((shares >= 0) & (shares < 1))


def test_rows_beyond_the_strangest_training_row_are_still_ranked() -> None:
    sample = np.random.default_rng(0).exponential(size=5_000)
    shares = Tail.fit(sample).share_below(sample.max() + np.arange(1.0, 12.0))
    assert np.all(np.diff(shares) > 0)


def test_a_tail_says_how_much_of_a_known_law_lies_above() -> None:
    tail = Tail.fit(np.random.default_rng(1).exponential(size=50_000))
    values = np.array([0.5, 2.0, 5.0, 9.0])
    assert tail.rarity(values) == pytest.approx(values, rel=0.1)


def test_scaling_is_undone_exactly_enough() -> None:
    rows = normal(2_000, seed=15)
    scaling = Scaling.fit(rows)
    assert scaling.is_log[PLACE["spend"]]
    assert not scaling.is_log[PLACE["hour_sin"]]
    assert scaling.undo(scaling.apply(rows)) == pytest.approx(rows, rel=1e-9, nan_ok=True)


@given(hnp.arrays(np.float64, (4, 3), elements=st.floats(allow_nan=True, allow_infinity=True)))
def test_reasons_are_json_with_finite_numbers_of_six_digits(values: Matrix) -> None:
    names = [Feature(name, "g", "high", "", "") for name in ('quo"ted', "back\\slash", "plain")]
    places = np.tile(np.arange(3), (4, 1))
    scores = Scores(np.zeros(4), Reasons(places, values, values[::-1], np.zeros((4, 3))))
    for row, text in enumerate(scores.reasons_json(names).to_pylist()):
        read = json.loads(text, parse_constant=pytest.fail)
        assert [reason["feature"] for reason in read] == [feature.name for feature in names]
        for reason, value in zip(read, values[row], strict=True):
            expected = pytest.approx(value, rel=5.1e-6, abs=1e-300) if np.isfinite(value) else None
            assert reason["value"] == expected


def test_a_report_has_figures_for_the_scorer_and_each_baseline(scorer: Scorer) -> None:
    rows = normal(3_000, seed=22)
    rows[::100, PLACE["spend"]] *= 30
    rows[::100, PLACE["spend_to_mean_30d"]] *= 30
    is_fraud = np.arange(len(rows)) % 100 == 0
    figures = report(scorer, rows, is_fraud, alert_share=0.01)
    for name in ("scorer", "autoencoder", "zscores", "amount"):
        assert figures["fraud_share"] < figures[f"{name}_average_precision"] <= 1
    assert figures["scorer_auc"] > 0.99
    assert figures["scorer_average_precision"] > figures["amount_average_precision"]
    assert figures["alert_share"] > 0.01
    assert all(type(value) is float for value in figures.values())


@pytest.mark.parametrize("labels", [None, np.zeros(500, dtype=np.bool_)])
def test_a_report_without_labels_of_both_kinds_is_about_alerts_only(
    scorer: Scorer, labels: NDArray[np.bool_] | None
) -> None:
    figures = report(scorer, normal(500, seed=23), labels, alert_share=0.05)
    shares = {"alert_share", "alert_share_worst_tenth", "zscores_alert_share", "alerts_shared_with_zscores"}
    assert set(figures) == {"rows"} | shares
    assert figures["zscores_alert_share"] == pytest.approx(0.05, abs=0.04)
    assert 0 < figures["alerts_shared_with_zscores"] <= 1
    assert figures["alert_share"] == pytest.approx(0.05, abs=0.04)
    assert figures["alert_share"] <= figures["alert_share_worst_tenth"]


@pytest.mark.parametrize("rows", [0, 1, 30])
def test_z_scores_begin_with_any_number_of_rows(rows: int) -> None:
    scores = ZScores.fit(normal(rows, seed=24), INPUTS).score(normal(50, seed=25))
    assert np.isfinite(scores.score).all()
    assert rows > 1 or np.all(scores.score == 0)


def test_a_reason_is_a_sentence_that_a_person_can_read() -> None:
    reason = {"feature": "spend", "value": 420.0, "expected": 35.2, "surprise": 8.1}
    assert sentence(reason, INPUTS) == (
        "spend 420.00 is far above the 35.20 expected (surprise 8.1; money that left the account, in EUR)"
    )
    reason = {"feature": "seconds_since_last", "value": 0.002, "expected": 86_400.0, "surprise": 2.5}
    assert sentence(reason, INPUTS).startswith("seconds since last 0.002 is clearly below the 86,400.00 expected")


def test_a_sentence_about_a_missing_value_claims_nothing() -> None:
    reason = {"feature": "mean_30d", "value": None, "expected": 35.2, "surprise": None}
    assert sentence(reason, INPUTS).startswith("mean 30d is not known for this row")


def test_a_reason_of_another_model_is_not_explained() -> None:
    with pytest.raises(KeyError, match="unheard_of"):
        sentence({"feature": "unheard_of", "value": 1.0, "expected": 1.0, "surprise": 1.0}, INPUTS)
