"""How a column writes its amounts: marks, symbols, negatives. Text in, fields of `columns.amount` out.

Marks under which the same texts mean other amounts are returned as rivals: a person decides. That the platform reads
the amounts so is proven on the whole sample afterwards, in `samples.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from unicodedata import category

import pyarrow as pa

from etl_assets.transforms.currencies import MINOR_DIGITS

DIALECTS = ((".", ""), (",", ""), (".", ","), (",", "."), (",", " "), (".", " "), (".", "'"), (",", "'"))
SYMBOL = r"(?P<{}>[^\d\s+\-()\u2212.,'\u2019]{{1,3}}\.?)?"
SYMBOLS = frozenset({"kr", "kr.", "zł", "Kč", "Ft", "Fr.", "SFr", "Rs", "Rs.", "R", "лв", "US$", "A$", "C$"})
WRITTEN = re.compile(
    rf"(?P<open>\()?(?P<minus>[-+\u2212])?\s?{SYMBOL.format('before')}\s?(?P<late>[-+\u2212])?"
    rf"(?P<number>[\d.,'\u2019]+(?: \d{{3}})*(?:[.,]\d+)?)"
    rf"\s?{SYMBOL.format('after')}(?P<trailing>[-\u2212])?(?P<close>\))?"
)
ENOUGH = 0.8
ANY_DIGITS = 4
THOUSAND = 1_000
Values = Sequence[Decimal | None]


@dataclass(frozen=True)
class MoneyReading:
    """The `fields` of an amount that read `read` of `filled` values; each of `rivals` reads them as other amounts."""

    fields: Mapping[str, Any]
    filled: int
    read: int
    negative: int
    total: Decimal
    has_thousands: bool
    rivals: tuple[Mapping[str, Any], ...] = ()
    first_unread: str | None = None

    @property
    def negative_share(self) -> float:
        return self.negative / self.read if self.read else 0.0


def money_reading(column: pa.ChunkedArray, currency: str | None = None) -> MoneyReading | None:
    """How the column reads as amounts of the currency, or None where it does not."""
    texts = [text.strip(" ") for text in column.to_pylist() if text is not None and text.strip(" ")]
    written = [WRITTEN.fullmatch(text) for text in texts]
    digits = MINOR_DIGITS.get(currency or "", ANY_DIGITS)
    tried = [(marks, [_amount(match, *marks, digits) for match in written]) for marks in DIALECTS]
    most = max((_count(values) for _, values in tried), default=0)
    if not most or most < ENOUGH * len(texts):
        return None
    best = [(marks, values) for marks, values in tried if _count(values) == most]
    marks, values = best[0]
    others = {tuple(others): other for other, others in reversed(best[1:]) if others != values}
    read = [value for value in values if value is not None]
    unread = [text for text, value in zip(texts, values, strict=True) if value is None]
    written_so = [match for match, value in zip(written, values, strict=True) if match and value is not None]
    return MoneyReading(
        fields=_marks(*marks) | _signs(written_so),
        filled=len(texts),
        read=most,
        negative=sum(value < 0 for value in read),
        total=sum(read, Decimal()),
        has_thousands=any(abs(value) >= THOUSAND for value in read),
        rivals=tuple(_marks(*other) for other in reversed(others.values())),
        first_unread=next(iter(unread), None),
    )


def is_currency(column: pa.ChunkedArray) -> bool:
    """Whether every value is a code of ISO 4217."""
    codes = {text.strip(" ") for text in column.unique().to_pylist() if text is not None} - {""}
    return bool(codes) and all(code in MINOR_DIGITS for code in codes)


def _count(values: Iterable[Decimal | None]) -> int:
    return sum(value is not None for value in values)


def _amount(match: re.Match[str] | None, decimal: str, thousands: str, digits: int) -> Decimal | None:
    """The amount, or None where the marks do not fit, or it has more digits than the currency, but for zeros."""
    if match is None or not all(_is_symbol(match[name]) for name in ("before", "after")):
        return None
    if (match["open"] is None) != (match["close"] is None):
        return None
    mark = re.escape(thousands)
    grouped = rf"\d{{1,3}}(?:{mark}\d{{3}})+|" if thousands else ""
    number = match["number"].replace("\u2019", "'")
    if not re.fullmatch(rf"(?:(?:{grouped}\d+)(?:{re.escape(decimal)}\d+)?|{re.escape(decimal)}\d+)", number):
        return None
    plain = (number.replace(thousands, "") if thousands else number).replace(decimal, ".")
    fraction = plain.partition(".")[2]
    if len(fraction.rstrip("0")) > digits or (len(fraction) == 3 > digits):
        return None
    signs = [match[name] for name in ("minus", "late", "trailing") if match[name] not in {None, "+"}]
    return -Decimal(plain) if signs or match["open"] else Decimal(plain)


def _is_symbol(text: str | None) -> bool:
    """A currency's sign or code; `K` before digits is the beginning of some other code."""
    return text is None or text in SYMBOLS or text in MINOR_DIGITS or any(category(c) == "Sc" for c in text)


def _marks(decimal: str, thousands: str) -> dict[str, Any]:
    fields = {"decimal_mark": decimal} if decimal != "." else {}
    return fields | ({"thousands_mark": thousands} if thousands else {})


def _signs(written: Sequence[re.Match[str]]) -> dict[str, Any]:
    symbols = sorted({match[name] for match in written for name in ("before", "after") if match[name]})
    found = {
        "leading": any(match["minus"] or match["late"] for match in written),
        "trailing": any(match["trailing"] for match in written),
        "parentheses": any(match["open"] for match in written),
    }
    negatives = [way for way, is_used in found.items() if is_used]
    fields: dict[str, Any] = {"symbols": symbols} if symbols else {}
    return fields | ({"negatives": negatives} if negatives not in ([], ["leading"]) else {})
