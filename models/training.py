"""Fit a scorer to normal traffic, reproducibly, and say in plain numbers how good it is on later rows.

The network is in `autoencoder.py`, calibration in `calibration.py`; which rows are used, and whether the result
is good enough to ship, is for the caller to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from etl_assets.feature_groups import Feature
from models.autoencoder import MaskedAutoencoder, one_thread
from models.baselines import AmountOnly, ZScores
from models.calibration import SLOWEST_SHAPE, Floats, Tail
from models.fitting import LEARNING_RATE, fitted
from models.head import FEWEST_FRAUDS, Head
from models.judge import Judge
from models.outliers import Outliers
from models.scorer import Scorer, unexpectedness
from models.scoring import checked, in_blocks

FEWEST_ROWS = 100
HELD_OUT_SHARE, FEWEST_HELD_OUT = 0.2, 200
NORMAL_FOR_HEAD = 60_000
Bools = NDArray[np.bool_]


class TooFewRows(ValueError):  # noqa: N818  the refusal is the fact
    """There is too little normal traffic to learn from; the version in force stays. Permanent for this week."""


@dataclass(frozen=True)
class Trained:
    """A scorer and how it came about; both curves have one loss per epoch; `outliers` are for `report`."""

    scorer: Scorer
    loss_curve: list[float]
    held_out_curve: list[float]
    params: dict[str, int | float]
    outliers: Outliers


def train(matrix: Floats, inputs: Sequence[Feature], seed: int, is_fraud: Floats | Bools | None = None) -> Trained:
    """A scorer for which `matrix` without its confirmed frauds is normal; same rows and seed, same scorer.

    A fifth of the rows is kept from the network and used to calibrate: on rows that it has learnt from, its
    errors are too small, and every new day would then look strange. `is_fraud` is 1 for a confirmed fraud, 0 for a
    payment known to be genuine, NaN where nobody knows yet: such rows are normal traffic, and teach the head nothing.
    With enough frauds a head is fitted too, and shipped if it wins; rows are then in time order.
    Raises: TooFewRows; InputsRefused. Both permanent.
    """
    everything = checked(matrix, inputs)
    label = np.full(len(everything), np.nan) if is_fraud is None else np.asarray(is_fraud, dtype=np.float64)
    rows = everything[label != 1]
    if len(rows) < FEWEST_ROWS:
        raise TooFewRows(f"{len(rows)} rows to train on; at least {FEWEST_ROWS} are needed")
    zscores = ZScores.fit(rows, inputs)
    held_out = _held_out(len(rows), seed)
    scaled = zscores.scaling.apply(rows)
    with one_thread():
        network, loss, held_out_loss = fitted(scaled[~held_out], scaled[held_out], inputs, seed)
        scorer = _calibrated(network, zscores, AmountOnly.fit(rows, inputs), rows[held_out], seed)
        taught: dict[str, int | float] = {}
        known = np.isfinite(label)
        if (label == 1).sum() >= FEWEST_FRAUDS and (label == 0).sum() >= FEWEST_ROWS:
            scorer, taught = _with_head(scorer, everything[known], label[known] == 1, seed)
    params: dict[str, int | float] = {
        "rows": len(rows),
        "held_out_rows": int(held_out.sum()),
        "inputs": len(inputs),
        "epochs": len(loss),
    }
    params |= {"seed": seed, "learning_rate": LEARNING_RATE, "has_head": int(scorer.head is not None)}
    return Trained(scorer, loss, held_out_loss, params | taught, Outliers.fit(rows, zscores, seed))


def _held_out(rows: int, seed: int) -> NDArray[np.bool_]:
    count = min(max(int(rows * HELD_OUT_SHARE), FEWEST_HELD_OUT), rows // 2)
    held_out = np.zeros(rows, dtype=np.bool_)
    held_out[np.random.default_rng(seed).permutation(rows)[:count]] = True
    return held_out


def _calibrated(
    network: MaskedAutoencoder, zscores: ZScores, amount: AmountOnly | None, held_out: Floats, seed: int
) -> Scorer:
    """The scorer whose judge and committee take the held-out rows for normal."""

    def distances(block: Floats) -> dict[str, Floats]:
        return {"distances": unexpectedness(network, zscores.scaling.apply(block), zscores.inputs)}

    judge = Judge.fit(in_blocks(held_out, distances)["distances"].astype(np.float64), zscores.inputs)
    undecided = Scorer(zscores.inputs, network, judge, zscores, amount, Tail.fit(np.zeros(0)), seed)
    committee = Tail.fit(undecided.votes(held_out)["committee"], lightest_shape=SLOWEST_SHAPE)
    return replace(undecided, committee=committee)


def _with_head(scorer: Scorer, rows: Floats, is_fraud: Bools, seed: int) -> tuple[Scorer, dict[str, int | float]]:
    """The scorer with a head if that wins on rows kept from it, by more than chance, and both average precisions.

    All frauds and a sample of the rest, which counts for all of the rest.
    """
    chance = min(1.0, NORMAL_FOR_HEAD / max(int((~is_fraud).sum()), 1))
    picked = is_fraud | (np.random.default_rng(seed).random(len(rows)) < chance)
    labels, weight = is_fraud[picked], np.where(is_fraud[picked], 1.0, 1 / chance)
    committee = scorer.votes(rows[picked])["committee"]
    head, logits = Head.fit(scorer.evidence(rows[picked]), labels, weight, seed)
    theirs, ours = (float(average_precision_score(labels, v, sample_weight=weight)) for v in (committee, logits))
    wins = ours > theirs + np.sqrt(theirs * (1 - theirs) / labels.sum())
    measured = {"head_average_precision": ours, "committee_average_precision": theirs, "labelled_rows": len(rows)}
    return replace(scorer, head=head if wins else None), measured


def report(
    scorer: Scorer,
    matrix: Floats,
    is_fraud: Bools | None = None,
    alert_share: float = 0.005,
    outliers: Outliers | None = None,
) -> dict[str, float]:
    """Plain numbers on rows later than the training rows, in time order, beside the baselines.

    Always: the share of rows that reach the threshold for `alert_share`, over all and in the worst tenth of
    the rows; the same share for z-scores, and how many of the scorer's alerts z-scores raise too. With labels of
    both kinds also the area under the ROC curve and the average precision.
    """
    score, zscore = scorer.score(matrix).score, scorer.zscores.score(matrix).score
    flagged = score >= 1 - alert_share
    tenths = [float(part.mean()) for part in np.array_split(flagged, 10) if len(part)]
    figures = {"rows": float(len(score)), "alert_share": float(flagged.mean()) if len(score) else 0.0}
    figures["alert_share_worst_tenth"] = max(tenths, default=0.0)
    also = zscore >= 1 - alert_share
    figures["zscores_alert_share"] = float(also.mean()) if len(score) else 0.0
    figures["alerts_shared_with_zscores"] = float(also[flagged].mean()) if flagged.any() else 0.0
    if is_fraud is None or is_fraud.all() or not is_fraud.any():
        return figures
    ranked = {"scorer": score} | scorer.votes(matrix) | (outliers.votes(matrix) if outliers else {})
    figures["fraud_share"] = float(is_fraud.mean())
    for name, values in ranked.items():
        figures[f"{name}_auc"] = float(roc_auc_score(is_fraud, values))
        figures[f"{name}_average_precision"] = float(average_precision_score(is_fraud, values))
    return figures
