"""What is guessed about an institution, each guess at its place in the YAML with its reason: plain data.

How guesses are found belongs to the other modules, how they are written down to `yaml_writing.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Certainty = Literal["proven", "likely", "open"]
Place = tuple[str, ...]


@dataclass(frozen=True)
class Guess:
    """A value of the YAML. `proven` on the sample, `likely`, or `open`: then `question` says what a person must answer.

    `alternatives` are values that may be the right one instead, written beside it as comments.
    """

    place: Place
    value: Any
    why: str = ""
    certainty: Certainty = "likely"
    question: str | None = None
    alternatives: tuple[Any, ...] = ()


@dataclass
class Draft:
    """All guesses in the order of the YAML; `notes` become comments under a field of the first level."""

    guesses: list[Guess] = field(default_factory=list)
    notes: dict[str, list[str]] = field(default_factory=dict)

    def add(self, *guesses: Guess | None) -> None:
        self.guesses += [guess for guess in guesses if guess is not None]

    def note(self, under: str, text: str) -> None:
        self.notes.setdefault(under, []).append(text)

    @property
    def questions(self) -> list[tuple[str, str]]:
        """Where a person must decide, and what."""
        return [(".".join(guess.place), guess.question) for guess in self.guesses if guess.question]

    @property
    def values(self) -> dict[str, Any]:
        """The guesses as the fields that a spec is made from."""
        return nested((guess.place, guess.value) for guess in self.guesses)


def nested(pairs: Iterable[tuple[Sequence[str], Any]]) -> dict[str, Any]:
    """Values by place as mappings in mappings."""
    whole: dict[str, Any] = {}
    for place, value in pairs:
        inner = whole
        for part in place[:-1]:
            inner = inner.setdefault(part, {})
        inner[place[-1]] = value
    return whole
