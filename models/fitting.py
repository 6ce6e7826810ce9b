"""Fit the autoencoder to scaled rows, reproducibly: the same rows and seed give the same weights on a machine.

What is done with the network, and which rows it may see, is decided in `training.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from etl_assets.feature_groups import Feature
from models.autoencoder import MaskedAutoencoder
from models.calibration import Floats

BATCH_ROWS, SMALLEST_BATCH = 1024, 32
STEPS, FEWEST_EPOCHS = 800, 4
LEARNING_RATE = 4e-3


def fitted(
    scaled: Floats, held_out: Floats, inputs: Sequence[Feature], seed: int
) -> tuple[MaskedAutoencoder, list[float], list[float]]:
    """The network as it was after its best epoch on the held-out rows, with the losses of all epochs."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = MaskedAutoencoder([feature.group for feature in inputs])
    generator = torch.Generator().manual_seed(seed)
    values, present = _tensors(scaled)
    network.knows_only(values, present)
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
