"""Which source columns hold personal data, and what becomes of each before anything is written: a part of a spec.

How a token is made belongs to `sources/tokens.py`, applying it to rows to `sources/protection.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from etl_assets.row_expressions import columns_of
from etl_assets.spec.columns import CANONICAL_TEXT, Strict, Title
from etl_assets.spec.file import Place
from etl_assets.spec.mistakes import Contradiction

if TYPE_CHECKING:
    from etl_assets.institution_spec import InstitutionSpec

NUMBERED = re.compile(r" ?\(column \d+\)\Z")
BESIDE_LETTERS = re.compile(r"[\W_]+")
OF_TEXT = ("minimum", "maximum", "pattern", "allowed", "reference")
KEY_VARIABLE = "ETL_TOKEN_KEY"
WITHHELD = "(withheld)"
Fate = Literal["token", "dropped", "kept"]


def plain_title(title: str) -> str:
    """The title without case, spaces and signs, and without the number that a second column of the name gets.

    An exact match is not enough here: `SSN` where the spec says `ssn` would be a person's number in the clear.
    """
    bare = NUMBERED.sub("", title) or title
    return BESIDE_LETTERS.sub("", bare).casefold() or bare


class PersonalData(Strict):
    """Source columns, mapped or not: `tokens` can be joined but not read, `dropped` are not kept at all.

    `undeclared` is about the columns that the spec does not name anywhere. `no_cards` are columns whose numbers only
    look like those of cards.
    """

    tokens: tuple[Title, ...] = ()
    """Source columns whose values become tokens: equal values stay equal, and nobody can read them."""
    dropped: tuple[Title, ...] = ()
    """Source columns that are not kept: always null, or left out."""
    undeclared: Literal["keep", "drop"] | None = None
    """What becomes of columns that this file does not name: `drop` beside tokens or dropped ones, else `keep`."""
    no_cards: tuple[Title, ...] = ()
    """Source columns whose numbers only look like card numbers. Without that, a file with such numbers is refused."""

    @property
    def is_named(self) -> bool:
        """Whether there is anything to protect, and so a key to protect it with."""
        return bool(self.tokens or self.dropped)

    @property
    def keeps_undeclared(self) -> bool:
        """Columns that nobody has looked at stay out, by default, as soon as any column is personal."""
        return not self.is_named if self.undeclared is None else self.undeclared == "keep"

    def fate(self, title: str) -> Fate:
        """What becomes of a column of this title."""
        plain = plain_title(title)
        if plain in map(plain_title, self.dropped):
            return "dropped"
        return "token" if plain in map(plain_title, self.tokens) else "kept"


def fates(spec: InstitutionSpec) -> dict[str, Fate]:
    """What becomes of each declared column, by its first spelling; any of its spellings may name it as personal."""
    personal = spec.personal_data
    found = {name: {personal.fate(title) for title in titles} for name, titles in spec.declared.items()}
    return {name: "dropped" if "dropped" in f else "token" if "token" in f else "kept" for name, f in found.items()}


def header_in_words(header: Sequence[str], spec: InstitutionSpec) -> str:
    """The header as a message may quote it: with personal data, only the titles that the spec knows.

    The first line of a file without a header is a person's.
    """
    if not spec.personal_data.is_named:
        return f"the header is {list(header)}"
    known = _known(spec)
    told = [title for title in header if plain_title(title) in known]
    return f"the header is {told} and {len(header) - len(told)} titles that the spec does not name"


def quoting(spec: InstitutionSpec) -> Callable[[str], str]:
    """How a message may quote the key of a record: with personal data, only one that the spec knows."""
    if not spec.personal_data.is_named:
        return repr
    known = _known(spec)
    return lambda title: repr(title) if plain_title(title) in known else WITHHELD


def contradictions(spec: InstitutionSpec) -> Iterator[Contradiction]:
    """Every way in which `personal_data` cannot be had together with the rest of the spec."""
    yield from _named_twice(spec)
    yield from _needed(spec)
    yield from _judged(spec)
    yield from _unjoined(spec)
    yield from _absent(spec)


def _named_twice(spec: InstitutionSpec) -> Iterator[Contradiction]:
    declared = _declared(spec)
    seen: dict[str, str] = {}
    for place, title in _places(spec.personal_data):
        column = declared.get(plain_title(title), plain_title(title))
        if column in seen:
            yield place, f"expected each column once; it stands under {seen[column]} already", title
        seen.setdefault(column, f"personal_data.{place[1]}")


def _needed(spec: InstitutionSpec) -> Iterator[Contradiction]:
    """A column that is read as a number or a time cannot be a token, and one that every row needs cannot be dropped."""
    declared, texts = _declared(spec), _texts(spec)
    for place, title in _places(spec.personal_data):
        source = declared.get(plain_title(title))
        if source is None or place[1] == "no_cards":
            continue
        if source not in texts:
            yield place, "expected a column of text; this one is read as a number, a time, a code or a label", title
        elif place[1] == "dropped" and texts[source] in {"transaction_id", *spec.key}:
            yield place, f"no row can do without {texts[source]}; put it under personal_data.tokens", title


def _judged(spec: InstitutionSpec) -> Iterator[Contradiction]:
    found = {name: fates(spec)[source] for source, name in _texts(spec).items()}
    for i, rule in enumerate(spec.row_rules):
        for name in sorted(columns_of(rule.holds)) if rule.holds else []:
            if found.get(name, "kept") == "dropped":
                yield ("row_rules", i, "holds"), "expected no column that personal_data drops", name
        fate = found.get(rule.column or "", "kept")
        asks_for_text = any(getattr(rule, name) is not None for name in OF_TEXT)
        if fate == "dropped":
            yield ("row_rules", i, "column"), "expected a column that personal_data does not drop", rule.column
        elif fate == "token" and asks_for_text:
            why = "expected a rule with `required` only: it sees a token of this column"
            yield ("row_rules", i, "column"), why, rule.column


def _unjoined(spec: InstitutionSpec) -> Iterator[Contradiction]:
    found = {name: fates(spec)[source] for source, name in _texts(spec).items()}
    if {"transaction_id", "reverses_id"} <= found.keys() and found["transaction_id"] != found["reverses_id"]:
        why = "transaction_id and reverses_id are compared with each other; expected both as tokens or neither"
        yield ("personal_data", "tokens"), why, list(spec.personal_data.tokens)


def _absent(spec: InstitutionSpec) -> Iterator[Contradiction]:
    """An optional column under a new title would be an undeclared one, and not be known for what it is."""
    if spec.personal_data.keeps_undeclared:
        for name, column in spec.columns.mapped.items():
            if getattr(column, "optional", False) and fates(spec).get(str(column.source), "kept") != "kept":
                yield ("columns", name, "optional"), "expected false, or personal_data.undeclared: drop", True


def _places(personal: PersonalData) -> Iterator[tuple[Place, str]]:
    for field in ("tokens", "dropped", "no_cards"):
        for i, title in enumerate(getattr(personal, field)):
            yield ("personal_data", field, i), title


def _known(spec: InstitutionSpec) -> set[str]:
    """The plain titles that the spec has somewhere."""
    return {plain_title(title) for _, title in _places(spec.personal_data)} | _declared(spec).keys()


def _declared(spec: InstitutionSpec) -> dict[str, str]:
    """Plain title -> first spelling of the declared column that it is of."""
    return {plain_title(title): name for name, titles in spec.declared.items() for title in titles}


def _texts(spec: InstitutionSpec) -> dict[str, str]:
    """First spelling -> column of the cleaned table, for those whose words are taken as they are."""
    mapped = {name: column for name, column in spec.columns.mapped.items() if name in CANONICAL_TEXT}
    plain = {c.source: name for name, c in mapped.items() if c.source is not None and not getattr(c, "mapping", None)}
    return {name: name for name in spec.pass_through} | plain
