"""Fit a scorer to normal traffic, reproducibly, and say in plain numbers how good it is on later rows.

The network is in `autoencoder.py`, calibration in `calibration.py`; which rows are used, and whether the result
is good enough to ship, is for the caller to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import Tensor

from etl_assets.feature_groups import Feature
from models.autoencoder import MaskedAutoencoder, one_thread
from models.baselines import AmountOnly, ZScores
from models.calibration import SLOWEST_SHAPE, Floats, Judge, Tail, one_sided
from models.scorer import Scorer, expectations, together
from models.scoring import checked, in_blocks

FEWEST_ROWS = 100
HELD_OUT_SHARE, FEWEST_HELD_OUT = 0.2, 200
BATCH_ROWS, SMALLEST_BATCH = 1024, 32
STEPS, FEWEST_EPOCHS = 800, 4
LEARNING_RATE = 4e-3


class TooFewRows(ValueError):  # noqa: N818  the refusal is the fact
    """There is too little normal traffic to learn from; the version in force stays. Permanent for this week."""


@dataclass(frozen=True)
class Trained:
    """A scorer and how it came about; both curves have one loss per epoch."""

    scorer: Scorer
    loss_curve: list[float]
    held_out_curve: list[float]
    params: dict[str, int | float]


def train(matrix: Floats, inputs: Sequence[Feature], seed: int) -> Trained:
    """A scorer for which `matrix` is normal traffic; the same rows and seed give the same scorer on a machine.

    A fifth of the rows is kept from the network and used to calibrate: on rows that it has learnt from, its
    errors are too small, and every new day would then look strange.
    Raises: TooFewRows; InputsRefused. Both permanent.
    """
    rows = checked(matrix, inputs)
    if len(rows) < FEWEST_ROWS:
        raise TooFewRows(f"{len(rows)} rows to train on; at least {FEWEST_ROWS} are needed")
    zscores = ZScores.fit(rows, inputs)
    held_out = _held_out(len(rows), seed)
    scaled = zscores.scaling.apply(rows)
    with one_thread():
        network, loss, held_out_loss = _fitted(scaled[~held_out], scaled[held_out], inputs, seed)
        scorer = _calibrated(network, zscores, AmountOnly.fit(rows, inputs), rows[held_out], seed)
    params = {"rows": len(rows), "held_out_rows": int(held_out.sum()), "inputs": len(inputs), "epochs": len(loss)}
    return Trained(scorer, loss, held_out_loss, params | {"seed": seed, "learning_rate": LEARNING_RATE})


def _held_out(rows: int, seed: int) -> NDArray[np.bool_]:
    count = min(max(int(rows * HELD_OUT_SHARE), FEWEST_HELD_OUT), rows // 2)
    held_out = np.zeros(rows, dtype=np.bool_)
    held_out[np.random.default_rng(seed).permutation(rows)[:count]] = True
    return held_out


def _fitted(
    scaled: Floats, held_out: Floats, inputs: Sequence[Feature], seed: int
) -> tuple[MaskedAutoencoder, list[float], list[float]]:
    """The network as it was after its best epoch on the held-out rows, with the losses of all epochs."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = MaskedAutoencoder([feature.group for feature in inputs])
    generator = torch.Generator().manual_seed(seed)
    values, present = _tensors(scaled)
    batch = int(np.clip(len(values) // 16, SMALLEST_BATCH, BATCH_ROWS))
    steps = -(-len(values) // batch)
    epochs = max(FEWEST_EPOCHS, -(-STEPS // steps))
    optimiser = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=epochs * steps)
    losses: list[float] = []
    held_out_losses: list[float] = []
    best = network.state_dict()
    for _ in range(epochs):
        total = 0.0
        for picked in torch.split(torch.randperm(len(values), generator=generator), batch):
            loss = network.loss(values[picked], present[picked], generator)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            schedule.step()
            total += loss.item() * len(picked)
        losses.append(total / len(values))
        held_out_losses.append(_held_out_loss(network, held_out, seed))
        if held_out_losses[-1] == min(held_out_losses):
            best = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network.load_state_dict(best)
    return network.eval(), losses, held_out_losses


def _tensors(scaled: Floats) -> tuple[Tensor, Tensor]:
    values = torch.from_numpy(np.nan_to_num(scaled).astype(np.float32))
    return values, torch.from_numpy(np.isfinite(scaled))


@torch.no_grad()
def _held_out_loss(network: MaskedAutoencoder, held_out: Floats, seed: int) -> float:
    """The loss on rows that were not trained on, with the same groups hidden at every epoch."""
    return float(network.loss(*_tensors(held_out), torch.Generator().manual_seed(seed)))


def _calibrated(
    network: MaskedAutoencoder, zscores: ZScores, amount: AmountOnly | None, held_out: Floats, seed: int
) -> Scorer:
    """The scorer whose judge and committee take the held-out rows for normal."""

    def distances(block: Floats) -> dict[str, Floats]:
        scaled = zscores.scaling.apply(block)
        mean, scale = expectations(network, scaled)
        return {"surprise": one_sided((scaled - mean) / scale, zscores.inputs)}

    surprise = in_blocks(held_out, distances)["surprise"].astype(np.float64)
    judge = Judge.fit(surprise, zscores.inputs, votes_for_normal=1)
    undecided = Scorer(zscores.inputs, network, judge, zscores, amount, Tail.fit(np.zeros(0)), seed)
    committee = Tail.fit(together(undecided.votes(held_out)), lightest_shape=SLOWEST_SHAPE)
    return Scorer(zscores.inputs, network, judge, zscores, amount, committee, seed)


def report(
    scorer: Scorer, matrix: Floats, is_fraud: NDArray[np.bool_] | None = None, alert_share: float = 0.005
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
    ranked = {"scorer": score} | scorer.votes(matrix)
    figures["fraud_share"] = float(is_fraud.mean())
    for name, values in ranked.items():
        figures[f"{name}_auc"] = float(roc_auc_score(is_fraud, values))
        figures[f"{name}_average_precision"] = float(average_precision_score(is_fraud, values))
    return figures
