"""How the text of a sample is written: encoding, separator, quote, and the lines before the header.

Bytes in, guesses out; that the platform's own reader agrees is proven in `samples.py`.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from etl_assets.onboarding.draft import Guess

SEPARATORS = (",", ";", "\t", "|", "^", "~", ":")
QUOTES = ('"', "'")
LOOKED_AT_LINES = 1_000
MOSTLY = 0.5
WIDE_MARKS = ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
ENCODING, SEPARATOR, QUOTE, PREAMBLE = (
    ("deliveries", "csv", name) for name in ("encoding", "separator", "quote", "preamble_lines")
)


@dataclass(frozen=True)
class Shape:
    """The records as one separator and quote split them: the usual number of fields and where it is first seen."""

    separator: str
    quote: str
    width: int
    header_line: int
    share: float
    is_titled: bool

    @property
    def fit(self) -> tuple[bool, float, int]:
        """A header of distinct titles first, then how many records agree, then how much they are divided."""
        return self.is_titled, round(self.share, 2), self.width


def encoding_of(content: bytes) -> Guess:
    """What the bytes are, by what they cannot be; single-byte encodings all read alike, so one is a question."""
    if wide := [name for mark, name in WIDE_MARKS if content.startswith(mark)]:
        return Guess(ENCODING, wide[0], "the file begins with a byte order mark", "proven")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        return _not_utf8(content, error)
    if text.isascii():
        return Guess(ENCODING, "utf-8", "only ASCII in the sample; other files may show more", "likely")
    return Guess(ENCODING, "utf-8", "every byte reads as UTF-8, and some could be nothing else", "proven")


def shape_of(text: str) -> Shape:
    """The separator and quote under which most records have as many fields as their header."""
    lines = text.splitlines()[:LOOKED_AT_LINES]
    found = [shape for separator in SEPARATORS if (shape := _shape(lines, separator, QUOTES[0])) is not None]
    if not found:
        return Shape(",", QUOTES[0], 1, 0, 1.0, is_titled=False)
    best = max(found, key=lambda shape: shape.fit)
    other = _shape(lines, best.separator, QUOTES[1])
    return other if other is not None and _is_quoted_by(lines, best, QUOTES[1]) else best


def dialect_guesses(content: bytes) -> list[Guess]:
    """The fields of `deliveries.csv` that differ from what is assumed."""
    encoding = encoding_of(content)
    shape = shape_of(content.decode(encoding.value, errors="replace").removeprefix("\ufeff"))
    why = f"{shape.share:.0%} of the lines then have {shape.width} fields"
    return [
        encoding,
        Guess(SEPARATOR, shape.separator, why, "proven" if shape.share == 1 else "likely"),
        *([Guess(QUOTE, shape.quote, "whole columns stand in it", "likely")] if shape.quote != QUOTES[0] else []),
        *([_preamble(shape)] if shape.header_line else []),
    ]


def fields_of(line: str, separator: str, quote: str) -> list[str]:
    """The line's fields, for looking at; the readers of the platform have the last word."""
    return next(csv.reader([line], delimiter=separator, quotechar=quote), [])


def _not_utf8(content: bytes, error: UnicodeDecodeError) -> Guess:
    text = content.decode("utf-8", errors="replace")
    damaged = text.count("\ufffd")
    if sum(not c.isascii() for c in text) - damaged > 10 * damaged:
        return Guess(
            ENCODING, "utf-8", f"UTF-8 but for {damaged} places, the first at byte {error.start}; they are quarantined"
        )
    name = "cp1252" if _decodes(content, "cp1252") else "iso8859-1"
    question = f"Byte {error.start} is no UTF-8. Is it {name}, as Western European systems write? Others read as well."
    return Guess(ENCODING, name, "", "open", question)


def _decodes(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _preamble(shape: Shape) -> Guess:
    question = "Does every file have as many lines before its header? If not: a `preamble` pattern that matches them."
    return Guess(PREAMBLE, shape.header_line, "the lines before have other fields", "open", question)


def _shape(lines: Sequence[str], separator: str, quote: str) -> Shape | None:
    """None where the separator divides nothing. A quoted line end makes several lines of one record."""
    rows = _rows(lines, separator, quote)
    widths = Counter(len(fields) for _, fields in rows)
    divided = {width: count for width, count in widths.items() if width > 1}
    if not divided:
        return None
    width = max(divided, key=lambda w: (divided[w], w))
    at, header = next((line, fields) for line, fields in rows if len(fields) == width)
    below = [fields for line, fields in rows if line >= at]
    share = sum(len(fields) == width for fields in below) / len(below)
    return Shape(separator, quote, width, at, share, _is_titled(header))


def _rows(lines: Sequence[str], separator: str, quote: str) -> list[tuple[int, list[str]]]:
    """The records that are not blank, with the line on which each begins."""
    reader = csv.reader(io.StringIO("\n".join(lines), newline=""), delimiter=separator, quotechar=quote)
    rows, start = [], 0
    try:
        for fields in reader:
            if fields:
                rows.append((start, fields))
            start = reader.line_num
    except csv.Error:
        pass
    return rows


def _is_titled(header: Sequence[str]) -> bool:
    """Titles are distinct and none is a number: what a line of values rarely is."""
    filled = [title.strip() for title in header if title.strip()]
    return len(filled) > 1 and len(set(filled)) == len(filled) and not any(t[0].isdigit() for t in filled)


def _is_quoted_by(lines: Sequence[str], shape: Shape, quote: str) -> bool:
    """Whether a column has the quote round nearly all of its values."""
    rows = [f for line, f in _rows(lines, shape.separator, shape.quote) if len(f) == shape.width]
    columns = list(zip(*rows[1:], strict=True))
    shares = [sum(len(v) > 1 and v[0] == v[-1] == quote for v in column) / len(column) for column in columns if column]
    return max(shares, default=0) > MOSTLY
