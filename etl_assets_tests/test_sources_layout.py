"""Columns that a file may lack, titles that the ledger keeps, and what nobody declared: the same in every format."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.sources.layout import DeliveryRejected, Reading, optional_columns
from etl_assets.sources.reading import read_delivery
from etl_assets_tests.spec_files import changed, refusal
from etl_assets_tests.specs import minimal_spec

OPTIONAL = {"country": {"source": "land", "aliases": ["Land"], "optional": True}}
ROW = {"transaction_id": "T1", "account_id": "A1", "counterparty_id": "M1", "event_at": "now", "amount": "1"}


def csv_file(rows: Sequence[Mapping[str, str]]) -> bytes:
    return "\n".join([",".join(rows[0]), *(",".join(row.values()) for row in rows), ""]).encode()


def jsonl_file(rows: Sequence[Mapping[str, str]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def json_file(rows: Sequence[Mapping[str, str]]) -> bytes:
    return json.dumps(rows).encode()


def parquet_file(rows: Sequence[Mapping[str, str]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), sink)
    return sink.getvalue()


def excel_file(rows: Sequence[Mapping[str, str]]) -> bytes:
    workbook, sink = openpyxl.Workbook(), io.BytesIO()
    workbook.active.title = "s"
    for row in ([*rows[0]], *([*row.values()] for row in rows)):
        workbook.active.append(row)
    workbook.save(sink)
    return sink.getvalue()


FORMATS: dict[str, Callable[[Sequence[Mapping[str, str]]], bytes]] = {
    "csv": csv_file,
    "jsonl": jsonl_file,
    "json": json_file,
    "parquet": parquet_file,
    "excel": excel_file,
}
TEXT = {"parquet": "string", "json": "string", "jsonl": "string"}
each_format = pytest.mark.parametrize("kind", FORMATS)


def spec_of(kind: str, **columns: Any) -> InstitutionSpec:
    settings = {"excel": {"sheet": "s"}} if kind == "excel" else {}
    return minimal_spec(deliveries={"format": kind, **settings}, columns={**OPTIONAL, **columns})


def read(kind: str, *rows: Mapping[str, str], **columns: Any) -> Reading:
    return read_delivery("transactions_20240101", FORMATS[kind](rows), spec_of(kind, **columns))


@each_format
def test_an_optional_column_that_the_file_lacks_is_null(kind: str) -> None:
    (row,) = read(kind, ROW).rows.to_pylist()
    assert {name: row[name] for name in (*ROW, "land")} == {**ROW, "land": None}
    assert row["_problem"] is None


@each_format
def test_an_optional_column_that_is_there_is_read_under_any_spelling(kind: str) -> None:
    (row,) = read(kind, {**ROW, "Land": "DE"}).rows.to_pylist()
    assert (row["land"], row["_extra"]) == ("DE", None)


@each_format
def test_a_column_that_is_not_optional_is_missed(kind: str) -> None:
    with pytest.raises(DeliveryRejected, match="'account_id'"):
        read(kind, {name: value for name, value in ROW.items() if name != "account_id"})


@each_format
def test_columns_that_nobody_declared_are_kept(kind: str) -> None:
    (row,) = read(kind, {**ROW, "note": "n", "Zusatz ü": "z"}).rows.to_pylist()
    assert json.loads(row["_extra"]) == {"note": "n", "Zusatz ü": "z"}


@each_format
def test_the_titles_are_those_of_the_file_with_their_types(kind: str) -> None:
    delivered = {**ROW, "Land": "DE", "note": "n"}
    assert read(kind, delivered).titles == dict.fromkeys(delivered, TEXT.get(kind, "text"))


def test_titles_that_repeat_or_are_empty_have_names_of_their_own() -> None:
    header, values = ",".join([*ROW, "note", "note", "", ""]), ",".join([*ROW.values(), *"abcd"])
    reading = read_delivery("f", f"{header}\n{values}\n".encode(), spec_of("csv"))
    names = ["note", "note (column 7)", "(column 8)", "(column 9)"]
    assert list(reading.titles) == [*ROW, *names]
    assert json.loads(reading.rows["_extra"][0].as_py()) == dict(zip(names, "abcd", strict=True))


def test_a_json_key_that_some_records_lack_is_null_there() -> None:
    first, second = read("jsonl", {**ROW, "land": "DE"}, ROW).rows.to_pylist()
    assert (first["land"], second["land"]) == ("DE", None)


def test_json_titles_are_all_keys_of_all_records_with_all_their_types() -> None:
    lines = [{**ROW, "a": 1, "n": None}, {**ROW, "a": "x", "b": {"c": [True]}}, {**ROW, "l": [], "t": True}]
    titles = read("jsonl", *lines).titles  # type: ignore[arg-type]
    found = {name: kind for name, kind in titles.items() if name not in ROW}
    assert found == {"a": "number or string", "n": "", "b": "object", "l": "array", "t": "boolean"}


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([1.5]), "double"),
        (pa.array(["x"]).dictionary_encode(), "string"),
        (pa.array(["x"], pa.large_string()), "string"),
        (pa.array([1], pa.timestamp("us", "UTC")), "timestamp[us, tz=UTC]"),
        (pa.array([1], pa.decimal128(10, 2)), "decimal128(10, 2)"),
    ],
)
def test_parquet_titles_have_the_type_of_the_values_however_packed(column: pa.Array, expected: str) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({**{name: pa.array([value]) for name, value in ROW.items()}, "x": column}), sink)
    assert read_delivery("f", sink.getvalue(), spec_of("parquet")).titles["x"] == expected


def test_excel_titles_have_the_types_of_all_their_cells() -> None:
    rows = [{**ROW, "a": 1, "b": True, "c": None}, {**ROW, "a": "x", "b": None, "c": None}]
    titles = read("excel", *rows).titles  # type: ignore[arg-type]
    assert [titles[name] for name in "abc"] == ["number or text", "boolean", ""]


@pytest.mark.parametrize("name", ["event_at", "amount", "transaction_id"])
def test_what_makes_a_transaction_cannot_be_optional(tmp_path: Path, name: str) -> None:
    message = refusal(tmp_path, changed(f"columns.{name}.optional", value=True))
    assert f"columns.{name}.optional: expected false: no row is a transaction without it; found True" in message


@each_format
def test_an_amount_that_older_files_have_in_another_column_can_be_optional(kind: str) -> None:
    other = {"source": "original"}
    older = {**{name: value for name, value in ROW.items() if name != "amount"}, "original": "5"}
    (row,) = read(kind, older, amount={"optional": True, "otherwise": other}).rows.to_pylist()
    assert (row["amount"], row["original"]) == (None, "5")
    with pytest.raises(
        ValueError, match=r"columns\.amount\.optional\s+expected false: no row is a transaction without it"
    ):
        spec_of(kind, amount={"optional": True, "otherwise": {**other, "optional": True}})


def test_columns_of_the_key_cannot_be_optional() -> None:
    with pytest.raises(ValueError, match="no row is a transaction without it"):
        minimal_spec(key=["account_id"], columns={"account_id": {"optional": True}})


def test_labels_and_parts_of_columns_can_be_optional() -> None:
    labels = {"source": "fraud", "optional": True}
    assert optional_columns(minimal_spec(columns=OPTIONAL, labels=labels)) == ["land", "fraud"]


@pytest.mark.parametrize(
    ("file", "has_reference"),
    [("procurement-card-spending-jan-mar-2017.csv", True), ("procurement-card-spending-july-2017.csv", False)],
)
def test_one_spec_reads_both_layouts_of_oxford(shared_data: Path, file: str, *, has_reference: bool) -> None:
    spec = minimal_spec(
        columns={
            "transaction_id": None,
            "account_id": None,
            "counterparty_id": {"source": "Merchant", "aliases": ["MCH.MERCHANT NAME"]},
            "event_at": {"source": "Date", "aliases": ["FIN.TRANSACTION DATE"], "formats": ["%d/%m/%Y"]},
            "amount": {"source": "Value", "aliases": ["FIN.TRANSACTION AMOUNT"], "thousands_mark": ","},
            "description": {"source": "Reference", "optional": True},
        },
        event_precision="day",
    )
    rows = read_delivery(file, (shared_data / "oxford_gpc" / file).read_bytes(), spec).rows
    assert rows["_problem"].null_count == rows.num_rows
    assert rows["Reference"].null_count == (0 if has_reference else rows.num_rows)


def test_the_columns_that_the_page_about_institutions_shows_are_accepted() -> None:
    page = (Path(__file__).parents[1] / "docs" / "institutions.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml headers\n(.*?)```", page, re.DOTALL)
    spec = minimal_spec(columns=yaml.safe_load(example))
    assert (spec.declared["amount"], optional_columns(spec)) == (("amount", "Net Amount", "NetAmount"), ["Reference"])
