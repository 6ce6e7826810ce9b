"""What confirmed labels teach: small networks over a row's features and rarities that say how like a fraud it is.

Whether there are labels enough, and whether the head beats the committee, is decided in `training.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.artefacts import prefixed, under
from models.calibration import Floats, Tail
from models.scaling import Scaling

Bools = NDArray[np.bool_]
FEWEST_FRAUDS = 100
"""With fewer the average precision of head and committee are not known to 0.05, and the better one wins by chance."""
FOLDS = 3
HIDDEN, NARROW = 64, 32
FURTHEST_SEEN = 8.0
STEPS, BATCH_ROWS, LEARNING_RATE, DECAY = 1200, 1024, 4e-3, 1e-2


@dataclass(frozen=True)
class Head:
    """The mean of a few networks, each kept from another stretch of time, and what its logits are worth."""

    members: tuple[nn.Sequential, ...]
    scaling: Scaling
    calibration: Tail

    def logit(self, evidence: Floats) -> Floats:
        """One number per row, larger for what is more like the confirmed frauds."""
        seen = _seen(self.scaling, evidence)
        return np.asarray(np.mean([_logit(member, seen) for member in self.members], axis=0), dtype=np.float64)

    @classmethod
    def fit(cls, evidence: Floats, is_fraud: Bools, weight: Floats, seed: int) -> tuple[Head, Floats]:
        """A head, and for each row the logit of a member that was not fitted to it nor to its neighbours in time.

        `evidence` is in time order; neighbours share a fraud's victim and place, and a member that had seen one of
        them would be praised for its memory. It is scaled with the frauds in it: to normal rows alone, every count
        of known frauds is equally absurd.
        """
        scaling = Scaling.fit(evidence)
        seen = _seen(scaling, evidence)
        members, logits = [], np.empty(len(seen))
        for fold, left_out in enumerate(_stretches(len(seen))):
            kept = np.ones(len(seen), dtype=np.bool_)
            kept[left_out] = False
            members.append(_fitted(seen[kept], is_fraud[kept], weight[kept], seed * FOLDS + fold))
            logits[left_out] = _logit(members[-1], seen[left_out])
        return cls(tuple(members), scaling, Tail.fit(logits[~is_fraud])), logits

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """What `from_arrays` needs to build the same head."""
        weights = {
            f"{place}.{name}": tensor.numpy()
            for place, member in enumerate(self.members)
            for name, tensor in member.state_dict().items()
        }
        return weights | {"calibration": self.calibration.array()} | prefixed("scaling", self.scaling.arrays())

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> Head:
        """The head that `arrays` came from."""
        members = []
        for place in range(FOLDS):
            own = {n.split(".", 1)[1]: torch.from_numpy(a) for n, a in arrays.items() if n.startswith(f"{place}.")}
            members.append(_network(own["0.weight"].shape[1]))
            members[-1].load_state_dict(own)
        calibration = Tail.from_array(arrays["calibration"].astype(np.float64))
        return cls(tuple(members), Scaling.from_arrays(under("scaling", arrays)), calibration)


def _seen(scaling: Scaling, evidence: Floats) -> Floats:
    """Scaled, cut at eight spreads, and which of it is known."""
    scaled = scaling.apply(evidence)
    return np.column_stack([np.clip(np.nan_to_num(scaled), -FURTHEST_SEEN, FURTHEST_SEEN), np.isfinite(scaled)])


def _stretches(rows: int) -> Iterator[slice]:
    edges = np.linspace(0, rows, FOLDS + 1).astype(int)
    return (slice(int(start), int(end)) for start, end in pairwise(edges))


def _network(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(width, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, NARROW), nn.SiLU(), nn.Linear(NARROW, 1)
    )


@torch.no_grad()
def _logit(member: nn.Sequential, seen: Floats) -> Floats:
    output: Tensor = member(torch.from_numpy(seen.astype(np.float32)))
    return output[:, 0].numpy().astype(np.float64)


def _fitted(seen: Floats, is_fraud: Bools, weight: Floats, seed: int) -> nn.Sequential:
    """A network fitted with a fixed number of steps: labels are too few to keep some for deciding when to stop."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _network(seen.shape[1])
    generator = torch.Generator().manual_seed(seed)
    values, target, weights = (torch.from_numpy(a.astype(np.float32)) for a in (seen, is_fraud, weight))
    optimiser = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=STEPS)
    for _ in range(STEPS):
        picked = torch.randint(len(values), (min(BATCH_ROWS, len(values)),), generator=generator)
        loss = nn.functional.binary_cross_entropy_with_logits(
            network(values[picked])[:, 0], target[picked], weight=weights[picked]
        )
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        schedule.step()
    return network.eval()
