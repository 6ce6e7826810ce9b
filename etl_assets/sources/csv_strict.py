"""The fast tier: a whole file at once, vectorised, or not at all.

It only says yes where nothing is in doubt; what to do with a file that it refuses belongs to `csv_forensic.py`.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from etl_assets.sources.csv_grammar import Grammar
from etl_assets.sources.decoding import CR, LF, Text
from etl_assets.sources.layout import DeliveryRejected

BLOCK_BYTES = 1 << 20
MAX_BLOCK_BYTES = (1 << 31) - 1


class Line(IntEnum):
    """What a physical line is."""

    RECORD = 0
    CONTINUATION = 1
    BLANK = 2
    HEADER = 3
    DAMAGED = 4


@dataclass(frozen=True)
class Split:
    """What every line is, and the values of the good records in order, one text column per header position."""

    lines: np.ndarray
    values: pa.Table


def strict(text: Text, grammar: Grammar, width: int, header_lines: int) -> Split | None:
    """The whole file, or None where any byte of it leaves a doubt."""
    body = memoryview(text.content)[text.starts[header_lines] : text.starts[-1]]
    lines = _undoubted_lines(text, grammar, width, header_lines)
    if lines is None:
        return None
    try:
        values = split_records(body, grammar, width, lines, text.starts)
    except pa.ArrowInvalid:
        return None
    is_whole = values.num_rows == np.count_nonzero(lines == Line.RECORD)
    return Split(lines, values) if is_whole and not _has_long_field(values, grammar, lines, text) else None


def closed_lines(text: Text, grammar: Grammar, header_lines: int) -> int:
    """How many lines there are before the one whose record is still open at the end of the text, if one is.

    By counting quotes, which is right where each opens or closes a field; the strict tier finds out where not.
    """
    first, end = int(text.starts[header_lines]), int(text.starts[-1])
    if not text.content.count(grammar.quote, first, end) % 2:
        return text.line_count
    data = np.frombuffer(text.content, np.uint8)[:end]
    quotes = first + np.flatnonzero(data[first:] == grammar.quote[0])
    is_outside = np.searchsorted(quotes, text.starts[header_lines:-1]) % 2 == 0
    return header_lines + int(np.flatnonzero(is_outside)[-1]) if is_outside.any() else header_lines


def split_records(good: memoryview, grammar: Grammar, width: int, lines: np.ndarray, starts: np.ndarray) -> pa.Table:
    """Fields of records that are known to be good, as the grammar has them.

    The splitter drops the line feed of a quoted CR LF that two blocks share: quoted line ends want one block.
    Without them, blocks are longer than any record, so that none straddles two. One thread is as fast on the
    figures that we have, and Arrow's threads abort a process that has loaded Polars and ends right afterwards.
    """
    names = [str(position) for position in range(width)]
    if not np.any(lines == Line.RECORD):
        return pa.schema([pa.field(name, pa.string()) for name in names]).empty_table()
    has_quoted_line_ends = bool(np.any(lines == Line.CONTINUATION))
    block_bytes = len(good) + 2 if has_quoted_line_ends else max(BLOCK_BYTES, 2 * _longest(lines, starts))
    if block_bytes > MAX_BLOCK_BYTES:
        raise DeliveryRejected("quoted line ends in more than 2 GiB cannot be read; ask for smaller files")
    return csv.read_csv(
        pa.py_buffer(_framed(good)),
        csv.ReadOptions(column_names=names, block_size=block_bytes, use_threads=False),
        csv.ParseOptions(
            delimiter=grammar.separator.decode(),
            quote_char=False if grammar.quote == b"\0" else grammar.quote.decode(),
            newlines_in_values=has_quoted_line_ends,
        ),
        csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )


def _framed(good: memoryview) -> memoryview | bytes:
    """The records between line ends where the splitter needs them.

    It drops a byte order mark at the start, which here is part of a value, and takes an empty last field
    without a line end after it for a quoted one.
    """
    has_mark, is_ended = bytes(good[:3]) == codecs.BOM_UTF8, good[-1] in (LF, CR)
    if not has_mark and is_ended:
        return good
    return b"".join([b"\n" * has_mark, good, b"\n" * (not is_ended)])


def _undoubted_lines(text: Text, grammar: Grammar, width: int, header_lines: int) -> np.ndarray | None:
    first, end = int(text.starts[header_lines]), int(text.starts[-1])
    if text.content.find(b"\0", first, end) >= 0:
        return None
    lines = np.where(text.starts[:-1] == text.ends, Line.BLANK, Line.RECORD)
    lines[:header_lines] = Line.HEADER
    if text.content.find(grammar.quote, first, end) < 0:
        return lines
    data = np.frombuffer(text.content, np.uint8)[:end]
    quotes = first + np.flatnonzero(data[first:] == grammar.quote[0])
    if not _quotes_pair_up(data, quotes, grammar):
        return None
    inside = header_lines + np.flatnonzero(np.searchsorted(quotes, text.starts[header_lines:-1]) % 2)
    lines[inside] = Line.CONTINUATION
    record = grammar.record(width)
    swallowed = any(record.fullmatch(text.content, text.starts[i], text.ends[i]) for i in inside.tolist())
    return None if swallowed else lines


def _quotes_pair_up(data: np.ndarray, quotes: np.ndarray, grammar: Grammar) -> bool:
    """Whether each first of a pair begins a field and each second ends one, doubled quotes counting as both."""
    if len(quotes) % 2:
        return False
    edges = np.zeros(256, dtype=bool)
    edges[[LF, CR, grammar.separator[0], grammar.quote[0]]] = True
    before, after = quotes[::2] - 1, quotes[1::2] + 1
    if before[0] < 0:
        before = before[1:]
    if after[-1] == len(data):
        after = after[:-1]
    return bool(edges[data[before]].all() and edges[data[after]].all())


def _longest(lines: np.ndarray, starts: np.ndarray) -> int:
    firsts = np.flatnonzero(lines != Line.CONTINUATION)
    return int(np.diff(starts[np.append(firsts, len(lines))]).max())


def _has_long_field(values: pa.Table, grammar: Grammar, lines: np.ndarray, text: Text) -> bool:
    if _longest(lines, text.starts) <= grammar.max_field_bytes:
        return False
    lengths = (pc.max(pc.binary_length(column)).as_py() or 0 for column in values.columns)
    return any(length > grammar.max_field_bytes for length in lengths)
