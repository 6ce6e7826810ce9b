"""Files that others collected because readers get them wrong."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pytest

from etl_assets.institution_spec import Columns, InstitutionSpec
from etl_assets.sources.csv_reading import read_csv
from etl_assets.sources.layout import DeliveryRejected
from etl_assets_tests.account import assert_accounted
from etl_assets_tests.specs import MINIMAL, minimal_spec

PROJECT = Path(__file__).resolve().parent.parent
BAD_CSV = Path(os.environ.get("ETL_SHARED_DATA", PROJECT.parent / "shared" / "data")) / "badcsv"
SPECTRUM = sorted(BAD_CSV.glob("csvs/*.csv"))
COLLECTED = sorted(
    path for folder in ("csvlint", "csvkit", "duckdb_rejects") for path in BAD_CSV.glob(f"{folder}/**/*.csv")
)
UNUSABLE_HEADERS = {"flush.csv", "unquoted_last_value.csv", "title-row.csv", "invalid-byte-sequence.csv"}

pytestmark = pytest.mark.skipif(not SPECTRUM, reason="the collection of bad CSV files is not on this machine")


def spec_for(header: list[str], encoding: str = "utf-8") -> InstitutionSpec:
    """A spec that declares every titled column of `header`, the first two as time and amount."""
    titles = list(dict.fromkeys(filter(None, header)))
    canonical = [
        "event_at",
        "amount",
        *(name for name in Columns.model_fields if name not in {"event_at", "amount", "currency"}),
    ]
    mapped = {name: {"source": title} for name, title in zip(canonical, titles, strict=False)}
    unmapped = dict.fromkeys(MINIMAL["columns"].keys() - mapped.keys() - {"currency"})
    return minimal_spec(columns=mapped | unmapped, deliveries={"csv": {"encoding": encoding}})


def header_of(content: bytes, encoding: str = "utf-8-sig") -> list[str]:
    rows = csv.reader(io.StringIO(content.decode(encoding, "replace"), newline=""))
    return next(row for row in rows if row)


@pytest.mark.parametrize("path", SPECTRUM, ids=lambda p: p.name)
def test_csv_spectrum_reads_as_its_oracle(path: Path) -> None:
    content = path.read_bytes()
    if path.stem.endswith("_crlf") and b"\r" not in content:
        content = content.replace(b"\n", b"\r\n")
    spec = spec_for(header_of(content))
    expected = json.loads((BAD_CSV / "json" / f"{path.stem}.json").read_text(encoding="utf-8"))
    records = expected if isinstance(expected, list) else [expected]
    names = [name for name in records[0] if name != "Contact Phone Number"]  # the oracle has another number there
    reading = read_csv(content, spec)
    assert reading.rows.select(names).to_pylist() == [{name: record[name] for name in names} for record in records]
    assert reading.rows["_problem"].null_count == len(records)


@pytest.mark.parametrize("path", COLLECTED, ids=lambda p: p.name)
def test_every_line_of_a_collected_file_is_accounted_for(path: Path) -> None:
    content = path.read_bytes()
    spec = spec_for(header_of(content)) if path.name not in UNUSABLE_HEADERS else minimal_spec()
    if path.name in UNUSABLE_HEADERS:
        with pytest.raises(DeliveryRejected, match="the header is"):
            read_csv(content, spec)
    else:
        assert_accounted(content, header_of(content), read_csv(content, spec), spec)


def test_a_collected_file_in_another_encoding_is_readable_once_that_is_declared() -> None:
    content = (BAD_CSV / "csvlint" / "invalid-byte-sequence.csv").read_bytes()
    with pytest.raises(DeliveryRejected, match=r"correct deliveries\.csv\.encoding"):
        read_csv(content, minimal_spec())
    reading = read_csv(content, spec_for(header_of(content, "cp1252"), "cp1252"))
    assert reading.rows["_problem"].null_count == content.count(b"\n") - 1
    assert reading.rows["Histórico"][1].as_py().startswith("Transferência on line")


@pytest.mark.parametrize(
    ("name", "damaged_lines"),
    [
        ("csvkit/bad.csv", [2, 3]),
        ("csvkit/bad_skip_lines.csv", [5, 6]),
        ("csvkit/null_byte.csv", [2]),
        ("csvkit/test_latin1.csv", [3]),
        ("csvkit/mac_newlines.csv", []),
        ("csvkit/test_header_newline.csv", []),
        ("csvlint/inconsistent-line-endings.csv", []),
        ("csvlint/invalid_many_rows.csv", [4]),
        ("duckdb_rejects/incorrect_columns/small_mix.csv", [3, 4]),
        ("duckdb_rejects/multiple_errors/multiple_errors.csv", [4, 5, 6, 7, 8]),
        ("duckdb_rejects/multiple_errors/invalid_utf_more.csv", [3]),
        ("duckdb_rejects/unquoted/basic.csv", [5]),
        ("duckdb_rejects/unquoted/unquoted_new_line.csv", [5, 6]),
    ],
)
def test_the_damaged_lines_are_the_ones_that_a_person_would_name(name: str, damaged_lines: list[int]) -> None:
    content = (BAD_CSV / name).read_bytes()
    rows = read_csv(content, spec_for(header_of(content))).rows.to_pylist()
    assert [row["_row_number"] for row in rows if row["_problem"] is not None] == damaged_lines
