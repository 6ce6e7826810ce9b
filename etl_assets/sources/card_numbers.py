"""The net under the spec: card numbers in a column that nobody marked as personal stop the delivery.

It looks at a sample and asks for more than chance; what is marked belongs to `spec/privacy.py`.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.sources.layout import DeliveryRejected
from etl_assets.spec.privacy import Fate, PersonalData, plain_title

SAMPLE_ROWS, JUDGED_NUMBERS = 50_000, 2_000
HAS_LONG_NUMBER = "[0-9]{13}|[0-9]{4}[ -][0-9]{4}[ -][0-9]{4}|[0-9]{4}[ -][0-9]{6}[ -][0-9]{4}"
LONG_NUMBER = re.compile(
    r"(?<![0-9A-Za-z])(?<![0-9][.,])"
    r"(?:[0-9]{13,19}|[0-9]{4}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?:\1[0-9]{1,3})?|[0-9]{4}([ -])[0-9]{6}\2[0-9]{4,5})"
    r"(?![0-9A-Za-z]|[.,][0-9])"
)
BRANDED = re.compile(  # first digits and length; ISO/IEC 7812 gives no list, the schemes publish theirs
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|3(?:0[0-5]|[689]\d)\d{11}(?:\d{2,5})?"  # Diners Club
    r"|(?:6011|64[4-9]\d|65\d\d|62\d\d|81\d\d|352[89]|35[3-8]\d)\d{12,15}"  # Discover, UnionPay, JCB
    r"|(?:1800|2131)\d{11}"  # JCB of old
    r"|(?:50[0-9]\d|5[6-9]\d\d|6\d\d\d)\d{9,15}"  # Maestro
    r"|220[0-4]\d{12,15}"  # Mir
)
DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def refuse_card_numbers(rows: pa.Table, fates: Mapping[str, Fate], personal: PersonalData) -> None:
    """No column of the rows has long numbers most of which are card numbers.

    A tenth of all numbers passes the check digit by chance and a fifth of those begin as a brand's do: an id is taken
    for a card when more than half of its distinct values do both.

    Raises: DeliveryRejected, naming the columns and how often; never a number.
    """
    sample = _sampled(rows)
    spared = {plain_title(title) for title in personal.no_cards}
    columns = ((name, texts) for name, texts in _columns(sample, fates) if plain_title(name) not in spared)
    found = [(name, count) for name, texts in columns if (count := _rows_with_cards(texts))]
    if found:
        where = "; ".join(f"column {name!r} in {count} of {sample.num_rows} rows" for name, count in found)
        raise DeliveryRejected(
            f"it holds what look like card numbers: {where}. Name the column under personal_data.tokens or "
            "personal_data.dropped, or, if these are none, under personal_data.no_cards"
        )


def is_card_number(digits: str) -> bool:
    """Whether the digits begin and end as those of a card do."""
    return BRANDED.fullmatch(digits) is not None and _check_sum(digits) % 10 == 0


def _check_sum(digits: str) -> int:
    plain, doubled = digits[::-2], digits[-2::-2]
    return sum(map(int, plain)) + sum(DOUBLED[int(digit)] for digit in doubled)


def _sampled(rows: pa.Table) -> pa.Table:
    if rows.num_rows <= SAMPLE_ROWS:
        return rows
    return rows.take(pa.array(np.linspace(0, rows.num_rows - 1, SAMPLE_ROWS).astype(np.int64)))


def _columns(rows: pa.Table, fates: Mapping[str, Fate]) -> Iterator[tuple[str, Sequence[str]]]:
    """Every column in the clear with those of its texts that hold a long number."""
    for name, fate in fates.items():
        if fate == "kept":
            yield name, _suspicious(rows[name])
    undeclared = defaultdict[str, list[str]](list)
    for text in _suspicious(rows["_extra"]):
        for title, value in json.loads(text).items():
            undeclared[title].append(value if isinstance(value, str) else json.dumps(value))
    yield from undeclared.items()


def _suspicious(column: pa.ChunkedArray) -> list[str]:
    texts: list[str] = column.filter(pc.match_substring_regex(column, HAS_LONG_NUMBER)).to_pylist()
    return texts


def _rows_with_cards(texts: Sequence[str]) -> int:
    """How many of the texts hold a card number, if these are more than chance brings about; else 0."""
    numbers = [{re.sub("[ -]", "", m[0]) for m in LONG_NUMBER.finditer(text)} for text in texts]
    distinct = list(dict.fromkeys(number for held in numbers for number in held))[:JUDGED_NUMBERS]
    cards = {number for number in distinct if is_card_number(number)}
    return sum(not cards.isdisjoint(held) for held in numbers) if 2 * len(cards) > len(distinct) else 0
