"""A reference list is read as it stands; one that cannot be read refuses the run, not the rows."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from etl_assets.reference_lists import listed
from etl_assets.spec.rules import Reference, ReferenceUnusable
from etl_assets_tests.raw_rows import reasons
from etl_assets_tests.specs import minimal_spec


def reference(path: Path, column: str = "id") -> Reference:
    return Reference(file=str(path), column=column)


def test_a_csv_list_is_text_without_padding_gaps_and_repetitions(tmp_path: Path) -> None:
    path = tmp_path / "mcc.csv"
    path.write_bytes('\ufeffid,name\r\n0742,"Vets, all"\r\n 5411 ,x\r\n,y\r\n5411,z\r\nNA,\r\n'.encode())
    assert listed(reference(path)).to_pylist() == ["0742", "5411", "NA"]


@pytest.mark.parametrize("kind", [pa.int64(), pa.string(), pa.large_string()])
def test_a_parquet_list_may_hold_text_or_whole_numbers(tmp_path: Path, kind: pa.DataType) -> None:
    parquet.write_table(pa.table({"id": pa.array([7, None, 7]).cast(kind)}), tmp_path / "ids.parquet")
    assert listed(reference(tmp_path / "ids.parquet")).to_pylist() == ["7"]


def test_a_list_that_changed_is_read_again_and_one_that_did_not_is_not(tmp_path: Path) -> None:
    path = tmp_path / "ids.csv"
    path.write_text("id\na\n")
    first = listed(reference(path))
    assert listed(reference(path)) is first
    path.write_text("id\nb\n")
    os.utime(path, ns=(1, 1))
    assert listed(reference(path)).to_pylist() == ["b"]


def test_rows_that_are_not_listed_break_the_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETL_REFERENCES", str(tmp_path))
    (tmp_path / "shops.csv").write_text("id\nM1\n")
    listing = {"file": "${ETL_REFERENCES}/shops.csv", "column": "id"}
    spec = minimal_spec(row_rules=[{"name": "a_known_shop", "column": "counterparty_id", "reference": listing}])
    assert reasons(spec) == []
    assert reasons(spec, counterparty_id="M2") == ["a_known_shop"]
    assert reasons(spec, counterparty_id=None) == []
    (tmp_path / "shops.csv").unlink()
    with pytest.raises(ReferenceUnusable, match=r"\$\{ETL_REFERENCES\}/shops.csv.*cannot be read; put the list there"):
        reasons(spec)
    monkeypatch.delenv("ETL_REFERENCES")
    with pytest.raises(ReferenceUnusable, match="ETL_REFERENCES is not set in the environment"):
        reasons(spec)


@pytest.mark.parametrize(
    ("name", "content", "column"),
    [
        ("a.csv", b"id\na\n", "ids"),
        ("a.csv", b"id\n\n", "id"),
        ("a.csv", b"", "id"),
        ("a.csv", b"id\n\xff\n", "id"),
        ("a.parquet", b"PAR1", "id"),
        ("a.parquet", {"id": ["a"]}, "ids"),
        ("a.parquet", {"id": [5411.0]}, "id"),
    ],
)
def test_a_list_that_says_nothing_is_an_error_of_its_own(
    tmp_path: Path, name: str, content: bytes | dict[str, list[object]], column: str
) -> None:
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        parquet.write_table(pa.table(content), path)
    with pytest.raises(ReferenceUnusable, match=f"column '{column}' of reference.file .* cannot be read; put"):
        listed(reference(path, column))
