"""Pictures for the metadata of materialisations, as Markdown that the Dagster UI shows.

Aggregates only: a picture of single rows would put personal data into the event log.
"""

import base64
from collections.abc import Sequence
from io import BytesIO

import dagster as dg
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

SIZE_INCHES, DPI = (7.0, 3.2), 60


def loss_curve(training: Sequence[float], held_out: Sequence[float]) -> dg.MarkdownMetadataValue:
    """Loss per epoch, on the rows that were learnt from and on those held out."""
    figure, axes = _axes("epoch", "loss")
    axes.plot(range(1, len(training) + 1), training, label="training")
    axes.plot(range(1, len(held_out) + 1), held_out, label="held out")
    axes.legend(frameon=False)
    return _markdown("training curve", figure)


def score_histogram(scores: np.ndarray, threshold: float) -> dg.MarkdownMetadataValue:
    """How many rows have which score, and where the alert threshold lies; level where normal is still normal."""
    figure, axes = _axes("score", "transactions")
    axes.hist(scores, bins=50, range=(0.0, 1.0))
    axes.axvline(threshold, color="tab:red", label=f"threshold {threshold:.4f}")
    axes.legend(frameon=False)
    return _markdown("score histogram", figure)


def _axes(x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=SIZE_INCHES)
    axes = figure.subplots(gridspec_kw={"left": 0.12, "right": 0.98, "bottom": 0.18, "top": 0.95})
    axes.set(xlabel=x, ylabel=y)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _markdown(title: str, figure: Figure) -> dg.MarkdownMetadataValue:
    png = BytesIO()
    figure.savefig(png, format="png", dpi=DPI)
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{base64.b64encode(png.getvalue()).decode()})")
