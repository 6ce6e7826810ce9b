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
# What the oracle of csv-spectrum says otherwise than its file.
MISTAKES_OF_THE_ORACLE = {"location_coordinates": {"Contact Phone Number": "2095257564"}}
# Good records, lines of damaged ones, control lines.
EXPECTED = {
    "csvkit/bad.csv": (1, [2, 3], 1),
    "csvkit/bad_skip_lines.csv": (1, [5, 6], 4),
    "csvkit/mac_newlines.csv": (2, [], 1),
    "csvkit/null_byte.csv": (0, [2], 1),
    "csvkit/test_empty_columns_long_row.csv": (0, [2], 1),
    "csvkit/test_empty_columns_short_row.csv": (0, [2], 1),
    "csvkit/test_header_newline.csv": (1, [], 1),
    "csvkit/test_latin1.csv": (1, [3], 1),
    "csvkit/test_utf8_bom.csv": (2, [], 1),
    "csvlint/cr-line-endings.csv": (2, [], 1),
    "csvlint/crlf-line-endings.csv": (2, [], 1),
    "csvlint/inconsistent-line-endings-unquoted.csv": (2, [], 1),
    "csvlint/inconsistent-line-endings.csv": (2, [], 1),
    "csvlint/invalid_many_rows.csv": (9, [4], 2),
    "csvlint/lf-line-endings.csv": (2, [], 1),
    "csvlint/valid.csv": (2, [], 1),
    "csvlint/valid_many_rows.csv": (6, [], 1),
    "csvlint/white space in filename.csv": (2, [], 1),
    "csvlint/windows-line-endings.csv": (1, [], 1),
    "duckdb_rejects/dr_who.csv": (1, [], 1),
    "duckdb_rejects/frankstein/nightmare.csv": (43, [10, 14, 22, 38], 1),
    "duckdb_rejects/incorrect_columns/few_columns.csv": (2768, [1814, 1823, 2378, 2762], 1),
    "duckdb_rejects/incorrect_columns/many_columns.csv": (2768, [1096, 1159, 1206, 2769], 1),
    "duckdb_rejects/incorrect_columns/mix_columns.csv": (2768, [1604, 1671, 2751, 2768], 1),
    "duckdb_rejects/incorrect_columns/small_mix.csv": (2, [3, 4], 1),
    "duckdb_rejects/maximum_line/max_10.csv": (7, [], 1),
    "duckdb_rejects/maximum_line/over_vector.csv": (2925, [], 1),
    "duckdb_rejects/multiple_errors/cast_and_less_col.csv": (2, [4, 5], 1),
    "duckdb_rejects/multiple_errors/cast_and_maxline.csv": (3, [], 1),
    "duckdb_rejects/multiple_errors/cast_and_more_col.csv": (2, [4, 5], 1),
    "duckdb_rejects/multiple_errors/invalid_utf_cast.csv": (1, [3], 1),
    "duckdb_rejects/multiple_errors/invalid_utf_less.csv": (1, [3], 1),
    "duckdb_rejects/multiple_errors/invalid_utf_max_line.csv": (1, [3], 1),
    "duckdb_rejects/multiple_errors/invalid_utf_more.csv": (1, [3], 1),
    "duckdb_rejects/multiple_errors/invalid_utf_unquoted.csv": (1, [3], 1),
    "duckdb_rejects/multiple_errors/less_col_and_max_line.csv": (2, [4], 1),
    "duckdb_rejects/multiple_errors/more_col_and_max_line.csv": (2, [4], 1),
    "duckdb_rejects/multiple_errors/multiple_cast_implicit.csv": (3, [], 1),
    "duckdb_rejects/multiple_errors/multiple_casts_flush.csv": (3, [], 1),
    "duckdb_rejects/multiple_errors/multiple_casts_mixed.csv": (3, [], 1),
    "duckdb_rejects/multiple_errors/multiple_errors.csv": (2, [4, 5, 6, 7, 8], 1),
    "duckdb_rejects/multiple_errors/unquoted_cast.csv": (2, [3], 2),
    "duckdb_rejects/multiple_errors/unquoted_less.csv": (2, [3], 2),
    "duckdb_rejects/multiple_errors/unquoted_maxline.csv": (2, [3], 2),
    "duckdb_rejects/multiple_errors/unquoted_more.csv": (2, [3], 2),
    "duckdb_rejects/unquoted/basic.csv": (6, [5], 1),
    "duckdb_rejects/unquoted/unquoted_new_line.csv": (6, [5, 6], 1),
}

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
    right = MISTAKES_OF_THE_ORACLE.get(path.stem, {})
    assert all(record[name] != value for record in records for name, value in right.items())
    reading = read_csv(content, spec)
    assert reading.rows.select(list(records[0])).to_pylist() == [record | right for record in records]
    assert reading.rows["_problem"].null_count == reading.rows["_extra"].null_count == len(records)


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


@pytest.mark.parametrize("path", COLLECTED, ids=lambda p: p.name)
def test_the_damaged_lines_are_the_ones_that_a_person_would_name(path: Path) -> None:
    name, content = path.relative_to(BAD_CSV).as_posix(), path.read_bytes()
    if path.name in UNUSABLE_HEADERS:
        assert name not in EXPECTED
        return
    for is_forensic in (False, True):
        reading = read_csv(content, spec_for(header_of(content)), is_forensic=is_forensic)
        damaged = [row["_row_number"] for row in reading.rows.to_pylist() if row["_problem"] is not None]
        assert (reading.rows.num_rows - len(damaged), damaged, reading.control_lines) == EXPECTED[name]


def test_every_collected_file_has_an_expectation() -> None:
    usable = {path.relative_to(BAD_CSV).as_posix() for path in COLLECTED if path.name not in UNUSABLE_HEADERS}
    assert usable == EXPECTED.keys()
    assert len(COLLECTED) == len(usable) + len(UNUSABLE_HEADERS)
    assert {path.stem for path in SPECTRUM} == {path.stem for path in BAD_CSV.glob("json/*.json")}


def test_a_line_above_the_header_is_read_over_once_that_is_declared() -> None:
    content = (BAD_CSV / "csvlint" / "title-row.csv").read_bytes()
    spec = spec_for(["Foo", "Bsr", "Baz"])
    declared = spec.deliveries.csv.model_copy(update={"preamble_lines": 1})
    deliveries = spec.deliveries.model_copy(update={"csv": declared})
    reading = read_csv(content, spec.model_copy(update={"deliveries": deliveries}))
    rows = reading.rows.select(["Foo", "Bsr", "Baz"]).to_pylist()
    assert [list(row.values()) for row in rows] == [["Biff", "Baff", "Boff"], ["Qux", "Teaspoon", "Doge"]]
    assert reading.control_lines == 2
