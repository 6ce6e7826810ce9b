"""What a CSV record is, said once: both tiers of the reader accept exactly this.

Fields are separated by one character; a field that begins with a quote ends with one, and a quote inside it is doubled;
in a field without quotes around it a quote is plain text unless it is the last character. Bytes in, verdicts out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from etl_assets.institution_spec import Csv


@dataclass(frozen=True)
class Grammar:
    """One institution's dialect, on UTF-8 bytes."""

    separator: bytes
    quote: bytes
    max_field_bytes: int

    @classmethod
    def of(cls, dialect: Csv) -> Grammar:
        """A dialect without quotes has NUL for one: no good record holds it, so nothing is ever quoted."""
        return cls(dialect.separator.encode(), (dialect.quote or "\0").encode(), dialect.max_field_bytes)

    @cached_property
    def _inside(self) -> bytes:
        q = re.escape(self.quote)
        return rb"[^%b]*+(?:%b%b[^%b]*+)*+" % (q, q, q, q)

    @cached_property
    def _field(self) -> bytes:
        q, s = re.escape(self.quote), re.escape(self.separator)
        return rb"(?:%b%b%b|(?!%b)[^%b]*+(?<!%b))" % (q, self._inside, q, q, s, q)

    @cached_property
    def _quoted(self) -> re.Pattern[bytes]:
        q = re.escape(self.quote)
        return re.compile(rb"%b(%b)%b" % (q, self._inside, q))

    @cached_property
    def _opening(self) -> re.Pattern[bytes]:
        q, s = re.escape(self.quote), re.escape(self.separator)
        return re.compile(rb"(?:%b%b)*%b%b" % (self._field, s, q, self._inside))

    @cached_property
    def _within(self) -> re.Pattern[bytes]:
        q, s = re.escape(self.quote), re.escape(self.separator)
        reopened = rb"%b%b(?:%b%b)*%b%b" % (q, s, self._field, s, q, self._inside)
        return re.compile(rb"%b(?:%b)?" % (self._inside, reopened))

    def record(self, width: int) -> re.Pattern[bytes]:
        """Matches in full what is one record of `width` fields."""
        return re.compile(rb"(?:%b%b){%d}%b" % (self._field, re.escape(self.separator), width - 1, self._field))

    def opens(self, content: bytes, start: int, end: int) -> bool:
        """Whether this first line of a record leaves a quoted field open."""
        return self._opening.fullmatch(content, start, end) is not None

    def stays_open(self, content: bytes, start: int, end: int) -> bool:
        """Whether a line that begins inside a quoted field also ends inside one."""
        return self._within.fullmatch(content, start, end) is not None

    def split(self, record: bytes) -> tuple[list[bytes], list[str]]:
        """The fields of `record` and everything that is wrong with its quotes."""
        fields: list[bytes] = []
        problems: list[str] = []
        position, number = 0, 1
        while position <= len(record):
            field, position, problem = self._next_field(record, position, number)
            fields.append(field)
            problems += [problem] if problem else []
            position, number = position + 1, number + 1
        return fields, problems

    def _next_field(self, record: bytes, start: int, number: int) -> tuple[bytes, int, str | None]:
        is_quoted = record.startswith(self.quote, start)
        closed = self._quoted.match(record, start) if is_quoted else None
        if is_quoted and closed is None:
            return record[start + 1 :], len(record), f"the quote that opens field {number} is not closed"
        end = record.find(self.separator, closed.end() if closed else start)
        end = len(record) if end < 0 else end
        if closed is None:
            stray = record.endswith(self.quote, start, end)
            return record[start:end], end, f"field {number} ends with a quote that nothing opens" if stray else None
        content = closed[1].replace(self.quote * 2, self.quote)
        problem = f"text follows the closing quote of field {number}" if closed.end() < end else None
        return content + record[closed.end() : end], end, problem

    def problems(self, record: bytes, width: int) -> list[str]:
        """Everything that is wrong with `record` as one of `width` fields; empty where it is a good one."""
        fields, problems = self.split(record)
        if len(fields) != width:
            problems.append(f"{len(fields)} fields where the header has {width}")
        problems += [
            f"field {number} has {len(field)} bytes, more than {self.max_field_bytes}"
            for number, field in enumerate(fields, start=1)
            if len(field) > self.max_field_bytes
        ]
        problems += [
            f"field {number} holds a NUL byte" for number, field in enumerate(fields, start=1) if b"\0" in field
        ]
        return problems
