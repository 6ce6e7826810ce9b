"""The slow tier: record by record, so that only the damaged ones are lost to splitting, each with all its problems.

The bounds are those of `csv_grammar.py`; splitting what is good is left to the fast tier's splitter.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from etl_assets.sources.csv_grammar import Grammar
from etl_assets.sources.csv_strict import Line, Split, split_records
from etl_assets.sources.decoding import Text


@dataclass(frozen=True)
class Isolated:
    """The good records, and line by line what is wrong with the damaged ones."""

    split: Split
    problems: dict[int, str]


def isolated(text: Text, grammar: Grammar, width: int, header_lines: int, *, is_last: bool = True) -> Isolated:
    """Every good record of the text and every damaged one, whatever stands between them.

    A damaged record ends with its line. A reader that lets an open quote run on until the next quote turns
    the good records between the two into one long description. If more text follows, `lines` ends before the first
    record that depends on it.
    """
    judge = _Judge(text, grammar, width, is_last)
    lines = np.full(text.line_count, Line.RECORD, dtype=np.int64)
    lines[:header_lines] = Line.HEADER
    resume = header_lines
    for line in np.flatnonzero(~_plain_lines(text, grammar, width, is_text=judge.is_text)).tolist():
        if line < resume:
            continue
        if judge.starts[line] == judge.ends[line]:
            lines[line] = Line.BLANK
            continue
        last = judge.last_line(line)
        if last is None:
            text, lines = text.until(line), lines[:line]
            break
        lines[line + 1 : last + 1] = Line.CONTINUATION
        resume = last + 1
    lines[list(judge.problems)] = Line.DAMAGED
    values = split_records(_good_bytes(text, lines), grammar, width, lines, text.starts)
    if values.num_rows != np.count_nonzero(lines == Line.RECORD):
        raise RuntimeError("the splitter does not find the records that the grammar finds; nothing was read")
    return Isolated(Split(lines, values), judge.problems)


@dataclass
class _Judge:
    text: Text
    grammar: Grammar
    width: int
    is_last: bool
    problems: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.content = self.text.content
        self.starts, self.ends = self.text.starts.tolist(), self.text.ends.tolist()
        self.is_text = _is_utf8(self.content)
        self.record = self.grammar.record(self.width)
        self.longest_record = self.width * (2 * self.grammar.max_field_bytes + 3)

    def last_line(self, line: int) -> int | None:
        """Last line of the record that begins here; `line` itself, with its problems noted, if it is damaged.

        None where that depends on text that is yet to come.
        """
        if self._is_good_on_sight(line):
            return line
        extent = self._extent(line)
        if extent is None:
            return None
        last, refusal = extent
        problems = [] if refusal else self._problems(line, last)
        if not problems and not refusal:
            return last
        if last > line:
            refusal = f"nor does the record end well on line {self._number(last)} ({'; '.join(problems)})"
        self.problems[line] = "; ".join([*self._problems(line, line), *([refusal] if refusal else [])])
        return line

    def _is_good_on_sight(self, line: int) -> bool:
        start, end = self.starts[line], self.ends[line]
        return (
            self.is_text
            and end - start <= self.grammar.max_field_bytes
            and self.record.fullmatch(self.content, start, end) is not None
            and self.content.find(b"\0", start, end) < 0
        )

    def _number(self, line: int) -> int:
        return self.text.first_line + line + 1

    def _extent(self, line: int) -> tuple[int, str | None] | None:
        """Last line that an open quote leads to, or why it leads nowhere; None if the text ends before that shows."""
        is_open, last = self.grammar.opens(self.content, self.starts[line], self.ends[line]), line
        while is_open:
            last += 1
            if last == self.text.line_count:
                return (line, "nor is it before the end of the file") if self.is_last else None
            start, end = self.starts[last], self.ends[last]
            if self.record.fullmatch(self.content, start, end):
                return line, f"line {self._number(last)} is a record of its own"
            if end - self.starts[line] > self.longest_record:
                return line, f"nor is it within {self.longest_record} bytes"
            is_open = self.grammar.stays_open(self.content, start, end)
        return last, None

    def _problems(self, line: int, last: int) -> list[str]:
        record = self.content[self.starts[line] : self.ends[last]]
        problems = self.grammar.problems(record, self.width)
        return problems if _is_utf8(record) else [*problems, self._not_text(line, last)]

    def _not_text(self, line: int, last: int) -> str:
        delivered = self.text.original[self.text.original_starts[line] : self.text.original_starts[last + 1]]
        try:
            delivered.decode(self.text.encoding)
        except UnicodeDecodeError as error:
            return f"byte {error.start + 1} of the record (0x{delivered[error.start]:02x}) is no {self.text.encoding}"
        return f"the record is no {self.text.encoding}"


def _plain_lines(text: Text, grammar: Grammar, width: int, *, is_text: bool) -> np.ndarray:
    """Lines that are good records on sight: enough separators, short, nothing that needs a second look."""
    data = np.frombuffer(text.content, np.uint8)[: text.starts[-1]]
    suspicious = np.zeros(256, dtype=bool)
    suspicious[[0, grammar.quote[0]]] = True
    suspicious[0x80:] = not is_text
    separators = np.diff(np.searchsorted(np.flatnonzero(data == grammar.separator[0]), text.starts))
    lengths = text.ends - text.starts[:-1]
    plain = (separators == width - 1) & (lengths > 0) & (lengths <= grammar.max_field_bytes)
    plain[np.searchsorted(text.starts, np.flatnonzero(suspicious[data]), side="right") - 1] = False
    return np.asarray(plain)


def _good_bytes(text: Text, lines: np.ndarray) -> memoryview:
    """The content without header and damaged lines, joined in as few pieces as there are gaps."""
    good = np.isin(lines, (Line.RECORD, Line.CONTINUATION)).astype(np.int8)
    edges = np.flatnonzero(np.diff(good, prepend=0, append=0))
    bounds = text.starts[edges].tolist()
    content = memoryview(text.content)
    return memoryview(b"".join(content[a:b] for a, b in zip(bounds[::2], bounds[1::2], strict=True)))


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
