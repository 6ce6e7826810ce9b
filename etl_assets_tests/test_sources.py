"""What becomes of every record of a delivered CSV file, with bytes written by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from etl_assets.sources.csv_reading import read_csv
from etl_assets.sources.csv_strict import BLOCK_BYTES
from etl_assets.sources.layout import DeliveryRejected, Reading
from etl_assets.sources.reading import read_delivery
from etl_assets_tests.specs import minimal_spec

HEADER = b"transaction_id,account_id,counterparty_id,event_at,amount\n"
SOURCES = ["transaction_id", "account_id", "counterparty_id", "event_at", "amount"]


def good(reading: Reading) -> list[tuple[int, list[str | None]]]:
    """Line number and values, in the declared order of the header above."""
    return [(r["_row_number"], [r[s] for s in SOURCES]) for r in reading.rows.to_pylist() if r["_problem"] is None]


def damaged(reading: Reading) -> list[tuple[int, bytes]]:
    return [(r["_row_number"], r["_record"]) for r in reading.rows.to_pylist() if r["_problem"] is not None]


def problem(reading: Reading) -> str:
    (text,) = [r["_problem"] for r in reading.rows.to_pylist() if r["_problem"] is not None]
    return str(text)


def read(body: bytes, header: bytes = HEADER, **dialect: Any) -> Reading:
    return read_csv(header + body, minimal_spec(deliveries={"csv": dialect}))


def test_fields_arrive_as_delivered_with_line_and_offset() -> None:
    reading = read(b"1, a ,b,2024-01-01, 007.50 \n2,a,b,2024-01-01,1\n")
    assert good(reading) == [
        (2, ["1", " a ", "b", "2024-01-01", " 007.50 "]),
        (3, ["2", "a", "b", "2024-01-01", "1"]),
    ]
    assert reading.rows["_byte_offset"].to_pylist() == [len(HEADER), len(HEADER) + 28]
    assert (reading.control_lines, reading.records_read) == (1, 3)


def test_an_empty_field_is_null_and_a_quoted_empty_one_is_empty_text() -> None:
    assert good(read(b'1,,"",NA,null\n')) == [(2, ["1", None, "", "NA", "null"])]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (b"2,a,b,c", "4 fields where the header has 5"),
        (b"2,a,b,c,12,50", "6 fields where the header has 5"),
        (b'2,a,"b"x,c,5', "text follows the closing quote of field 3"),
        (b'2,a,b",c,5', "field 3 ends with a quote that nothing opens"),
        (b"2,a\x00,b,c,5", "field 2 holds a NUL byte"),
        (b"2,a,\xff,c,5", "byte 5 of the record (0xff) is no utf-8"),
        (b"2,a," + b"x" * 101 + b",c,5", "field 3 has 101 bytes, more than 100"),
        (b'2,a,"b,c,5', "the quote that opens field 3 is not closed"),
    ],
)
def test_one_damaged_record_costs_no_other(record: bytes, expected: str) -> None:
    before, after = b"1,a,b,c,5\n", b'3,a,"b ""quoted"" b",c,5\n'
    reading = read(before + record + b"\n" + after, max_field_bytes=100)
    assert good(reading) == [(2, ["1", "a", "b", "c", "5"]), (4, ["3", "a", 'b "quoted" b', "c", "5"])]
    assert damaged(reading) == [(3, record)]
    assert reading.rows["_byte_offset"].to_pylist()[-1] == len(HEADER + before)
    assert expected in problem(reading)


def test_a_damaged_record_is_told_all_its_problems() -> None:
    found = problem(read(b'2,a\x00,"b"x,\xff\n'))
    for part in ("4 fields", "NUL", "closing quote of field 3", "0xff"):
        assert part in found


def test_an_open_quote_that_a_later_quote_would_close_swallows_nothing() -> None:
    reading = read(b'1,"a,b,c,5\n2,a,b,c,5\n3,",b,c,5\n4,a,b,c,5\n')
    assert [line for line, _ in good(reading)] == [3, 5]
    assert damaged(reading) == [(2, b'1,"a,b,c,5'), (4, b'3,",b,c,5')]


def test_an_open_quote_at_the_end_of_the_file_costs_only_its_line() -> None:
    reading = read(b'1,a,b,c,5\n2,a,b,c,"5')
    assert [line for line, _ in good(reading)] == [2]
    assert damaged(reading) == [(3, b'2,a,b,c,"5')]


def test_line_ends_inside_quotes_are_kept_and_counted() -> None:
    reading = read(b'1,"one\r\ntwo\n\nthree",b,c,5\n2,a,b,c,5\n')
    assert good(reading) == [(2, ["1", "one\r\ntwo\n\nthree", "b", "c", "5"]), (6, ["2", "a", "b", "c", "5"])]
    assert reading.control_lines == 1


def test_a_quote_in_the_middle_of_a_plain_field_is_text() -> None:
    assert good(read(b"1,37\xc2\xb036'37.8\"N,b,c,5\n")) == [(2, ["1", "37°36'37.8\"N", "b", "c", "5"])]


def test_line_ends_may_be_mixed() -> None:
    reading = read(b"1,a,b,c,5\r\n2,a,b,c,5\r3,a,b,c,5\n4,a,b,c\r\n5,a,b,c,5")
    assert [(line, values[0]) for line, values in good(reading)] == [(2, "1"), (3, "2"), (4, "3"), (6, "5")]
    assert damaged(reading) == [(5, b"4,a,b,c")]


def test_blank_lines_are_control_lines_wherever_they_stand() -> None:
    reading = read(b"\n1,a,b,c,5\n\r\n\n2,a,b,c\n\n", header=b"\n" + HEADER)
    assert [line for line, _ in good(reading)] == [4]
    assert damaged(reading) == [(7, b"2,a,b,c")]
    assert (reading.control_lines, reading.records_read) == (6, 8)


def test_a_file_cut_off_in_the_middle_of_a_record_keeps_what_came_before() -> None:
    whole = HEADER + b"1,a,b,c,5\n2,a,b,c,5\n"
    reading = read_csv(whole[:-6], minimal_spec())
    assert [line for line, _ in good(reading)] == [2]
    assert damaged(reading) == [(3, b"2,a,")]


def test_a_header_alone_is_a_day_without_transactions() -> None:
    reading = read(b"")
    assert (reading.rows.num_rows, reading.control_lines) == (0, 1)
    assert reading.rows.schema.names[-5:] == list(minimal_spec().declared)


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [("utf-8", b"\xef\xbb\xbf"), ("utf-16", b"\xff\xfe"), ("utf-16", b"\xfe\xff"), ("cp1252", b""), ("gb18030", b"")],
)
def test_positions_are_those_in_the_delivered_bytes_in_any_encoding(encoding: str, mark: bytes) -> None:
    codec = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}.get(mark, encoding)
    header, first, bad, last = (
        (text + "\r\n").encode(codec) for text in (HEADER.decode().strip(), "1,é,b,c,5", "2,é,b,c", "3,é,b,c,5")
    )
    reading = read(first + bad + last, header=mark + header, encoding=encoding)
    assert good(reading) == [(2, ["1", "é", "b", "c", "5"]), (4, ["3", "é", "b", "c", "5"])]
    assert damaged(reading) == [(3, "2,é,b,c".encode(codec))]
    start = len(mark + header)
    offsets = [start, start + len(first + bad), start + len(first)]
    assert reading.rows["_byte_offset"].to_pylist() == offsets


def test_a_byte_that_cp1252_does_not_know_costs_its_record_only() -> None:
    reading = read(b"1,\x80,b,c,5\n2,\x81\x80,b,c,5\n3,\xe9,b,c,5\n", encoding="cp1252")
    assert [values[1] for _, values in good(reading)] == ["€", "é"]
    assert damaged(reading) == [(3, b"2,\x81\x80,b,c,5")]
    assert "byte 3 of the record (0x81) is no cp1252" in problem(reading)


def test_another_dialect_is_only_data() -> None:
    reading = read(b"'it''s';a|b;\"c;d;5\n", header=HEADER.replace(b",", b";"), separator=";", quote="'")
    assert good(reading) == [(2, ["it's", "a|b", '"c', "d", "5"])]


def test_undeclared_columns_are_kept_in_extra_under_names_of_their_own() -> None:
    header = HEADER.strip() + b",note,note,,a \xe2\x82\xac\n"
    (row,) = read(b'1,a,b,c,5,x,"say ""hi"" \\",,\x01\n', header=header).rows.to_pylist()
    expected = {"note": "x", "note (column 7)": 'say "hi" \\', "(column 8)": None, "a €": "\x01"}
    assert json.loads(row["_extra"]) == expected


def test_an_alias_fills_the_column_under_its_first_spelling() -> None:
    spec = minimal_spec(columns={"amount": {"aliases": ["Betrag"]}})
    reading = read_csv(HEADER.replace(b"amount", b"Betrag") + b"1,a,b,c,5\n", spec)
    assert reading.rows["amount"].to_pylist() == ["5"]
    assert reading.rows["_extra"].to_pylist() == [None]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "0 bytes"),
        (b"\n\r\n", "nothing but blank lines"),
        (HEADER.replace(b"amount", b"Betrag"), r"'amount' is missing: add the spelling .*aliases.*'Betrag'"),
        (HEADER.replace(b"account_id", b"amount"), r"'amount' stands there more than once"),
        (HEADER.replace(b"account_id", b'"account_id'), "the quote that opens field 2 is not closed"),
        (HEADER.replace(b"account", b"acc\xffunt"), "the header is no utf-8"),
        (b"PK\x03\x04\x00\x00", "'amount' is missing"),
    ],
)
def test_a_file_without_a_usable_header_is_rejected_as_a_whole(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "transactions_20240101.csv"
    path.write_bytes(content)
    with pytest.raises(DeliveryRejected, match=rf"(?s)transactions_20240101\.csv: .*{expected}"):
        read_delivery(path.name, path.read_bytes(), minimal_spec())


def test_a_record_longer_than_a_block_is_read_whole() -> None:
    long = "x" * 3_000_000
    reading = read(f'1,a,b,c,5\n2,"{long}",b,c,5\n'.encode(), max_field_bytes=len(long))
    assert [values[1] for _, values in good(reading)] == ["a", long]


def test_a_quoted_line_end_that_two_blocks_share_stays_whole() -> None:
    filler = b"1,a,b,c,5\n" * (BLOCK_BYTES // 10 - 1)
    record = b"2," + b'"' + b"x" * (BLOCK_BYTES - len(filler) - 4) + b'\r\ny",b,c,5\n'
    assert (filler + record)[BLOCK_BYTES - 1 : BLOCK_BYTES + 1] == b"\r\n"
    last = read(filler + record).rows["account_id"][-1].as_py()
    assert last.endswith("x\r\ny")


def test_a_byte_order_mark_in_a_value_is_part_of_it() -> None:
    assert good(read(b"\xef\xbb\xbf1,a,b,c,5\n"))[0][1][0] == "\ufeff1"


def test_an_empty_last_field_is_null_at_the_end_of_the_file_too() -> None:
    assert good(read(b'1,a,b,"",'))[0][1][3:] == ["", None]


def test_a_single_column_of_undeclared_values_does_not_shift_the_declared_ones() -> None:
    reading = read(b"x,1,a,b,c,5\n", header=b"before," + HEADER)
    assert good(reading)[0][1] == ["1", "a", "b", "c", "5"]
    assert reading.rows["_extra"].to_pylist() == ['{"before":"x"}']
