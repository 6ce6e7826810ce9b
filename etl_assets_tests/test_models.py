"""What a scorer promises: batches do not matter, planted features are named, nonsense is refused by name."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_assets_tests.model_traffic import INPUTS, PLACE, at, normal, same
from models.baselines import AmountOnly, ZScores
from models.scorer import Scorer
from models.scoring import InputsRefused
from models.training import FEWEST_ROWS, TooFewRows, Trained, train


@settings(max_examples=15, deadline=None)
@given(order=st.integers(0, 1_000_000), cuts=st.lists(st.integers(0, 2_500), max_size=4))
def test_a_score_does_not_depend_on_the_batch_that_the_row_is_in(scorer: Scorer, order: int, cuts: list[int]) -> None:
    rows = normal(2_500, seed=3)
    shuffled = np.random.default_rng(order).permutation(len(rows)).astype(np.intp)
    whole = scorer.score(rows)
    for part in np.split(shuffled, sorted(cuts)):
        assert same(scorer.score(rows[part]), at(whole, part))


@pytest.mark.parametrize("baseline", [True, False])
def test_a_single_row_is_scored_as_it_is_in_a_day(scorer: Scorer, baseline: bool) -> None:  # noqa: FBT001
    model = ZScores.fit(normal(3_000, seed=1), INPUTS) if baseline else scorer
    rows = normal(1_100, seed=3)
    whole = model.score(rows)
    for place in (0, 17, 1_023, 1_024, 1_099):
        picked = np.array([place], dtype=np.intp)
        assert same(model.score(rows[picked]), at(whole, picked))


def test_training_leaves_the_callers_random_numbers_and_threads_alone() -> None:
    torch.manual_seed(11)
    expected, threads = torch.rand(1), torch.get_num_threads()
    torch.manual_seed(11)
    train(normal(300, seed=4), INPUTS, seed=5).scorer.score(normal(10, seed=5))
    assert torch.equal(torch.rand(1), expected)
    assert torch.get_num_threads() == threads


def test_training_learns_and_does_so_on_rows_it_has_not_seen(trained: Trained) -> None:
    assert trained.loss_curve[-1] < trained.loss_curve[0]
    assert min(trained.held_out_curve) < trained.held_out_curve[0]
    assert trained.params["held_out_rows"] == 1_600


@pytest.mark.parametrize(
    ("name", "planted"),
    [("spend", 5_000.0), ("spend_to_mean_30d", 40.0), ("count_1d", 60.0), ("max_30d", 90_000.0)],
)
def test_a_planted_anomaly_is_found_and_its_feature_is_the_first_reason(
    scorer: Scorer, name: str, planted: float
) -> None:
    rows = normal(400, seed=8)
    rows[:, PLACE[name]] = planted
    scores = scorer.score(rows)
    assert np.quantile(scores.score, 0.02) > 0.97
    assert np.mean(scores.reasons.feature[:, 0] == PLACE[name]) > 0.95
    assert np.all(scores.reasons.value[scores.reasons.feature == PLACE[name]] == planted)


def test_what_is_unusual_only_together_is_found_where_the_amount_alone_sees_nothing(scorer: Scorer) -> None:
    rows = normal(20_000, seed=9)
    plain = rows[rows[:, PLACE["mean_30d"]] < 15][:200].copy()
    plain[:, PLACE["spend"]] = 120.0
    plain[:, PLACE["spend_to_mean_30d"]] = 120.0 / plain[:, PLACE["mean_30d"]]
    amount = AmountOnly.fit(normal(8_000, seed=1), INPUTS)
    assert amount is not None
    assert amount.score(plain).max() < 0.97
    assert np.median(scorer.score(plain).score) > 0.99


def test_a_value_on_the_harmless_side_is_no_reason_for_an_alert(scorer: Scorer) -> None:
    rows = normal(400, seed=10)
    small = rows.copy()
    small[:, PLACE["spend"]] /= 1_000
    small[:, PLACE["spend_to_mean_30d"]] /= 1_000
    small[:, PLACE["seconds_since_last"]] += 2_592_000
    changed = [PLACE[name] for name in ("spend", "spend_to_mean_30d", "seconds_since_last")]
    assert not np.isin(scorer.score(small).reasons.feature[:, 0], changed).any()


def test_a_feature_does_not_explain_itself(scorer: Scorer) -> None:
    rows = np.repeat(normal(1, seed=12), 2, axis=0)
    rows[:, PLACE["spend"]] = [3_000.0, 90_000.0]
    reasons = scorer.score(rows).reasons
    expected = reasons.expected[reasons.feature == PLACE["spend"]]
    assert len(expected) == 2
    assert expected[0] == expected[1]


@pytest.mark.parametrize("act", ["train", "score"])
def test_infinity_is_refused_by_the_name_of_the_feature(scorer: Scorer, act: str) -> None:
    rows = normal(500, seed=16)
    rows[3, PLACE["count_1d"]] = np.inf
    with pytest.raises(InputsRefused, match=r"count_1d \(1 rows\)"):
        scorer.score(rows) if act == "score" else train(rows, INPUTS, seed=1)


def test_missing_values_are_neither_reasons_nor_errors(scorer: Scorer) -> None:
    rows = np.full((3, len(INPUTS)), np.nan)
    rows[1] = normal(1, seed=17)
    rows[1, PLACE["mean_30d"]] = np.nan
    rows[2, PLACE["spend"]] = 50_000.0
    scores = scorer.score(rows)
    assert np.isfinite(scores.score).all()
    assert scores.score[0] < 0.5
    assert scores.reasons.feature[2, 0] == PLACE["spend"]
    texts = [json.loads(text) for text in scores.reasons_json(INPUTS).to_pylist()]
    assert [reason["value"] for reason in texts[0]] == [None] * 3
    assert [reason["surprise"] for reason in texts[0]] == [None] * 3


def test_a_feature_that_never_varied_is_not_judged() -> None:
    rows = normal(600, seed=18)
    rows[:, PLACE["count_1d"]] = 3.0
    rows[:, PLACE["max_30d"]] = np.nan
    scorer = train(rows, INPUTS, seed=1).scorer
    changed = rows.copy()
    changed[:, PLACE["count_1d"]] = 900.0
    changed[:, PLACE["max_30d"]] = 5.0
    assert np.array_equal(scorer.score(changed).score, scorer.score(rows).score)


def test_an_absurd_value_neither_breaks_the_scorer_nor_reaches_one(scorer: Scorer) -> None:
    rows = normal(2, seed=19)
    rows[:, PLACE["spend"]] = [1e300, -1e300]
    scores = scorer.score(rows)
    assert 0.99 < scores.score[0] < 1.0
    assert np.isfinite(scores.reasons.expected).all()


def test_no_rows_have_no_scores(scorer: Scorer) -> None:
    scores = scorer.score(np.empty((0, len(INPUTS))))
    assert scores.score.shape == (0,)
    assert scores.reasons.value.shape == (0, 3)
    assert scores.reasons_json(INPUTS).to_pylist() == []


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(TooFewRows, match=f"{FEWEST_ROWS - 1} rows"):
        train(normal(FEWEST_ROWS - 1, seed=1), INPUTS, seed=1)
    train(normal(FEWEST_ROWS, seed=1), INPUTS, seed=1)


def test_a_matrix_of_another_width_is_refused(scorer: Scorer) -> None:
    with pytest.raises(InputsRefused, match=r"7\) for 8 inputs"):
        scorer.score(normal(5, seed=1)[:, :7])
    with pytest.raises(InputsRefused, match="at least three"):
        train(normal(500, seed=1)[:, :2], INPUTS[:2], seed=1)


def test_a_source_without_amount_or_history_has_a_scorer_too() -> None:
    kept = [PLACE[name] for name in ("count_1d", "seconds_since_last", "hour_sin", "hour_cos")]
    inputs = [INPUTS[place] for place in kept]
    scorer = train(normal(600, seed=20)[:, kept], inputs, seed=1).scorer
    rows = normal(300, seed=21)[:, kept]
    rows[:, 0] = 80.0
    assert scorer.amount is None
    assert np.median(scorer.score(rows).score) > 0.99
