"""Lines before and after the records: counted, never rows, and believed only where the records agree."""

from __future__ import annotations

from contextlib import nullcontext
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_assets.sources import csv_reading
from etl_assets.sources.csv_reading import read_csv
from etl_assets.sources.layout import DeliveryRejected, Reading
from etl_assets.sources.reading import read_delivery
from etl_assets_tests.spec_files import changed, refusal
from etl_assets_tests.specs import minimal_spec
from etl_assets_tests.test_sources_properties import Dialect, Piece, deliveries, expected, found, joined, line_ends

HEADER = "transaction_id,account_id,counterparty_id,event_at,amount\n"
TRAILER = {"pattern": r"TRAILER,(?P<rows>\d+),(?P<total>[-\d.,' ]+)"}
TWO_LINES = {"pattern": r"ROWS,(?P<rows>.*)|SUM,(?P<total>.*)"}


def read(content: str, amount: dict[str, Any] | None = None, **dialect: Any) -> Reading:
    return read_csv(content.encode(), minimal_spec(deliveries={"csv": dialect}, columns={"amount": amount or {}}))


def with_amounts(*amounts: str) -> str:
    return HEADER + "".join(f"{i},a,b,c,{amount}\n" for i, amount in enumerate(amounts))


def rejection(content: str, **settings: Any) -> str:
    with pytest.raises(DeliveryRejected) as rejected:
        read(content, **settings)
    return str(rejected.value)


def numbers(reading: Reading) -> list[int]:
    return list(reading.rows["_row_number"].to_pylist())


@pytest.mark.parametrize(
    "preamble", [{"preamble_lines": 3}, {"preamble": r'Report.*|"'}, {"preamble": "(?!transaction_id,).*"}]
)
def test_preamble_lines_are_control_lines_and_the_records_keep_their_places(preamble: dict[str, Any]) -> None:
    above = 'Report of,the "day\n\n"\n'
    reading = read(above + HEADER + "1,a,b,c,5\n2,a,b\n", **preamble)
    assert numbers(reading) == [5, 6]
    assert reading.rows["_byte_offset"].to_pylist() == [len(above + HEADER), len(above + HEADER) + 10]
    assert (reading.control_lines, reading.records_read) == (4, 6)


@pytest.mark.parametrize("preamble", [{"preamble_lines": 1}, {"preamble_lines": 9}, {"preamble": ".*"}])
def test_a_file_that_ends_with_its_preamble_is_rejected(preamble: dict[str, Any]) -> None:
    assert "nothing but" in rejection("Report\n", **preamble)


def test_only_the_block_at_the_end_is_a_footer() -> None:
    reading = read(HEADER + "END\n1,a,b,c,5\nEND\n2,a,b,c,5\n\nEND\n\nEND\n\n", footer={"pattern": "END"})
    assert numbers(reading) == [3, 5, 2, 4]
    assert reading.rows["_record"].to_pylist() == [None, None, b"END", b"END"]
    assert (reading.control_lines, reading.records_read) == (6, 10)


def test_a_footer_as_wide_as_a_record_is_no_record() -> None:
    reading = read(with_amounts("5", "6") + ",,,,11\n", footer={"pattern": r",{4}(?P<total>[\d.]+)"})
    assert (reading.rows.num_rows, reading.control_lines) == (2, 2)


def test_the_header_is_no_footer_and_a_day_without_records_may_have_one() -> None:
    reading = read(HEADER + "TRAILER,0,0.00\n", footer={"pattern": TRAILER["pattern"] + "|.+,.+"})
    assert (reading.rows.num_rows, reading.control_lines) == (0, 2)


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ("", "ends on line 3 without a footer"),
        ("TRAI", "ends on line 4 without a footer"),
        ("TRAILER,2,11.00\n9,a,b,c,5\n", "ends on line 5 without a footer"),
    ],
)
def test_a_file_without_the_end_that_it_must_have_is_cut_off(end: str, said: str) -> None:
    text = rejection(with_amounts("5", "6") + end, footer=TRAILER)
    assert said in text
    assert "cut off" in text


def test_a_footer_that_lost_a_line_is_cut_off() -> None:
    content = with_amounts("5", "6")
    assert read(content + "ROWS,2\nSUM,11\n", footer=TWO_LINES).control_lines == 3
    assert "a footer that has no total" in rejection(content + "ROWS,2\n", footer=TWO_LINES)


def test_a_footer_that_is_not_required_is_believed_where_it_is_there() -> None:
    footer = TRAILER | {"required": False}
    assert read(with_amounts("5"), footer=footer).control_lines == 1
    assert "expects 2 records, and the file has 1" in rejection(with_amounts("5") + "TRAILER,2,5\n", footer=footer)


def test_every_control_value_that_differs_is_said_with_both_figures_and_the_file(tmp_path: Path) -> None:
    path = tmp_path / "transactions_20240101.csv"
    path.write_text(with_amounts("5.10", "-6") + "TRAILER,3,11.10\n")
    with pytest.raises(DeliveryRejected) as rejected:
        read_delivery(path.name, path.read_bytes(), minimal_spec(deliveries={"csv": {"footer": TRAILER}}))
    assert str(rejected.value) == (
        "transactions_20240101.csv: the footer on line 4 expects 3 records, and the file has 2; "
        "the footer on line 4 expects a total of 11.1, and the amounts sum to -0.9. Ask for a complete file"
    )


@pytest.mark.parametrize("total", ["104758470.9", "104758471", "104758470.89", "104758470.8900"])
def test_a_total_is_checked_at_the_precision_in_which_it_is_printed(total: str) -> None:
    assert read(with_amounts("104758470.89") + f"TRAILER,1,{total}\n", footer=TRAILER).rows.num_rows == 1


@pytest.mark.parametrize("total", ["104758470.8", "104758470", "104758470.90", "-104758470.89"])
def test_a_total_that_differs_where_it_is_printed_is_refused(total: str) -> None:
    assert "expects a total" in rejection(with_amounts("104758470.89") + f"TRAILER,1,{total}\n", footer=TRAILER)


def test_marks_and_sign_of_a_total_are_those_of_the_amounts() -> None:
    amount = {"decimal_mark": ",", "thousands_mark": ".", "sign": "positive_leaves"}
    good = with_amounts('"1.000,50"', '"234,06"')
    assert read(good + "TRAILER,2,1.234,56\n", amount, footer=TRAILER).rows.num_rows == 2
    assert "total of 1234.57, and the amounts sum to 1234.56" in rejection(
        good + "TRAILER,2,1.234,57\n", amount=amount, footer=TRAILER
    )


def test_a_control_value_that_is_no_number_is_refused() -> None:
    assert "has '1,5' for its total" in rejection(with_amounts("5") + "TRAILER,1,1,5\n", footer=TRAILER)


def test_damaged_records_count_and_a_total_that_holds_without_them_is_proven() -> None:
    reading = read(with_amounts("5", "6") + "x,y\n7,a,b,c,\nTRAILER,4,11.00\n", footer=TRAILER)
    assert (reading.rows.num_rows, reading.control_lines) == (4, 2)


def test_a_total_that_amounts_nobody_can_read_may_complete_is_refused_and_says_so() -> None:
    text = rejection(with_amounts("5", "six") + "7,a\nTRAILER,3,11.00\n", footer=TRAILER)
    assert "a total of 11, and the amounts sum to 5 without the 2 that cannot be read" in text


@pytest.mark.parametrize(
    ("field", "value", "place", "said"),
    [
        ("footer", {"pattern": "(["}, "footer.pattern", "expected a regular expression"),
        ("footer", {"pattern": ".*"}, "footer.pattern", "matches an empty line"),
        ("footer", {"pattern": r"(?P<row>\d+)"}, "footer.pattern", "no named groups but rows and total"),
        ("footer", {}, "footer.pattern", "it is missing"),
        ("footer", {"pattern": "x", "require": True}, "footer.require", "did you mean `required`"),
        ("preamble", "([", "preamble", "expected a regular expression"),
        ("preamble_lines", -1, "preamble_lines", "greater than or equal to 0"),
    ],
)
def test_a_mistake_is_refused_at_its_place(tmp_path: Path, field: str, value: object, place: str, said: str) -> None:
    text = refusal(tmp_path, changed(f"deliveries.csv.{field}", value))
    assert f"deliveries.csv.{place}: " in text
    assert said in text


def test_two_kinds_of_preamble_are_one_too_many(tmp_path: Path) -> None:
    both = {"preamble_lines": 1, "preamble": "#.*"}
    assert "expected one of them" in refusal(tmp_path, changed("deliveries.csv", both))


@st.composite
def framed(draw: st.DrawFn, *, is_damaged: bool) -> tuple[Dialect, list[Piece], list[Piece], list[Piece]]:
    """A delivery with lines before it and behind it; the footer's line may also stand between its records."""
    dialect, pieces = draw(deliveries(is_damaged=is_damaged))

    def line(text: str) -> Piece:
        return Piece(text.encode(dialect.encoding), draw(line_ends).encode(dialect.encoding), None)

    above = [line("#" + text) for text in draw(st.lists(st.text("aé\"',;#", max_size=5), max_size=3))]
    below = [line("END") for _ in range(draw(st.integers(1, 3)))]
    if is_damaged and len(pieces) > 2 and draw(st.booleans()):
        pieces.insert(draw(st.integers(1, len(pieces) - 1)), line("END"))
    return dialect, above, pieces, below


@settings(max_examples=200, deadline=None)
@given(framed(is_damaged=True), st.booleans())
def test_framed_records_come_back_as_exactly_the_good_and_the_damaged_ones(
    delivery: tuple[Dialect, list[Piece], list[Piece], list[Piece]],
    is_counted: bool,  # noqa: FBT001
) -> None:
    dialect, above, pieces, below = delivery
    preamble = {"preamble_lines": len(above)} if is_counted else {"preamble": "#.*"}
    spec = minimal_spec(deliveries={"csv": dialect.csv | preamble | {"footer": {"pattern": "END"}}})
    content = joined(above + pieces + below)
    reading = read_csv(content, spec)
    assert found(reading) == expected(dialect, above + pieces)[len(above) :]
    assert reading.control_lines == len(above) + 1 + len(below)


@settings(max_examples=100, deadline=None)
@given(framed(is_damaged=False))
def test_a_good_framed_file_needs_no_second_tier(
    delivery: tuple[Dialect, list[Piece], list[Piece], list[Piece]],
) -> None:
    dialect, above, pieces, below = delivery
    frame = {"preamble_lines": len(above), "footer": {"pattern": "END"}}
    spec = minimal_spec(deliveries={"csv": dialect.csv | frame})
    content = joined(above + pieces + below)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_reading, "isolated", None)
        strict = read_csv(content, spec)
    forensic = read_csv(content, spec, is_forensic=True)
    assert strict.rows.equals(forensic.rows)
    assert strict.control_lines == forensic.control_lines == len(above) + 1 + len(below)
    assert found(strict) == expected(dialect, above + pieces)[len(above) :]


cents = st.integers(-(10**9), 10**9).map(lambda number: Decimal(number).scaleb(-2))


@settings(max_examples=100, deadline=None)
@given(st.lists(cents, max_size=8), st.integers(0, 2), st.integers(-2, 2), st.integers(-1, 1))
def test_a_total_passes_exactly_where_it_is_the_sum_as_printed(
    amounts: list[Decimal], digits: int, off: int, missing: int
) -> None:
    step = Decimal(1).scaleb(-digits)
    total = sum(amounts, Decimal(0)).quantize(step, ROUND_HALF_UP) + off * step
    content = with_amounts(*map(str, amounts)) + f"TRAILER,{max(len(amounts) + missing, 0)},{total:f}\n"
    is_true = max(len(amounts) + missing, 0) == len(amounts) and abs(total - sum(amounts)) * 2 <= step
    with nullcontext() if is_true else pytest.raises(DeliveryRejected, match="the footer on line"):
        read(content, footer=TRAILER)
