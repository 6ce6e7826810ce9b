"""Lines of fixed width: every character where the spec says, every line that cannot be one in quarantine."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.sources import fixed_width
from etl_assets.sources.fixed_width import read_fixed_width
from etl_assets.sources.layout import DeliveryRejected, Reading
from etl_assets.sources.reading import read_delivery
from etl_assets_tests.spec_files import changed, refusal
from etl_assets_tests.specs import minimal_spec

WIDTHS = {"transaction_id": 4, "account_id": 3, "counterparty_id": 3, "filler": 1, "event_at": 10, "amount": 8}
INVALID = {"utf-8": b"\xff", "cp1252": b"\x81", "utf-16-le": b"\x00\xd8"}


def placed(widths: dict[str, int]) -> list[dict[str, Any]]:
    """The columns one behind the other."""
    starts = [1 + sum(list(widths.values())[:i]) for i in range(len(widths))]
    return [{"name": n, "start": s, "width": w} for (n, w), s in zip(widths.items(), starts, strict=True)]


def fixed_spec(widths: dict[str, int] = WIDTHS, **more: Any) -> InstitutionSpec:
    return minimal_spec(deliveries={"format": "fixed_width", "fixed_width": {"columns": placed(widths), **more}})


def line(*values: str) -> str:
    return "".join(value.ljust(width) for value, width in zip(values, WIDTHS.values(), strict=True))


GOOD = line("T1", "A1", "Käß", "x", "2024-01-01", "   12.50")


def read(content: str | bytes, **more: Any) -> Reading:
    return read_fixed_width(content if isinstance(content, bytes) else content.encode(), fixed_spec(**more))


def values(reading: Reading) -> list[list[str | None]]:
    names = [name for name in WIDTHS if name != "filler"]
    return [[row[name] for name in names] for row in reading.rows.to_pylist() if row["_problem"] is None]


def test_fields_are_as_delivered_with_their_padding_and_fillers_are_kept() -> None:
    reading = read(f"{GOOD}\n")
    assert values(reading) == [["T1  ", "A1 ", "Käß", "2024-01-01", "   12.50"]]
    assert json.loads(reading.rows["_extra"][0].as_py()) == {"filler": "x"}


def test_trimmed_fields_have_no_spaces_at_their_end_and_none_is_empty() -> None:
    reading = read(line("T1", "", " é ", "", "2024-01-01", "   12.50"), trim=True)
    assert values(reading) == [["T1", None, " é", "2024-01-01", "   12.50"]]


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (GOOD[:-1].encode(), "28 characters where the columns have 29"),
        (GOOD.encode() + b" ", "30 characters where the columns have 29"),
        (b" ", "1 characters"),
        (GOOD.replace("x", "\0").encode(), "the record holds a NUL byte"),
        (GOOD.replace("x", "\n").encode().replace(b"\n", b"\xff"), "character 11 of the record is no utf-8"),
        (b"\xff\0", "2 characters where the columns have 29; the record holds a NUL byte; character 1 of"),
    ],
)
def test_one_damaged_line_costs_no_other(record: bytes, said: str) -> None:
    good = GOOD.encode() + b"\r\n"
    reading = read(good + record + b"\n" + good)
    *rows, bad = reading.rows.to_pylist()
    assert [row["_row_number"] for row in rows] == [1, 3]
    assert (bad["_row_number"], bad["_byte_offset"], bad["_record"]) == (2, len(good), record)
    assert said in bad["_problem"]


def test_header_footer_and_blank_lines_are_control_lines() -> None:
    footer = {"pattern": r"9(?P<rows>\d{5})(?P<total>[ \d.]+)"}
    reading = read(f"ID  ACC SHOP\n\n{GOOD}\n\n{GOOD}\n900002   25.00\n", preamble_lines=1, footer=footer)
    assert reading.rows["_row_number"].to_pylist() == [3, 5]
    assert (reading.control_lines, reading.records_read) == (4, 6)


def test_a_footer_that_disagrees_rejects_the_file_by_name(tmp_path: Path) -> None:
    path = tmp_path / "transactions_20240101.txt"
    path.write_text(f"{GOOD}\n900002   25.00\n")
    spec = fixed_spec(footer={"pattern": r"9(?P<rows>\d{5})(?P<total>[ \d.]+)"})
    with pytest.raises(
        DeliveryRejected, match=r"_20240101\.txt: .* 2 records, .* has 1; .* total of 25, .* to 12\.5\."
    ):
        read_delivery(path.name, path.read_bytes(), spec)


def test_a_column_that_the_lines_do_not_have_is_named() -> None:
    widths = {name: width for name, width in WIDTHS.items() if name != "amount"}
    with pytest.raises(DeliveryRejected, match="column 'amount' is missing"):
        read_fixed_width(b"x", fixed_spec(widths))


def test_a_column_may_go_by_an_alias() -> None:
    widths = {"AMT" if name == "amount" else name: width for name, width in WIDTHS.items()}
    fixed = {"format": "fixed_width", "fixed_width": {"columns": placed(widths)}}
    spec = minimal_spec(columns={"amount": {"aliases": ["AMT"]}}, deliveries=fixed)
    assert read_fixed_width(GOOD.encode(), spec).rows["amount"].to_pylist() == ["   12.50"]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ([], "at least 1 item"),
        ([{"name": "a", "start": 0, "width": 1}], "columns.0.start: expected greater than or equal to 1"),
        ([{"name": "a", "start": 2, "width": 1}], "expected a column at character 1"),
        (
            [{"name": "a", "start": 1, "width": 3}, {"name": "b", "start": 3, "width": 1}],
            "'a' has characters 1 to 3 and 'b' has characters 3 to 3",
        ),
        (
            [{"name": "a", "start": 1, "width": 1}, {"name": "b", "start": 3, "width": 1}],
            "each character in one column, a filler being one too",
        ),
        ([{"name": "a", "start": 1, "width": 1}, {"name": "a", "start": 2, "width": 1}], "expected each name once"),
    ],
)
def test_columns_that_do_not_cover_the_line_are_refused(tmp_path: Path, columns: list[Any], said: str) -> None:
    text = refusal(tmp_path, changed("deliveries", _deliveries(format="fixed_width", fixed_width={"columns": columns})))
    assert "deliveries.fixed_width.columns" in text
    assert said in text


@pytest.mark.parametrize("half", [{"format": "fixed_width"}, {"fixed_width": {"columns": placed(WIDTHS)}}])
def test_the_format_and_its_columns_go_together(tmp_path: Path, half: dict[str, Any]) -> None:
    assert "or neither" in refusal(tmp_path, changed("deliveries", _deliveries(**half)))


@pytest.mark.parametrize(
    "other", [{"format": "parquet"}, {"format": "fixed_width", "fixed_width": {"columns": placed(WIDTHS)}}]
)
def test_a_footer_that_nobody_would_read_is_refused(tmp_path: Path, other: dict[str, Any]) -> None:
    deliveries = _deliveries(csv={"footer": {"pattern": "END"}}, **other)
    assert "would not be read" in refusal(tmp_path, changed("deliveries", deliveries))


def _deliveries(**more: Any) -> dict[str, Any]:
    return {"folder": "deliveries", "file_name": r"(?P<business_date>\d{8})", **more}


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, dict[str, int], list[tuple[bytes, list[str] | None, bytes]]]:
    """An encoding, widths, and lines with the values that they hold, or None where they are damaged."""
    encoding = draw(st.sampled_from(sorted(INVALID)))
    widths = {name: draw(st.integers(1, 6)) for name in WIDTHS}
    alphabet = draw(st.sampled_from(["a1 .,;\"'", "a1é .,;\"'"]))
    line_ends = st.sampled_from(["\n", "\r\n", "\r"]).map(lambda end: end.encode(encoding))
    lines = []
    for _ in range(draw(st.integers(0, 8))):
        fields = [draw(st.text(alphabet, max_size=width)).ljust(width) for width in widths.values()]
        record, kind = "".join(fields), draw(st.sampled_from(["good", "good", "short", "long", "nul", "invalid"]))
        content, is_good = _as_delivered(record, kind, encoding), kind == "good"
        lines.append((content, fields if is_good else None, draw(line_ends)))
    return encoding, widths, lines


def _as_delivered(record: str, kind: str, encoding: str) -> bytes:
    if kind == "invalid":
        return INVALID[encoding] + record[1:].encode(encoding)
    instead = {"good": record, "short": record[:-1], "long": record + "a", "nul": "\0" + record[1:]}
    return instead[kind].encode(encoding)


@settings(max_examples=200, deadline=None)
@given(tables(), st.booleans())
def test_any_table_comes_back_exactly_and_the_damaged_lines_are_exactly_the_damaged_ones(
    table: tuple[str, dict[str, int], list[tuple[bytes, list[str] | None, bytes]]],
    trim: bool,  # noqa: FBT001
) -> None:
    encoding, widths, lines = table
    content = b"".join(record + end for record, _, end in lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fixed_width, "BLOCK_LINES", 3)
        reading = read_fixed_width(content, fixed_spec(widths, encoding=encoding, trim=trim))
    rows = {row["_row_number"]: row for row in reading.rows.to_pylist()}
    offset = 0
    for number, (record, fields, end) in enumerate(lines, start=1):
        row = rows.pop(number)
        assert row["_byte_offset"] == offset
        assert row["_record"] == (None if fields else record)
        assert _found(row, widths) == [_expected(field, trim=trim) if fields else None for field in fields or widths]
        offset += len(record + end)
    assert (rows, reading.control_lines) == ({}, 0)


def _found(row: dict[str, Any], widths: dict[str, int]) -> list[str | None]:
    everything = row | json.loads(row["_extra"] or '{"filler": null}')
    return [everything[name] for name in widths]


def _expected(field: str, *, trim: bool) -> str | None:
    return re.sub(" +$", "", field) or None if trim else field
