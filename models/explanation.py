"""A reason as a sentence that a person can read and check.

Which features are reasons is decided in `scoring.py`; nothing here computes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from etl_assets.feature_groups import Feature

SLIGHT, CLEAR = 2.0, 4.0


def sentence(reason: Mapping[str, str | float | None], features: Sequence[Feature]) -> str:
    """One sentence about an entry of the `reasons` column, such as "spend 420.00 is far above the 35.20 expected".

    Raises KeyError for a feature that `features` does not have: reasons of another model are not explained.
    """
    feature = {feature.name: feature for feature in features}[str(reason["feature"])]
    value, expected, surprise = (reason[name] for name in ("value", "expected", "surprise"))
    words = feature.name.replace("_", " ")
    if value is None or expected is None or surprise is None:
        return f"{words} is not known for this row ({_meaning(feature)})"
    side = "above" if float(value) > float(expected) else "below"
    return (
        f"{words} {_number(float(value))} is {_degree(float(surprise))} {side} the {_number(float(expected))} "
        f"expected (surprise {float(surprise):.1f}; {_meaning(feature)})"
    )


def alert_sentence(score: float, reasons: str, features: Sequence[Feature]) -> str:
    """An alert in one sentence: how strange the payment is, and the strongest reason; `reasons` as in that column."""
    strongest = sentence(json.loads(reasons)[0], features)
    return f"Stranger than {_share(score)} of normal traffic: {strongest}."


def _share(score: float) -> str:
    """With as many digits as it takes: rounded to 100 % it would claim what nobody has seen."""
    shown = (f"{100 * score:.{digits}f} %" for digits in range(1, 5))
    return next((share for share in shown if not share.startswith("100")), "99.9999 %")


def _degree(surprise: float) -> str:
    if surprise < SLIGHT:
        return "slightly"
    return "clearly" if surprise < CLEAR else "far"


def _number(value: float) -> str:
    return f"{value:,.2f}" if abs(value) >= 0.01 or value == 0 else f"{value:.2g}"


def _meaning(feature: Feature) -> str:
    description = feature.description.rstrip(".")
    return f"{description[:1].lower()}{description[1:]}, in {feature.unit}" if feature.unit else description
