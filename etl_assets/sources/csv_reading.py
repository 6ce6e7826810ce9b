"""A CSV delivery from header to rows, piece by piece: strict first, forensic second.

Composition only: pieces belong to `cutting.py`, lines to `decoding.py`, those that are no records to `framing.py`,
records to `csv_grammar.py`, the tiers to files of their own.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.sources.csv_forensic import isolated
from etl_assets.sources.csv_grammar import Grammar
from etl_assets.sources.csv_strict import Line, Split, closed_lines, strict
from etl_assets.sources.cutting import PIECE_BYTES, Cutter, Stream
from etl_assets.sources.decoding import Text, can_be_cut, decoded, without_escapes
from etl_assets.sources.framing import Body, lines_before, without_footer
from etl_assets.sources.layout import DeliveryRejected, Layout, Reading, joined, laid_out
from etl_assets.sources.totals import Control, Tally, refuse_unproven


def read_csv(original: bytes, spec: InstitutionSpec, *, is_forensic: bool = False) -> Reading:
    """Every record of the file. `is_forensic` goes past the strict tier, which must not change a good file."""
    return joined(list(csv_parts(io.BytesIO(original), spec, len(original) + 1, is_forensic=is_forensic)))


def csv_parts(
    stream: Stream, spec: InstitutionSpec, piece_bytes: int = PIECE_BYTES, *, is_forensic: bool = False
) -> Iterator[Reading]:
    """Every record of the file, part by part; what its footer promises is checked at the end of the last part.

    The parts together are what the file as a whole gives, damaged records included: a piece ends where a record does.

    Raises: DeliveryRejected, at any part: nothing of the file may be published before the last one has been read.
    """
    dialect, encoding = spec.deliveries.csv, spec.deliveries.csv.encoding
    cutter = Cutter(stream, piece_bytes if can_be_cut(encoding) else 1 << 62)
    file, tally = _File(spec, is_forensic), Tally(spec.columns.amount)
    while True:
        text = without_escapes(decoded(cutter.content, encoding, file.lines, file.size_bytes), dialect)
        if part := file.part(text, is_last=cutter.is_last):
            if dialect.footer is not None:
                tally.add(part.reading.rows)
            if cutter.is_last:
                refuse_unproven(part.controls, tally)
                has_rows = any(control.name == "rows" for control in part.controls)
                yield replace(part.reading, stated_rows=tally.rows if has_rows else None)
                return
            yield part.reading
            cutter.use(part.size_bytes)
            encoding = text.encoding
        cutter.more()


@dataclass(frozen=True)
class _Part:
    """What the beginning of a piece gives, and how much of it that is."""

    reading: Reading
    controls: tuple[Control, ...]
    size_bytes: int


@dataclass
class _File:
    spec: InstitutionSpec
    is_forensic: bool
    lines: int = 0
    size_bytes: int = 0
    layout: Layout | None = None
    width: int = 0
    grammar: Grammar = field(init=False)

    def __post_init__(self) -> None:
        self.grammar = Grammar.of(self.spec.deliveries.csv)

    def part(self, text: Text, *, is_last: bool) -> _Part | None:
        """The records that certainly end in `text`; None where not even one does."""
        header_lines = control_lines = 0
        if self.layout is None:
            found = _header(text, self.grammar, lines_before(text, self.spec.deliveries.csv), is_last=is_last)
            if found is None:
                return None
            titles, header_lines, control_lines = found
            self.layout, self.width = laid_out(titles, self.spec), len(titles)
        body = without_footer(text, self.spec.deliveries.csv.footer, header_lines) if is_last else Body(text)
        split, problems = self._split(body.text, header_lines, is_last=is_last)
        lines = text.line_count if is_last else len(split.lines)
        if lines == 0:
            return None
        blank_lines = int(np.count_nonzero(split.lines == Line.BLANK))
        rows = pa.concat_tables(
            [_good_rows(body.text, split, self.layout), self.layout.damaged_rows(list(body.text.damaged(problems)))]
        )
        reading = Reading(rows, control_lines + blank_lines + body.footer_lines, self.layout.titles)
        size_bytes = int(text.original_starts[lines])
        self.lines, self.size_bytes = self.lines + lines, self.size_bytes + size_bytes
        return _Part(reading, body.controls, size_bytes)

    def _split(self, text: Text, header_lines: int, *, is_last: bool) -> tuple[Split, Mapping[int, str]]:
        sure = text if is_last else text.until(closed_lines(text, self.grammar, header_lines))
        split = None
        if not self.is_forensic and (is_last or sure.line_count > header_lines):
            split = strict(sure, self.grammar, self.width, header_lines)
        if split is not None:
            return split, {}
        found = isolated(text, self.grammar, self.width, header_lines, is_last=is_last)
        return found.split, found.problems


def _header(text: Text, grammar: Grammar, preamble_lines: int, *, is_last: bool) -> tuple[list[str], int, int] | None:
    """Titles, number of the first line after them, and control lines up to there; None where more text is needed."""
    filled = preamble_lines + np.flatnonzero(text.ends[preamble_lines:] > text.starts[preamble_lines:-1])
    if not len(filled):
        if not is_last:
            return None
        what = f"{preamble_lines} lines of preamble and " if preamble_lines else ""
        raise DeliveryRejected(
            f"there is nothing but {what}blank lines in it; expected a header. Ask for the file again"
        )
    first = last = int(filled[0])
    is_open = grammar.opens(text.content, text.starts[first], text.ends[first])
    while is_open and last + 1 < text.line_count and text.ends[last] - text.starts[first] <= grammar.max_field_bytes:
        last += 1
        is_open = grammar.stays_open(text.content, text.starts[last], text.ends[last])
    if not is_last and last + 1 == text.line_count:
        return None
    return _titles(text, grammar, first, last), last + 1, first + 1


def _titles(text: Text, grammar: Grammar, first: int, last: int) -> list[str]:
    fields, problems = grammar.split(text.content[text.starts[first] : text.ends[last]])
    try:
        titles = [field.decode() for field in fields]
    except UnicodeDecodeError as error:
        raise DeliveryRejected(
            f"the header is no {text.encoding} ({error}); correct deliveries.csv.encoding or ask for the file again"
        ) from error
    if problems:
        raise DeliveryRejected(f"the header cannot be split ({'; '.join(problems)}); ask for a corrected file")
    return titles


def _good_rows(text: Text, split: Split, layout: Layout) -> pa.Table:
    records = np.flatnonzero(split.lines == Line.RECORD)
    numbers, offsets = text.first_line + records + 1, text.first_byte + text.original_starts[records]
    return layout.rows(split.values.columns, numbers, offsets)
