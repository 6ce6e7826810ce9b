"""Bring every input to a common scale, and back: standardised, logarithmic where its own data ask for it.

What a value's distance from normal means belongs to `calibration.py`; nothing here knows groups or risk.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SHAPE_ROWS = 50_000
FURTHEST = 50.0
"""Spreads from the centre at which a value is cut: a typing error of 1e300 must not become infinite."""


@dataclass(frozen=True)
class Scaling:
    """Per input: whether it is seen through a signed logarithm, and its centre and spread there.

    Quantile transforms would put every distribution on one scale too, but they give the largest value ever
    seen and one ten times as large the same place, and that difference is what is looked for.
    """

    is_log: NDArray[np.bool_]
    unit: Floats
    centre: Floats
    spread: Floats

    @classmethod
    def fit(cls, matrix: Floats) -> Scaling:
        """The scaling of `matrix`, NaN ignored. An input that never varies says nothing and gets spread 0."""
        columns = [_fit_column(column[np.isfinite(column)]) for column in matrix.T]
        is_log, unit, centre, spread = (np.array(part) for part in zip(*columns, strict=True))
        return cls(is_log.astype(bool), unit, centre, spread)

    def apply(self, matrix: Floats) -> Floats:
        """`matrix` in spreads from the centre; NaN where it was missing or the input never varied in training."""
        with np.errstate(over="ignore", invalid="ignore"):
            seen = np.where(self.is_log, _signed_log(matrix, self.unit), matrix)
            scaled = (seen - self.centre) / np.where(self.spread > 0, self.spread, np.nan)
        return np.clip(scaled, -FURTHEST, FURTHEST)

    def undo(self, scaled: Floats) -> Floats:
        """Values in their own units again; a centre is given for an input that never varied."""
        seen = scaled * self.spread + self.centre
        with np.errstate(over="ignore"):
            value = np.where(self.is_log, np.sign(seen) * self.unit * np.expm1(np.abs(seen)), seen)
        return np.clip(value, -1e300, 1e300)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """What `from_arrays` needs to build the same scaling."""
        return {"is_log": self.is_log, "unit": self.unit, "centre": self.centre, "spread": self.spread}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> Scaling:
        """The scaling that `arrays` came from."""
        floats = (arrays[name].astype(np.float64) for name in ("unit", "centre", "spread"))
        return cls(arrays["is_log"].astype(np.bool_), *floats)


def _signed_log(values: Floats, unit: Floats | float) -> Floats:
    return np.asarray(np.sign(values) * np.log1p(np.abs(values) / unit))


def _fit_column(values: Floats) -> tuple[bool, float, float, float]:
    """Logarithmic when that makes the column clearly more symmetric; centre and spread without its extremes."""
    if len(values) == 0 or values.min() == values.max():
        return False, 1.0, float(values[0]) if len(values) else 0.0, 0.0
    unit = float(np.median(np.abs(values[values != 0])))
    sample = values[:: len(values) // SHAPE_ROWS + 1]
    is_log = _skewness(_signed_log(sample, unit)) < _skewness(sample) - 0.25
    centre, spread = _centre_and_spread(_signed_log(values, unit) if is_log else values)
    return is_log, unit, centre, spread


def _trimmed(values: Floats) -> Floats:
    return np.clip(values, *np.quantile(values, [0.0005, 0.9995]))


def _skewness(values: Floats) -> float:
    trimmed = _trimmed(values)
    spread = trimmed.std()
    return float(abs((((trimmed - trimmed.mean()) / spread) ** 3).mean())) if spread > 0 else np.inf


def _centre_and_spread(values: Floats) -> tuple[float, float]:
    """Mean and standard deviation of the trimmed values, or of all where only the extremes differ (a rare flag)."""
    trimmed = _trimmed(values)
    kept = trimmed if trimmed.std() > 1e-9 * np.abs(trimmed).max() else np.clip(values, -1e150, 1e150)
    return float(kept.mean()), float(kept.std())
