"""A text file as UTF-8 with its physical lines, each with its position in the delivered bytes.

Encodings and line ends only; separators and quotes belong to `csv_grammar.py`.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import pairwise

import numpy as np

from etl_assets.sources.layout import DeliveryRejected
from etl_assets.spec.deliveries import Csv

LF, CR = 10, 13
INVALID = "\udcff"  # one per delivered byte that is not text; becomes the byte 0xFF, which UTF-8 never holds
BYTE_ORDER_MARKS = {
    "utf-8": ((codecs.BOM_UTF8, "utf-8"),),
    "utf-8-sig": ((codecs.BOM_UTF8, "utf-8"), (b"", "utf-8")),
    "utf-16": ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"), (b"", "utf-16-le")),
    "utf-16-le": ((codecs.BOM_UTF16_LE, "utf-16-le"),),
    "utf-16-be": ((codecs.BOM_UTF16_BE, "utf-16-be"),),
    "utf-32": ((codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"), (b"", "utf-32-le")),
}


def _marked(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)  # noqa: S101  registered for decoding only
    return INVALID * (error.end - error.start), error.end


codecs.register_error("etl_assets.marked", _marked)


@dataclass(frozen=True)
class Text:
    """Physical lines: line i is `content[starts[i]:ends[i]]` without its line end, and the last start is the end.

    `original[original_starts[i]:original_starts[i + 1]]` are the delivered bytes of line i with its line end. A part
    of a file begins after `first_line` lines and `first_byte` delivered bytes of it.
    """

    content: bytes
    starts: np.ndarray
    ends: np.ndarray
    original: bytes
    original_starts: np.ndarray
    encoding: str
    first_line: int = 0
    first_byte: int = 0

    @property
    def line_count(self) -> int:
        return len(self.ends)

    def delivered(self, line: int) -> bytes:
        """The bytes of a line as delivered, without its line end."""
        whole = self.original[self.original_starts[line] : self.original_starts[line + 1]]
        end = self.content[self.ends[line] : self.starts[line + 1]].decode().encode(self.encoding)
        return whole[: len(whole) - len(end)]

    def until(self, line: int) -> Text:
        """The same text without `line` and what follows it."""
        if line == self.line_count:
            return self
        starts, original_starts = self.starts[: line + 1], self.original_starts[: line + 1]
        return replace(self, starts=starts, ends=self.ends[:line], original_starts=original_starts)

    def damaged(self, problems: Mapping[int, str]) -> Iterator[dict[str, object]]:
        """A row of lineage, problem and delivered bytes for each of these lines."""
        for line, problem in problems.items():
            yield {
                "_row_number": self.first_line + line + 1,
                "_byte_offset": self.first_byte + int(self.original_starts[line]),
                "_problem": problem,
                "_record": self.delivered(line),
            }


def decoded(original: bytes, encoding: str, first_line: int = 0, first_byte: int = 0) -> Text:
    """The file, or a part of it, as text; bytes that are no text in `encoding` stay recognisable.

    A decoder that replaces them would turn a damaged name into a plausible one.
    """
    mark, codec = _codec(original, encoding) if first_byte == 0 else (b"", codecs.lookup(encoding).name)
    is_utf8 = codec == "utf-8"
    body = original[len(mark) :] if mark else original
    text = "" if is_utf8 else body.decode(codec, "etl_assets.marked")
    content = body if is_utf8 else text.encode("utf-8", "surrogateescape")
    starts, ends = _lines(content)
    if is_utf8:
        original_starts = starts
    elif len(text) == len(body):
        original_starts = _without_continuations(content, starts)
    else:
        original_starts = _encoded_back(content, starts, codec, len(body))
    return Text(content, starts, ends, original, original_starts + len(mark), codec, first_line, first_byte)


def without_escapes(text: Text, dialect: Csv) -> Text:
    """The text with each escaped quote doubled and each escaped escape single; every line stays where it is."""
    if dialect.escape is None or dialect.quote is None or dialect.escape.encode() not in text.content:
        return text
    escape, quote = dialect.escape.encode(), dialect.quote.encode()
    plain = {escape + quote: quote + quote, escape + escape: escape}
    pattern = re.compile(re.escape(escape) + b"[" + re.escape(escape + quote) + b"]")
    content = pattern.sub(lambda found: plain[found[0]], text.content)
    starts, ends = _lines(content)
    return replace(text, content=content, starts=starts, ends=ends)


def can_be_cut(encoding: str) -> bool:
    """Whether a line end is one byte that is part of no other character, and no state goes over it.

    So it is in UTF-8 and in the tables of single bytes; the rest is rare, and a file in it is read as a whole.
    """
    name = codecs.lookup(encoding).name
    if name in {"utf-8", "utf-8-sig", "ascii", "iso8859-1"}:
        return True
    table = getattr(import_module(f"encodings.{name.replace('-', '_')}"), "decoding_table", "")
    return table[CR : CR + 1] == "\r" and table[LF : LF + 1] == "\n"


def _codec(original: bytes, encoding: str) -> tuple[bytes, str]:
    name = codecs.lookup(encoding).name
    marks = BYTE_ORDER_MARKS.get(name, ())
    return next(((mark, codec) for mark, codec in marks if original.startswith(mark)), (b"", name))


def _lines(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Starts (with the end of the content as the last) and ends of the lines; LF, CR LF and CR may be mixed."""
    data = np.frombuffer(content, np.uint8)
    last = np.flatnonzero(data == LF)
    ends = last
    if b"\r" in content:
        ends = last - ((data[last - 1] == CR) & (last > 0))
        returns = np.flatnonzero(data == CR)
        alone = returns[~np.isin(returns + 1, last, assume_unique=True)]
        order = np.argsort(np.concatenate([last, alone]), kind="stable")
        last, ends = np.concatenate([last, alone])[order], np.concatenate([ends, alone])[order]
    starts = np.concatenate([[0], last + 1])
    if starts[-1] != len(content):
        starts, ends = np.append(starts, len(content)), np.append(ends, len(content))
    return starts, ends


def _without_continuations(content: bytes, starts: np.ndarray) -> np.ndarray:
    """Positions where every character was one byte: those in UTF-8 less the continuation bytes before them."""
    data = np.frombuffer(content, np.uint8)
    continuations = np.flatnonzero((data & 0xC0) == 0x80)
    shifted: np.ndarray = starts - np.searchsorted(continuations, starts)
    return shifted


def _encoded_back(content: bytes, starts: np.ndarray, codec: str, expected_bytes: int) -> np.ndarray:
    """Positions from the length of each line in its own encoding."""
    bounds = starts.tolist()
    lines = (content[a:b].decode("utf-8", "surrogateescape") for a, b in pairwise(bounds))
    lengths = [len(line.replace(INVALID, "").encode(codec)) + line.count(INVALID) for line in lines]
    positions: np.ndarray = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    if positions[-1] != expected_bytes:
        raise DeliveryRejected(f"lines cannot be located in {codec}; ask for UTF-8, or correct deliveries.csv.encoding")
    return positions
