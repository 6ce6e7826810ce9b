"""The Fraud Detection Handbook's protocol: which rows a week's model learns from, is judged on, and by what figures.

Training on 7 days, 7 days until labels are known, judged on the 7 days after; cards known to be compromised are
taken out of the judged days. Where the rows come from is in `model_quality_data.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from model_quality_data import Featured
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from models.calibration import Floats

EPOCH = date(1970, 1, 1)
TRAINED, DELAYED, JUDGED, LABELLED = 7, 7, 7, 28
CARDS = 100
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Week:
    """Rows to learn from without labels, rows whose labels may be learnt from, and rows to judge on."""

    trained: Rows
    labelled: Rows
    judged: Rows


def days_needed(weeks: list[date]) -> tuple[date, date]:
    """The first and the last day that any of the weeks learns from or is judged on."""
    return min(weeks) - timedelta(days=DELAYED + LABELLED), max(weeks) + timedelta(days=JUDGED - 1)


def week_of(rows: Featured, start: date) -> Week:
    """The rows of the week that is judged from `start` on."""
    day = rows.day - (start - EPOCH).days
    is_trained = (day >= -DELAYED - TRAINED) & (day < -DELAYED)
    compromised = set(rows.card[is_trained & rows.is_fraud])
    judged = []
    for offset in range(JUDGED):
        compromised |= set(rows.card[(day == offset - DELAYED - 1) & rows.is_fraud])
        found = np.flatnonzero(day == offset)
        judged.append(found[~np.isin(rows.card[found], list(compromised))])
    labelled = np.flatnonzero((day >= -DELAYED - LABELLED) & (day < -DELAYED))
    return Week(np.flatnonzero(is_trained), labelled, np.concatenate(judged))


def figures(rows: Featured, judged: Rows, score: Floats) -> dict[str, float]:
    """Area under the ROC curve, average precision, and card precision at 100 a day."""
    is_fraud = rows.is_fraud[judged]
    return {
        "auc": float(roc_auc_score(is_fraud, score)),
        "ap": float(average_precision_score(is_fraud, score)),
        "cp100": card_precision(rows, judged, score),
    }


def card_precision(rows: Featured, judged: Rows, score: Floats) -> float:
    """The share of compromised cards among the hundred with the highest score of a day, once found never again."""
    found: set[int] = set()
    precisions = []
    for day in np.unique(rows.day[judged]):
        asked = (rows.day[judged] == day) & ~np.isin(rows.card[judged], list(found))
        cards, place = np.unique(rows.card[judged[asked]], return_inverse=True)
        highest, is_fraud = np.full(len(cards), -np.inf), np.zeros(len(cards), dtype=bool)
        np.maximum.at(highest, place, score[asked])
        np.logical_or.at(is_fraud, place, rows.is_fraud[judged[asked]])
        first = np.argsort(-highest, kind="stable")[:CARDS]
        precisions.append(is_fraud[first].sum() / CARDS)
        found |= set(cards[first][is_fraud[first]])
    return float(np.mean(precisions))
