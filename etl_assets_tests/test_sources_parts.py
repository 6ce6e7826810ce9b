"""A file read piece by piece gives what it gives as a whole, wherever the pieces end."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_assets.sources import cutting
from etl_assets.sources.csv_reading import csv_parts, read_csv
from etl_assets.sources.cutting import Cutter
from etl_assets.sources.decoding import can_be_cut
from etl_assets.sources.layout import DeliveryRejected, joined
from etl_assets_tests.specs import minimal_spec
from etl_assets_tests.test_sources_properties import Dialect, Piece, any_bytes, deliveries
from etl_assets_tests.test_sources_properties import joined as whole_file

NO_IDS = {"transaction_id": None, "account_id": None, "counterparty_id": None}


class Slow:
    """A stream that gives less than it is asked for, as sockets do."""

    def __init__(self, content: bytes, most: int) -> None:
        self._file, self._most = io.BytesIO(content), most

    def read(self, size: int = -1, /) -> bytes:
        return self._file.read(min(size, self._most))


@pytest.fixture(autouse=True)
def no_long_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "END_BYTES", 4)


def same(content: bytes, spec: Any, piece_bytes: int, *, is_forensic: bool = False) -> None:
    whole = read_csv(content, spec)
    parts = joined(list(csv_parts(Slow(content, 7), spec, piece_bytes, is_forensic=is_forensic)))
    order = [("_row_number", "ascending")]
    assert parts.rows.sort_by(order).equals(whole.rows.sort_by(order))
    assert parts.control_lines == whole.control_lines


@settings(max_examples=400, deadline=None)
@given(deliveries(is_damaged=True), st.integers(1, 200), st.booleans())
def test_the_parts_of_a_damaged_file_are_the_whole(
    delivery: tuple[Dialect, list[Piece]],
    piece_bytes: int,
    is_forensic: bool,  # noqa: FBT001
) -> None:
    dialect, pieces = delivery
    same(whole_file(pieces), minimal_spec(deliveries={"csv": dialect.csv}), piece_bytes, is_forensic=is_forensic)


@settings(max_examples=1000, deadline=None)
@given(any_bytes, st.integers(1, 60))
def test_the_parts_of_any_bytes_are_the_whole(body: bytes, piece_bytes: int) -> None:
    spec = minimal_spec(columns=NO_IDS, deliveries={"csv": {"max_field_bytes": 12}})
    same(b"event_at,amount\n" + body, spec, piece_bytes)


def test_a_long_file_is_read_in_many_parts_and_its_footer_counts_them_all() -> None:
    spec = minimal_spec(columns=NO_IDS, deliveries={"csv": {"footer": {"pattern": r"END,(?P<rows>\d+)"}}})
    lines = [f"2026-03-02 10:00:00,{n}.00\r\n" for n in range(1000)]
    content = "".join(["event_at,amount\r\n", *lines, "END,1000\r\n"]).encode()
    parts = list(csv_parts(io.BytesIO(content), spec, 500))
    assert len(parts) > 40
    assert joined(parts).rows["_row_number"].to_pylist() == list(range(2, 1002))
    assert joined(parts).control_lines == 2
    cut_off = content.replace(lines[500].encode(), b"")
    with pytest.raises(DeliveryRejected, match="on line 1001 expects 1000 records, and the file has 999"):
        list(csv_parts(io.BytesIO(cut_off), spec, 500))


def test_a_quoted_line_end_where_a_piece_ends_stays_in_its_record() -> None:
    spec = minimal_spec(columns={**NO_IDS, "description": {"source": "text"}})
    record = '2026-03-02 10:00:00,1.00,"one\r\ntwo"\n'
    content = ("event_at,amount,text\n" + record * 50).encode()
    rows = joined(list(csv_parts(io.BytesIO(content), spec, 100))).rows
    assert rows["text"].to_pylist() == ["one\r\ntwo"] * 50
    assert rows["_problem"].null_count == 50


def test_a_stray_quote_damages_its_record_and_not_the_pieces_after_it() -> None:
    spec = minimal_spec(columns={**NO_IDS, "description": {"source": "text"}})
    good = "2026-03-02 10:00:00,1.00,fine\n"
    content = ("event_at,amount,text\n" + good * 20 + '2026-03-02 10:00:00,1.00,"open\n' + good * 200).encode()
    rows = joined(list(csv_parts(io.BytesIO(content), spec, 300))).rows
    assert rows.num_rows == 221
    assert rows.filter(rows["_problem"].is_valid())["_row_number"].to_pylist() == [22]


@pytest.mark.parametrize(
    ("encoding", "is_cut"),
    [("utf-8", True), ("utf-8-sig", True), ("cp1252", True), ("koi8-r", True), ("utf-16", False), ("shift_jis", False)],
)
def test_only_encodings_whose_line_ends_are_single_bytes_are_cut(encoding: str, is_cut: bool) -> None:  # noqa: FBT001
    assert can_be_cut(encoding) is is_cut


@given(st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n", b"bb"]), max_size=40).map(b"".join), st.integers(1, 9))
def test_pieces_end_where_lines_do_and_lose_no_byte(content: bytes, piece_bytes: int) -> None:
    cutter, seen = Cutter(io.BytesIO(content), piece_bytes), b""
    while True:
        piece = cutter.content
        seen += piece
        cutter.use(len(piece))
        if cutter.is_last:
            break
        assert not piece or (
            piece[-1:] in (b"\r", b"\n") and not (piece[-1:] == b"\r" and content[len(seen) :][:1] == b"\n")
        )
        cutter.more()
    assert seen == content
