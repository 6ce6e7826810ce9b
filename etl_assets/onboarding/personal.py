"""Which columns of a sample look like a person's data: by their titles, and by card numbers among their values.

Proposes only. What becomes of such columns belongs to `spec/privacy.py`.
"""

from __future__ import annotations

import pyarrow as pa

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.onboarding.draft import Guess
from etl_assets.onboarding.found import Found
from etl_assets.onboarding.samples import Sample
from etl_assets.onboarding.words import personal

CARD_DIGITS = range(13, 20)
MOSTLY = 0.9
LOOKED_AT = 1_000


def personal_guesses(sample: Sample, found: Found) -> list[Guess]:
    """The section `personal_data`, if any column asks for it: mapped columns as tokens, others dropped."""
    mapped = {guess.value.get("source") for guess in found.guesses if guess.place[1] not in {"event_at", "amount"}}
    named = personal(list(sample.columns))
    possible = [title for title in sample.columns if title not in found.unmaskable]
    suspects = [title for title in possible if title in named or _holds_cards(sample.columns[title])]
    if not suspects or "personal_data" not in InstitutionSpec.model_fields:
        return []
    question = (
        "These look like a person's data. Tokens can be joined but not read; dropped columns are kept nowhere, "
        "and neither are those that nobody reads, unless `undeclared: keep` says so. Is that right?"
    )
    tokens = [title for title in suspects if title in mapped]
    dropped = [title for title in suspects if title not in mapped]
    value = {name: titles for name, titles in (("tokens", tokens), ("dropped", dropped)) if titles}
    return [Guess(("personal_data",), value, "", "open", question)]


def _holds_cards(column: pa.ChunkedArray) -> bool:
    values = [text.replace(" ", "") for text in column.drop_null().slice(0, LOOKED_AT).to_pylist()]
    return bool(values) and sum(map(_is_card, values)) >= MOSTLY * len(values)


def _is_card(text: str) -> bool:
    """Whether the digits pass the check of card numbers, which one in ten other numbers does."""
    if len(text) not in CARD_DIGITS or not text.isascii() or not text.isdigit():
        return False
    digits = [int(c) for c in reversed(text)]
    doubled = sum(sum(divmod(2 * d, 10)) for d in digits[1::2])
    return (sum(digits[::2]) + doubled) % 10 == 0
