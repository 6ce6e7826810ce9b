"""What holds for every file: good rows come back exactly, damage costs its own record only, both tiers agree."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_assets.institution_spec import Csv
from etl_assets.sources import csv_reading, csv_strict
from etl_assets.sources.csv_grammar import Grammar
from etl_assets.sources.csv_reading import read_csv
from etl_assets.sources.layout import Reading
from etl_assets_tests.account import assert_accounted
from etl_assets_tests.specs import minimal_spec

HEADER = ["transaction_id", "account_id", "counterparty_id", "event_at", "amount"]
INVALID = {"utf-8": b"\xff", "cp1252": b"\x81", "utf-16-le": b"\x00\xd8", "utf-16-be": b"\xdc\x00"}
MAX_FIELD_BYTES = 40


@dataclass(frozen=True)
class Dialect:
    separator: str
    quote: str
    encoding: str

    @property
    def csv(self) -> dict[str, Any]:
        return {
            "separator": self.separator,
            "quote": self.quote,
            "encoding": self.encoding,
            "max_field_bytes": MAX_FIELD_BYTES,
        }


@dataclass(frozen=True)
class Piece:
    """One record as written: its bytes without line end, its values, or None where it is damaged."""

    content: bytes
    line_end: bytes
    values: list[str | None] | None


dialects = st.builds(Dialect, st.sampled_from(",;|\t"), st.sampled_from("\"'"), st.sampled_from(sorted(INVALID)))
line_ends = st.sampled_from(["\n", "\r\n", "\r"])
one_line = st.none() | st.text("ab1.é ,;|\t'\"", max_size=8)
several_lines = st.from_regex(r"[abé](\r\n|[\n\r])+[ab1é.]*", fullmatch=True).filter(lambda text: len(text) < 15)


def written(value: str | None, dialect: Dialect, *, is_quoted: bool) -> str:
    if value is None:
        return ""
    if is_quoted or not value or any(c in value for c in (dialect.separator, dialect.quote, "\n", "\r")):
        return dialect.quote + value.replace(dialect.quote, dialect.quote * 2) + dialect.quote
    return value


@st.composite
def good_pieces(draw: st.DrawFn, dialect: Dialect) -> Piece:
    values = draw(st.lists(one_line, min_size=5, max_size=5))
    if draw(st.integers(0, 3)) == 0:
        values[draw(st.integers(0, 4))] = draw(several_lines)
    record = dialect.separator.join(written(v, dialect, is_quoted=draw(st.booleans())) for v in values)
    return Piece(record.encode(dialect.encoding), draw(line_ends).encode(dialect.encoding), values)


@st.composite
def damaged_pieces(draw: st.DrawFn, dialect: Dialect) -> Piece:
    fields = draw(st.lists(st.text("ab1.é", min_size=1, max_size=8), min_size=5, max_size=5))
    position = draw(st.integers(0, 4))
    kind = draw(st.sampled_from(["drop", "add", "open", "junk", "nul", "long", "invalid"]))
    field = fields[position]
    instead = {
        "drop": [],
        "add": [field, field],
        "open": [dialect.quote + field],
        "junk": [dialect.quote + field + dialect.quote + field],
        "nul": [field + "\0"],
        "long": [field * (MAX_FIELD_BYTES + 1)],
        "invalid": [field + "\N{SNOWMAN}"],
    }[kind]
    record = dialect.separator.join([*fields[:position], *instead, *fields[position + 1 :]])
    parts = (part.encode(dialect.encoding) for part in record.split("\N{SNOWMAN}"))
    return Piece(INVALID[dialect.encoding].join(parts), draw(line_ends).encode(dialect.encoding), None)


@st.composite
def deliveries(draw: st.DrawFn, *, is_damaged: bool) -> tuple[Dialect, list[Piece]]:
    dialect = draw(dialects)
    records = good_pieces(dialect) | damaged_pieces(dialect) if is_damaged else good_pieces(dialect)
    header = dialect.separator.join(HEADER).encode(dialect.encoding)
    first = Piece(header, draw(line_ends).encode(dialect.encoding), None)
    return dialect, [first, *draw(st.lists(records, max_size=8))]


def joined(pieces: list[Piece]) -> bytes:
    return b"".join(piece.content + piece.line_end for piece in pieces)


def found(reading: Reading) -> list[tuple[Any, ...]]:
    rows = sorted(reading.rows.to_pylist(), key=lambda row: int(row["_row_number"]))
    return [(row["_row_number"], row["_byte_offset"], row["_record"], [row[name] for name in HEADER]) for row in rows]


def expected(dialect: Dialect, pieces: list[Piece]) -> list[tuple[Any, ...]]:
    rows, offset, line = [], 0, 1
    for piece in pieces:
        record = None if piece.values is not None else piece.content
        rows.append((line, offset, record, piece.values or [None] * 5))
        whole = piece.content + piece.line_end
        offset += len(whole)
        line += len(re.findall("\r\n|\r|\n", whole.decode(dialect.encoding, "replace")))
    return rows[1:]


@settings(max_examples=300, deadline=None)
@given(deliveries(is_damaged=True), st.booleans())
def test_exactly_the_damaged_records_are_lost(delivery: tuple[Dialect, list[Piece]], ends_with_line_end: bool) -> None:  # noqa: FBT001
    dialect, pieces = delivery
    content = joined(pieces) if ends_with_line_end else joined(pieces).removesuffix(pieces[-1].line_end)
    reading = read_csv(content, minimal_spec(deliveries={"csv": dialect.csv}))
    assert found(reading) == expected(dialect, pieces)
    assert reading.control_lines == 1


@settings(max_examples=150, deadline=None)
@given(deliveries(is_damaged=False))
def test_a_good_file_needs_no_second_tier_and_comes_out_of_it_the_same(delivery: tuple[Dialect, list[Piece]]) -> None:
    dialect, pieces = delivery
    spec = minimal_spec(deliveries={"csv": dialect.csv})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_reading, "isolated", None)
        patch.setattr(csv_strict, "BLOCK_BYTES", 1)
        strict = read_csv(joined(pieces), spec)
    forensic = read_csv(joined(pieces), spec, is_forensic=True)
    assert strict.rows.equals(forensic.rows)
    assert strict.control_lines == forensic.control_lines
    assert found(strict) == expected(dialect, pieces)


any_bytes = st.lists(
    st.sampled_from(
        [
            b"a",
            b"1",
            b'"',
            b'""',
            b",",
            b'","',
            b"\n",
            b"\r",
            b"\r\n",
            b"\0",
            b"\xc3\xa9",
            b"\xff",
            b"\xef\xbb\xbf",
            b"x" * 9,
        ]
    ),
    max_size=60,
).map(b"".join)


@settings(max_examples=800, deadline=None)
@given(any_bytes)
def test_any_bytes_at_all_are_accounted_for_and_both_tiers_agree(body: bytes) -> None:
    spec = minimal_spec(
        columns={"transaction_id": None, "account_id": None, "counterparty_id": None},
        deliveries={"csv": {"max_field_bytes": 12}},
    )
    content = b"event_at,amount\n" + body
    reading = read_csv(content, spec)
    assert_accounted(content, ["event_at", "amount"], reading, spec)
    forensic = read_csv(content, spec, is_forensic=True)
    assert reading.rows.equals(forensic.rows)
    assert reading.control_lines == forensic.control_lines


@settings(max_examples=500)
@given(st.text('a,"', max_size=15).map(str.encode), st.integers(1, 4))
def test_the_pattern_of_a_good_record_and_the_list_of_problems_never_disagree(record: bytes, width: int) -> None:
    grammar = Grammar.of(Csv())
    is_good = grammar.record(width).fullmatch(record) is not None
    assert is_good == (grammar.problems(record, width) == [])
