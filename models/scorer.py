"""The shipped scorer: a committee of autoencoder, z-scores and amount, calibrated together, saved without pickle.

How its parts are fitted belongs to `training.py`; where versions of it are kept belongs to `registry.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from etl_assets.feature_groups import Feature
from models.artefacts import ArtefactRefused, Numbers, prefixed, read, under, write
from models.autoencoder import MaskedAutoencoder, one_thread
from models.baselines import AmountOnly, ZScores
from models.calibration import Floats, Judge, Tail, one_sided
from models.scoring import Scores, checked, in_blocks, strangest

FORMAT = 1


def expectations(network: MaskedAutoencoder, scaled: Floats) -> tuple[Floats, Floats]:
    """What the network expects of every scaled value while its group is hidden, and its expected error."""
    present = torch.from_numpy(np.isfinite(scaled))
    values = torch.from_numpy(np.nan_to_num(scaled).astype(np.float32))
    mean, scale = network.expected(values, present)
    return mean.numpy().astype(np.float64), scale.numpy().astype(np.float64)


@dataclass(frozen=True)
class Scorer:
    """Scores rows and says why. The score is the committee's; reasons are the autoencoder's residuals.

    Each voter misses what another sees: the autoencoder knows what is usual for this account, but explains
    away a risk that is visible in two groups at once; z-scores see that one; the amount never starts cold.
    Their rarities are added with equal weight, since no label may choose the weights.
    """

    inputs: tuple[Feature, ...]
    network: MaskedAutoencoder
    judge: Judge
    zscores: ZScores
    amount: AmountOnly | None
    committee: Tail
    seed: int

    def score(self, matrix: Floats) -> Scores:
        """The scores of `matrix`, equal bit for bit in whatever batch a row comes. Raises: InputsRefused."""
        with one_thread():
            return Scores.of(in_blocks(checked(matrix, self.inputs), self._score_block))

    def votes(self, matrix: Floats) -> dict[str, Floats]:
        """The rarity of each row in the eyes of each voter, in nats."""
        with one_thread():
            arrays = in_blocks(checked(matrix, self.inputs), lambda block: self._votes(block, self._judged(block)))
        return {name: array.astype(np.float64) for name, array in arrays.items()}

    def _judged(self, block: Floats) -> dict[str, Floats]:
        scaled = self.zscores.scaling.apply(block)
        mean, scale = expectations(self.network, scaled)
        surprise = one_sided((scaled - mean) / scale, self.inputs)
        rarity = self.judge.features(surprise)
        return {"scaled": scaled, "mean": mean, "surprise": surprise, "rarity": rarity}

    def _votes(self, block: Floats, judged: dict[str, Floats]) -> dict[str, Floats]:
        votes = {
            "autoencoder": self.judge.rows(judged["surprise"], judged["rarity"]),
            "zscores": self.zscores.rarity(judged["scaled"]),
        }
        return votes | ({"amount": self.amount.rarity(block)} if self.amount else {})

    def _score_block(self, block: Floats) -> dict[str, Numbers]:
        judged = self._judged(block)
        score: Numbers = self.committee.share_below(together(self._votes(block, judged)))
        expected = self.zscores.scaling.undo(judged["mean"])
        return {"score": score} | strangest(judged["rarity"], block, expected, judged["surprise"])

    def save(self, folder: Path) -> str:
        """`folder` holds the scorer; its content hash is returned."""
        weights = {name: tensor.numpy() for name, tensor in self.network.state_dict().items()}
        arrays = (
            prefixed("network", weights)
            | prefixed("judge", self.judge.arrays())
            | prefixed("zscores", self.zscores.arrays())
            | {"committee": self.committee.array()}
            | ({"amount": self.amount.tail.array()} if self.amount else {})
        )
        words = {
            "format": FORMAT,
            "seed": self.seed,
            "inputs": [asdict(feature) | {"needs": sorted(feature.needs)} for feature in self.inputs],
            "versions": {name: version(name) for name in ("numpy", "torch", "safetensors")},
        }
        return write(folder, arrays, words)

    @classmethod
    def load(cls, folder: Path, inputs: Sequence[Feature] | None = None, digest: str | None = None) -> Scorer:
        """The scorer that was saved with the hash `digest`, for columns in the order of `inputs`.

        Raises: ArtefactRefused for content that was changed, another format, or inputs in another order: the
        model would take the count of payments for their sum and still give every row a plausible score.
        """
        arrays, words = read(folder, digest)
        if words.get("format") != FORMAT:
            raise ArtefactRefused(f"{folder}: format {words.get('format')}, this code reads {FORMAT}")
        own = tuple(_feature(entry) for entry in words["inputs"])
        if inputs is not None:
            _refuse_other_inputs(own, inputs)
        network = MaskedAutoencoder([feature.group for feature in own])
        network.load_state_dict({name: torch.from_numpy(a) for name, a in under("network", arrays).items()})
        zscores = ZScores.from_arrays(under("zscores", arrays), own)
        amount = AmountOnly.from_array(arrays["amount"].astype(np.float64), own) if "amount" in arrays else None
        committee = Tail.from_array(arrays["committee"].astype(np.float64))
        judge = Judge.from_arrays(under("judge", arrays), own)
        return cls(own, network, judge, zscores, amount, committee, words["seed"])


def together(votes: dict[str, Floats]) -> Floats:
    """The committee's opinion of each row: the sum of the voters' rarities."""
    return np.asarray(sum(votes.values()))


def _feature(entry: dict[str, Any]) -> Feature:
    return Feature(**{**entry, "needs": frozenset(entry["needs"])})


def _refuse_other_inputs(own: Sequence[Feature], given: Sequence[Feature]) -> None:
    names, others = [f.name for f in own], [f.name for f in given]
    if names == others:
        return
    missing, unknown = sorted(set(names) - set(others)), sorted(set(others) - set(names))
    if missing or unknown:
        raise ArtefactRefused(f"the model has inputs {missing} that the table lacks; the table has {unknown} besides")
    place = next(i for i, (name, other) in enumerate(zip(names, others, strict=True)) if name != other)
    raise ArtefactRefused(f"input {place + 1} of the model is {names[place]}, of the table {others[place]}")
