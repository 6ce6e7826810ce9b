"""The shipped scorer: autoencoder, z-scores, amount and what labels taught, calibrated, saved without pickle.

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
from models.calibration import Floats, Tail, one_sided
from models.head import Head
from models.judge import Judge
from models.scoring import Scores, checked, in_blocks, strangest

FORMAT = 2


def expectations(network: MaskedAutoencoder, scaled: Floats) -> tuple[Floats, Floats]:
    """What the network expects of every scaled value while its group is hidden, and its expected error."""
    present = torch.from_numpy(np.isfinite(scaled))
    values = torch.from_numpy(np.nan_to_num(scaled).astype(np.float32))
    mean, scale = network.expected(values, present)
    return mean.numpy().astype(np.float64), scale.numpy().astype(np.float64)


def unexpectedness(network: MaskedAutoencoder, scaled: Floats, inputs: Sequence[Feature]) -> Floats:
    """How far each value is on the risky side of what is expected, in the root of the expected error.

    In whole expected errors, an account whose own past already made the network unsure would be excused
    its next strange payment; in none, what nobody can predict would always look strange.
    """
    mean, scale = expectations(network, scaled)
    return one_sided((scaled - mean) / np.sqrt(scale), inputs)


@dataclass(frozen=True)
class Scorer:
    """Scores rows and says why: an unsupervised committee, and a head that learnt from labels where there is one.

    Each voter misses what another sees: the autoencoder knows what is usual for this account, but explains
    away a risk that is visible in two groups at once; z-scores see that one; the amount never starts cold.
    Autoencoder and z-scores rate each feature with equal weight, since no label may choose the weights, and the
    amount alone is enough for an alert. A head replaces the committee's score, never its reasons.
    """

    inputs: tuple[Feature, ...]
    network: MaskedAutoencoder
    judge: Judge
    zscores: ZScores
    amount: AmountOnly | None
    committee: Tail
    seed: int
    head: Head | None = None

    def score(self, matrix: Floats) -> Scores:
        """The scores of `matrix`, equal bit for bit in whatever batch a row comes. Raises: InputsRefused."""
        with one_thread():
            return Scores.of(in_blocks(checked(matrix, self.inputs), self._score_block))

    def votes(self, matrix: Floats) -> dict[str, Floats]:
        """What the shipped scorer, the committee and each voter say of each row; larger is stranger."""
        with one_thread():
            arrays = in_blocks(checked(matrix, self.inputs), self._votes)
        return {name: array.astype(np.float64) for name, array in arrays.items()}

    def evidence(self, matrix: Floats) -> Floats:
        """What a head sees of each row."""
        rows = checked(matrix, self.inputs)
        seen = in_blocks(rows, lambda block: {"seen": self._seen(block, self._judged(block))})["seen"]
        return seen.astype(np.float64)

    def _judged(self, block: Floats) -> dict[str, Floats]:
        """Per feature what was expected, how far off it was, and how rare that is in the eyes of both voters."""
        scaled = self.zscores.scaling.apply(block)
        mean, scale = expectations(self.network, scaled)
        surprise = one_sided((scaled - mean) / scale, self.inputs)
        unexpected = self.judge.features(one_sided((scaled - mean) / np.sqrt(scale), self.inputs))
        improbable = self.zscores.features(scaled)
        rarity = (unexpected + improbable) / 2
        judged = {"scaled": scaled, "mean": mean, "surprise": surprise, "rarity": rarity}
        return judged | {"unexpected": unexpected, "improbable": improbable}

    def _amount(self, block: Floats) -> Floats:
        return self.amount.rarity(block) if self.amount else np.zeros(len(block))

    def _together(self, block: Floats, judged: dict[str, Floats]) -> Floats:
        return np.asarray(np.maximum(self.judge.strangeness(judged["rarity"]), self._amount(block)))

    def _seen(self, block: Floats, judged: dict[str, Floats]) -> Floats:
        return np.column_stack([block, judged["rarity"]])

    def _votes(self, block: Floats) -> dict[str, Floats]:
        judged = self._judged(block)
        together = self._together(block, judged)
        votes = {
            "committee": together,
            "autoencoder": self.judge.rows(judged["unexpected"]),
            "zscores": self.zscores.judge.rows(judged["improbable"]),
        }
        if self.amount:
            votes["amount"] = self._amount(block)
        if self.head:
            votes["head"] = self.head.logit(self._seen(block, judged))
        return votes

    def _score_block(self, block: Floats) -> dict[str, Numbers]:
        judged = self._judged(block)
        if self.head:
            score: Numbers = self.head.calibration.share_below(self.head.logit(self._seen(block, judged)))
        else:
            score = self.committee.share_below(self._together(block, judged))
        rarity = judged["rarity"]
        if self.amount:
            rarity[:, self.amount.column] = np.maximum(rarity[:, self.amount.column], self._amount(block))
        weight = self.judge.weight_as_reason(rarity, judged["surprise"])
        expected = self.zscores.scaling.undo(judged["mean"])
        return {"score": score} | strangest(weight, block, expected, judged["surprise"])

    def save(self, folder: Path) -> str:
        """`folder` holds the scorer; its content hash is returned."""
        weights = {name: tensor.numpy() for name, tensor in self.network.state_dict().items()}
        arrays = (
            prefixed("network", weights)
            | prefixed("judge", self.judge.arrays())
            | prefixed("zscores", self.zscores.arrays())
            | {"committee": self.committee.array()}
            | ({"amount": self.amount.tail.array()} if self.amount else {})
            | (prefixed("head", self.head.arrays()) if self.head else {})
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
        head = Head.from_arrays(under("head", arrays)) if under("head", arrays) else None
        return cls(own, network, judge, zscores, amount, committee, words["seed"], head)


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
