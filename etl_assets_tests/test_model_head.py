"""What labels teach: a head is shipped where there are enough and it wins, saved with the scorer, never otherwise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from etl_assets.feature_groups import Feature
from etl_assets_tests.model_traffic import INPUTS, PLACE, Matrix, normal, same
from models.head import FEWEST_FRAUDS
from models.scorer import Scorer
from models.training import Trained, report, train


def with_frauds(rows: int, frauds: int, seed: int) -> tuple[Matrix, NDArray[np.bool_]]:
    """Traffic in which frauds are common payments at an odd hour in fast sequence: strange only to who knows them."""
    matrix = normal(rows, seed)
    is_fraud = np.zeros(rows, dtype=np.bool_)
    is_fraud[np.random.default_rng(seed).choice(rows, frauds, replace=False)] = True
    matrix[is_fraud, PLACE["hour_sin"]], matrix[is_fraud, PLACE["hour_cos"]] = 0.5, 0.87
    matrix[is_fraud, PLACE["seconds_since_last"]] = 3_000
    return matrix, is_fraud


@pytest.fixture(scope="module")
def taught() -> Trained:
    return train(*_arguments(6_000, 200))


def _arguments(rows: int, frauds: int) -> tuple[Matrix, tuple[Feature, ...], int, NDArray[np.bool_]]:
    matrix, is_fraud = with_frauds(rows, frauds, seed=31)
    return matrix, INPUTS, 3, is_fraud


def test_a_head_that_wins_is_shipped_and_finds_what_the_committee_does_not(taught: Trained) -> None:
    figures = report(taught.scorer, *with_frauds(4_000, 60, seed=32), outliers=taught.outliers)
    assert taught.scorer.head is not None
    assert figures["scorer_average_precision"] > figures["committee_average_precision"] + 0.2
    for name in ("isolation_forest", "principal_components", "ecod", "zscores", "amount"):
        assert figures["scorer_average_precision"] > figures[f"{name}_average_precision"]


def test_too_few_frauds_teach_nothing() -> None:
    assert train(*_arguments(2_000, FEWEST_FRAUDS - 1)).scorer.head is None


def test_labels_by_lot_do_not_make_a_head() -> None:
    by_lot = np.random.default_rng(1).random(3_000) < 0.05
    trained = train(normal(3_000, seed=33), INPUTS, 3, by_lot)
    assert trained.scorer.head is None
    assert trained.params["has_head"] == 0


def test_confirmed_frauds_are_not_normal_traffic() -> None:
    rows = normal(1_000, seed=34)
    is_fraud = np.arange(1_000) % 20 == 0
    marked = rows.copy()
    marked[is_fraud, PLACE["spend"]] = 1e6
    fresh = normal(50, seed=35)
    with_labels = train(marked, INPUTS, 3, is_fraud).scorer
    assert same(with_labels.score(fresh), train(rows[~is_fraud], INPUTS, 3).scorer.score(fresh))


def test_a_row_whose_label_is_not_known_yet_is_normal_traffic_and_teaches_nothing(taught: Trained) -> None:
    matrix, inputs, seed, is_fraud = _arguments(6_000, 200)
    extra, fresh = normal(500, seed=40), normal(50, seed=41)
    label = np.concatenate([is_fraud.astype(np.float64), np.full(len(extra), np.nan)])
    ours = train(np.vstack([matrix, extra]), inputs, seed, label)
    assert ours.params["rows"] == taught.params["rows"] + len(extra)
    assert ours.params["labelled_rows"] == len(matrix)
    assert ours.scorer.head is not None
    unknown = np.where(is_fraud, 1.0, np.nan)
    assert train(matrix, inputs, seed, unknown).scorer.head is None
    assert same(
        train(matrix, inputs, seed, is_fraud.astype(np.float64)).scorer.score(fresh), taught.scorer.score(fresh)
    )


def test_a_head_means_the_share_of_normal_traffic_that_is_less_strange(taught: Trained) -> None:
    score = taught.scorer.score(normal(20_000, seed=36)).score
    for level, tolerance in ((0.5, 0.15), (0.9, 0.25), (0.99, 0.6)):
        assert (score >= level).mean() == pytest.approx(1 - level, rel=tolerance)


def test_a_saved_head_scores_as_before(taught: Trained, tmp_path: Path) -> None:
    rows = normal(1_100, seed=37)
    digest = taught.scorer.save(tmp_path)
    assert same(Scorer.load(tmp_path, INPUTS, digest).score(rows), taught.scorer.score(rows))


def test_retraining_on_the_same_traffic_moves_few_rows() -> None:
    rows, fresh = normal(6_000, seed=38), normal(2_000, seed=39)
    one, other = (train(rows, INPUTS, seed).scorer.score(fresh).score for seed in (1, 2))
    assert np.abs(one - other).mean() < 0.06
    top, again = (np.argsort(-score)[:40] for score in (one, other))
    assert len(np.intersect1d(top, again)) >= 25
