"""What a score is: the numbers of a row, its reasons, and the blocks in which rows are scored.

Which model gives the numbers belongs to `scorer.py` and `baselines.py`; sentences belong to `explanation.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl_assets.feature_groups import Feature

Floats = NDArray[np.float64]
Numbers = NDArray[np.generic]
REASONS = 3
BLOCK_ROWS = 1024


class InputsRefused(ValueError):  # noqa: N818  the refusal is the fact
    """The matrix is not what the model was trained on; the message names the feature. Permanent."""


@dataclass(frozen=True)
class Reasons:
    """Per row the three features that are strangest, strangest first: arrays of shape (rows, 3).

    `value` is as delivered, NaN where it was missing (and then `surprise` is NaN: nothing can be said);
    `expected` is in the same unit; `surprise` is the distance in expected errors, towards the risky side.
    """

    feature: NDArray[np.intp]
    value: Floats
    expected: Floats
    surprise: Floats


@dataclass(frozen=True)
class Scores:
    """For n rows: the share of normal traffic that is less strange than the row, in [0, 1), and the reasons."""

    score: Floats
    reasons: Reasons

    @classmethod
    def of(cls, arrays: Mapping[str, Numbers]) -> Scores:
        """The scores whose columns `in_blocks` computed."""
        value, expected, surprise = (arrays[name].astype(np.float64) for name in ("value", "expected", "surprise"))
        reasons = Reasons(arrays["feature"].astype(np.intp), value, expected, surprise)
        return cls(arrays["score"].astype(np.float64), reasons)

    def reasons_json(self, inputs: Sequence[Feature]) -> pa.Array:
        """The reasons of each row as compact JSON text.

        Built column by column in Arrow, because a call of `json.dumps` per row takes longer than the scoring.
        """
        names = pa.array([json.dumps(feature.name) for feature in inputs])
        parts: list[pa.Array | str] = []
        for place in range(REASONS):
            numbers = (
                _json_numbers(column[:, place])
                for column in (self.reasons.value, self.reasons.expected, self.reasons.surprise)
            )
            value, expected, surprise = numbers
            name = names.take(pa.array(self.reasons.feature[:, place]))
            parts += ["[" if place == 0 else ",", '{"feature":', name, ',"value":', value]
            parts += [',"expected":', expected, ',"surprise":', surprise, "}"]
        return pc.binary_join_element_wise(*parts, "]", "")


def _json_numbers(values: Floats) -> pa.Array:
    """Numbers of six significant digits as JSON text, null for what is not finite."""
    finite = np.isfinite(values)
    size = np.abs(np.where(finite & (values != 0), values, 1.0))
    digits = np.clip(5 - np.floor(np.log10(size)), -300, 300).astype(np.int64)
    power = 10.0 ** np.abs(digits)
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = np.where(digits >= 0, np.round(values * power) / power, np.round(values / power) * power)
    return pc.fill_null(pa.array(np.where(finite, rounded, 0.0), mask=~finite).cast(pa.string()), "null")


def strangest(rarity: Floats, value: Floats, expected: Floats, surprise: Floats) -> dict[str, Numbers]:
    """The three features of highest rarity per row; of equals the one that comes first in the inputs."""
    top = np.argsort(-rarity, axis=1, kind="stable")[:, :REASONS]
    columns = {"value": value, "expected": expected, "surprise": surprise}
    return {"feature": top} | {name: np.take_along_axis(array, top, axis=1) for name, array in columns.items()}


def in_blocks(matrix: Floats, compute: Callable[[Floats], Mapping[str, Numbers]]) -> dict[str, Numbers]:
    """The arrays that `compute` gives for all rows, computed in blocks of one fixed shape.

    A matrix product may round differently for 10 rows than for 10,000, and a day scored alone must equal
    the same day scored in a month bit for bit. The last block is filled up with rows of nothing.
    """
    results = []
    for start in range(0, max(len(matrix), 1), BLOCK_ROWS):
        rows = matrix[start : start + BLOCK_ROWS]
        block = np.full((BLOCK_ROWS, matrix.shape[1]), np.nan)
        block[: len(rows)] = rows
        results.append(compute(block))
    return {name: np.concatenate([result[name] for result in results])[: len(matrix)] for name in results[0]}


def checked(matrix: Floats, inputs: Sequence[Feature]) -> Floats:
    """`matrix` as contiguous float64, one column per input, NaN for missing.

    Infinity is refused by name: it is a division by zero upstream, and cut to a large number it would be
    the strangest row of the day. Raises: InputsRefused.
    """
    values = np.ascontiguousarray(matrix, dtype=np.float64)
    if len(inputs) < REASONS:
        raise InputsRefused(f"{len(inputs)} inputs; a score with three reasons needs at least three")
    if values.ndim != 2 or values.shape[1] != len(inputs):
        raise InputsRefused(f"a matrix of shape {values.shape} for {len(inputs)} inputs")
    infinite = np.isinf(values).sum(axis=0)
    named = [f"{feature.name} ({count} rows)" for feature, count in zip(inputs, infinite, strict=True) if count]
    if named:
        raise InputsRefused("infinite values in " + ", ".join(named))
    return values
