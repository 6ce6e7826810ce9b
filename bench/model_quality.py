"""Measure the platform's scorer as the Fraud Detection Handbook measures its models, with the baselines beside it.

    python bench/model_quality.py [--seeds N] [--selection] [--tiers NAME ...] [--data DIR] [--json PATH]

Three tiers on the handbook's four test weeks: no labels at all, labels of a week ago as inputs, and learning from
four weeks of labels. Then the same code and defaults on Sparkov and on one IBM user. About 2 minutes a seed of four
weeks on an idle core, times three tiers.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from model_quality_data import WITH_LABELS, WITHOUT_LABELS, Featured, handbook, ibm_user, sparkov
from model_quality_protocol import Week, days_needed, figures, week_of
from sklearn.metrics import average_precision_score, roc_auc_score

from etl_assets.feature_groups import Feature
from models.calibration import Floats
from models.scoring import Scores
from models.training import Trained, train

SHARED_DATA = Path(os.environ.get("ETL_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
TEST = [date(2018, 8, 8), date(2018, 8, 15), date(2018, 8, 22), date(2018, 8, 29)]
SELECTION = [date(2018, 6, 13), date(2018, 6, 27)]
TIERS = ("no_labels", "delayed_labels", "label_feedback")
PUBLISHED = {
    "handbook's autoencoder": {"auc": 0.836, "ap": 0.18, "cp100": 0.217},
    "handbook's best supervised": {"auc": 0.879, "ap": 0.687, "cp100": 0.305},
}
ALERT_SHARE = 0.005
AMOUNT_DRIVEN = (1, 3)
LEARNT_SHARE = 0.6
Measured = dict[str, list[dict[str, float]]]


def trained(rows: Featured, week: Week, tier: str, seed: int) -> Trained:
    """What the tier may learn before the week: only the last of them sees a label as a target."""
    if tier == "no_labels":
        return train(rows.of(week.trained, WITHOUT_LABELS), WITHOUT_LABELS, seed)
    if tier == "delayed_labels":
        normal = week.trained[~rows.is_fraud[week.trained]]
        return train(rows.of(normal, WITH_LABELS), WITH_LABELS, seed)
    is_fraud = rows.is_fraud[week.labelled]
    return train(rows.of(week.labelled, WITH_LABELS), WITH_LABELS, seed, is_fraud)


def votes(model: Trained, values: Floats) -> tuple[Scores, dict[str, Floats]]:
    """The scores, and what the scorer, each of its voters and each baseline say; larger is stranger."""
    scores = model.scorer.score(values)
    return scores, {"scorer": scores.score, **model.scorer.votes(values), **model.outliers.votes(values)}


def explained(rows: Featured, judged: np.ndarray, scores: Scores, features: Sequence[Feature]) -> tuple[int, int]:
    """Of alerted frauds that are about the amount: how many have it as first reason, and how many there are."""
    alerted = (scores.score >= 1 - ALERT_SHARE) & np.isin(rows.kind[judged], AMOUNT_DRIVEN)
    is_amount = np.array([feature.group == "amount" for feature in features])
    return int(is_amount[scores.reasons.feature[alerted, 0]].sum()), int(alerted.sum())


def measure(rows: Featured, weeks: Sequence[date], tier: str, seeds: int) -> dict[str, dict[str, float]]:
    """Mean over weeks and seeds of every figure, and the spread over seeds of the mean over weeks."""
    features = WITHOUT_LABELS if tier == "no_labels" else WITH_LABELS
    by_seed: list[Measured] = []
    reasons = np.zeros(2)
    for seed in range(1, seeds + 1):
        found: Measured = defaultdict(list)
        for start in weeks:
            week = week_of(rows, start)
            scores, said = votes(trained(rows, week, tier, seed), rows.of(week.judged, features))
            reasons += explained(rows, week.judged, scores, features)
            for name, score in said.items():
                found[name].append(figures(rows, week.judged, score))
            print(f"  {tier} seed {seed} week {start}: {shown(found['scorer'][-1])}", flush=True)
        by_seed.append(found)
    result = {name: summary([found[name] for found in by_seed]) for name in by_seed[0]}
    result["scorer"]["amount_first"] = float(reasons[0] / max(reasons[1], 1))
    return result


def summary(by_seed: Sequence[list[dict[str, float]]]) -> dict[str, float]:
    result: dict[str, float] = {}
    for figure in ("auc", "ap", "cp100"):
        means = [float(np.mean([week[figure] for week in weeks])) for weeks in by_seed]
        result |= {figure: float(np.mean(means)), f"{figure}_sd": float(np.std(means))}
    return result


def elsewhere(rows: Featured, seeds: int) -> dict[str, dict[str, float]]:
    """Trained on the first six tenths of the days without a label, judged on the rest, by area and precision."""
    first, later = rows.day < np.quantile(rows.day, LEARNT_SHARE), rows.day >= np.quantile(rows.day, LEARNT_SHARE)
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    values, is_fraud = rows.of(np.flatnonzero(later), WITHOUT_LABELS), rows.is_fraud[later]
    for seed in range(1, seeds + 1):
        _, said = votes(train(rows.of(np.flatnonzero(first), WITHOUT_LABELS), WITHOUT_LABELS, seed), values)
        for name, score in said.items():
            found[name].append((roc_auc_score(is_fraud, score), average_precision_score(is_fraud, score)))
    means = {name: np.mean(pairs, axis=0) for name, pairs in found.items()}
    share = {"no skill": {"auc": 0.5, "ap": float(is_fraud.mean())}}
    return share | {name: {"auc": float(mean[0]), "ap": float(mean[1])} for name, mean in means.items()}


def shown(row: Mapping[str, float]) -> str:
    parts = (
        f"{n} {row[n]:.3f}" + (f" ±{row[n + '_sd']:.3f}" if n + "_sd" in row else "") for n in row if "_sd" not in n
    )
    return "  ".join(parts)


def printed(title: str, rows: Mapping[str, Mapping[str, float]]) -> None:
    print(f"\n{title}")
    for name, row in rows.items():
        print(f"  {name:28}{shown(row)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--selection", action="store_true", help="the two weeks to choose on, not the test weeks")
    parser.add_argument("--tiers", nargs="*", default=list(TIERS), choices=TIERS)
    parser.add_argument("--data", type=Path, default=SHARED_DATA)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    arguments = parser.parse_args()
    others = {"sparkov": sparkov(arguments.data), "ibm_user0": ibm_user(arguments.data)}
    result: dict[str, Any] = {name: elsewhere(rows, arguments.seeds) for name, rows in others.items()}
    for name, found in result.items():
        printed(f"{name}, no labels", found)
    weeks = SELECTION if arguments.selection else TEST
    rows = handbook(arguments.data, *days_needed(weeks))
    for tier in arguments.tiers:
        found = measure(rows, weeks, tier, arguments.seeds)
        printed(f"handbook, {tier}", found | PUBLISHED)
        result[tier] = {**found["scorer"], "beside": found}
        if arguments.json:
            arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
