"""The feature dictionary as a document: `python -m etl_assets.feature_dictionary > docs/features.md`.

What is in it comes from `feature_groups.py`; a test holds the document to it.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator

from etl_assets.feature_groups import FEATURES, NEEDS, Need, dictionary, groups, supported

HEAD = """# Features

Made by `python -m etl_assets.feature_dictionary > docs/features.md`; do not edit.

Every feature of a row is what was known before it. A row at second t of business date D sees rows of its account
or counterparty, in its currency, from t - window to before t, and of those only the ones whose business date is D or
earlier. Rows of the same second do not see each other. A label counts from the instant that it arrived. A value is
null where the row has no such account or counterparty, and, but for counts and sums, where there is no history.

`risk` says which side of normal is suspicious. The features of a group are hidden together when a model has to guess
one of them.
"""
LACKS: dict[Need, str] = {
    "account": "accounts",
    "counterparty": "counterparties",
    "time_of_day": "a time of day",
    "labels": "confirmed labels",
}


def document() -> str:
    """The text of `docs/features.md`."""
    return "\n".join([HEAD, *_by_source(), "", *_by_feature()]) + "\n"


def _by_source() -> Iterator[str]:
    everything = groups(FEATURES)
    sources: list[tuple[str, Collection[Need]]] = [
        ("everything", NEEDS),
        *((f"all but {words}", [n for n in NEEDS if n != need]) for need, words in LACKS.items()),
        ("amounts and days only", ()),
    ]
    yield "## What a source gets\n\nFeatures per group, by what the source delivers.\n"
    yield _line("source", *everything, "all")
    yield _line(*["---"] * (len(everything) + 2))
    for words, needs in sources:
        found = supported(needs)
        counts = groups(found)
        yield _line(words, *(str(counts.get(group, "-")) for group in everything), str(len(found)))


def _by_feature() -> Iterator[str]:
    columns = tuple(dictionary()[0])
    yield f"## All {len(FEATURES)}\n"
    yield _line(*columns)
    yield _line(*["---"] * len(columns))
    for row in dictionary():
        yield _line(f"`{row['name']}`", *(row[column] for column in columns[1:]))


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.stdout.write(document())
