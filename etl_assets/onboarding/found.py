"""What is known of a sample's columns while they are guessed one after another, and small questions about one.

Which column is which belongs to the modules named after what they look for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.onboarding.draft import Guess
from etl_assets.onboarding.money import MoneyReading
from etl_assets.onboarding.samples import Sample
from etl_assets.onboarding.times import TimeReading
from etl_assets.onboarding.words import rank, tokens

MASKABLE = ("transaction_id", "account_id", "counterparty_id", "description", "reverses_id")
LONGEST_NAME_BYTES = 63
AS_GOOD, USUALLY, FEW = 3, 0.99, 20


@dataclass
class Found:
    """What is known of the columns so far; `taken` are the titles that something reads already."""

    sample: Sample
    day: date | None
    currency: str | None = None
    taken: list[str] = field(default_factory=list)
    parsed: list[str] = field(default_factory=list)
    time: TimeReading | None = None
    money: MoneyReading | None = None
    key: tuple[str, ...] = ()
    guesses: list[Guess] = field(default_factory=list)

    @property
    def unmaskable(self) -> set[str]:
        """Titles that are read as a time, a number or a code, which no token can be."""
        mapped = {guess.place[1]: guess.value for guess in self.guesses}
        kept = {guess["source"] for name, guess in mapped.items() if name not in MASKABLE and "source" in guess}
        return kept | set(self.parsed)

    def ranked(self, column: str, *, fits: Callable[[pa.ChunkedArray], bool] = lambda _: True) -> list[str]:
        """Titles not taken yet that name the column and whose values fit, the best first."""
        free = [title for title in self.sample.columns if title not in self.taken]
        weights = {title: weight for title in free if (weight := rank(title, column)) > 0}
        return sorted((t for t in weights if fits(self.sample.columns[t])), key=lambda t: -weights[t])

    def add(self, column: str, titles: Sequence[str], fields: dict[str, Any] | None = None, **rest: Any) -> None:
        """The guess that `titles` hold the column; they are taken from now on."""
        self.taken += titles
        self.parsed += titles if column in {"event_at", "amount", "booked_on"} else []
        value = named(titles[0]) | (fields or {})
        self.guesses.append(Guess(("columns", column), value, **rest))


def named(title: str) -> dict[str, Any]:
    """The fields of a source with this title, under another name where the platform keeps the name for itself."""
    is_free = not title.startswith("_") and title != "business_date" and len(title.encode()) <= LONGEST_NAME_BYTES
    if is_free:
        return {"source": title}
    return {"source": "_".join(("source", *tokens(title)))[:LONGEST_NAME_BYTES], "aliases": [title]}


def part_of(title: str) -> Any:
    source = named(title)
    return title if source == {"source": title} else source


def other_titles(titles: Sequence[str], column: str) -> str:
    good = [t for t in titles[1:] if rank(t, column) >= rank(titles[0], column) - AS_GOOD]
    return f"or {', '.join(good)}" if good else ""


def is_filled(column: pa.ChunkedArray) -> bool:
    return bool(column.null_count < len(column))


def is_telling(column: pa.ChunkedArray) -> bool:
    """Whether it tells rows apart at all; one value in a long file is a label."""
    return is_filled(column) and (len(column) < FEW or pc.count_distinct(column).as_py() > 1)


def is_unique(column: pa.ChunkedArray) -> bool:
    """No value twice, and hardly any missing: a record without an id is quarantined, not a reason against the id."""
    filled = len(column) - column.null_count
    return bool(filled > 1 and filled >= USUALLY * len(column) and pc.count_distinct(column).as_py() == filled)


def is_whole(column: pa.ChunkedArray) -> bool:
    texts = [text for text in column.unique().to_pylist() if text]
    return bool(texts) and all(text.isdigit() for text in texts)
