"""A Parquet delivery reads like a CSV one: text that gives the value back exactly."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_assets.sources import parquet
from etl_assets.sources.layout import DeliveryRejected, joined
from etl_assets.sources.parquet import as_text
from etl_assets.sources.reading import Reading, read_delivery, read_parts
from etl_assets_tests.specs import minimal_spec

SPEC = minimal_spec(deliveries={"format": "parquet"})
ROWS = {
    "transaction_id": pa.array([1, 2]),
    "account_id": pa.array(["a", None]),
    "counterparty_id": pa.array(["x", "x"]).dictionary_encode(),
    "event_at": pa.array([datetime(2024, 1, 2, 3, 4, 5, 6)] * 2, pa.timestamp("us")),  # noqa: DTZ001
    "amount": pa.array([Decimal("12.50"), Decimal(-3)], pa.decimal128(10, 2)),
}


def read_parquet_file(path: Path) -> Reading:
    return read_delivery(path.name, path.read_bytes(), SPEC)


def delivered(folder: Path, rows: dict[str, pa.Array]) -> Path:
    path = folder / "transactions_20240101.parquet"
    pq.write_table(pa.table(rows), path)
    return path


def test_a_file_in_parts_is_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = {name: pa.concat_arrays([column] * 50) for name, column in ROWS.items()}
    long["account_id"] = pa.array([f"a{n}" if n != 77 else "a\0" for n in range(100)])
    path = delivered(tmp_path, long)
    whole = read_parquet_file(path)
    monkeypatch.setattr(parquet, "BATCH_ROWS", 7)
    with path.open("rb") as file:
        parts = list(read_parts(path.name, file, SPEC))
    assert len(parts) == 15
    order = [("_row_number", "ascending")]
    assert joined(parts).rows.sort_by(order).equals(whole.rows.sort_by(order))
    assert whole.rows["_row_number"].to_pylist()[-1] == 78
    assert [row["_row_number"] for row in whole.rows.to_pylist() if row["_problem"]] == [78]


def test_declared_columns_are_text_and_rows_are_numbered(tmp_path: Path) -> None:
    reading = read_parquet_file(delivered(tmp_path, ROWS | {"is_online": pa.array([True, None])}))
    first, second = reading.rows.to_pylist()
    assert first == {
        "_row_number": 1,
        "_byte_offset": None,
        "_problem": None,
        "_record": None,
        "_extra": '{"is_online":"true"}',
        "transaction_id": "1",
        "account_id": "a",
        "counterparty_id": "x",
        "event_at": "2024-01-02T03:04:05.000006",
        "amount": "12.50",
    }
    assert (second["account_id"], second["amount"], second["_extra"]) == (None, "-3.00", '{"is_online":null}')
    assert (reading.control_lines, reading.records_read) == (0, 2)


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (Decimal("0.0000000001"), pa.decimal128(20, 10), "0.0000000001"),
        (datetime(2024, 7, 1, 10, tzinfo=UTC), pa.timestamp("ms", "Europe/Berlin"), "2024-07-01T12:00:00.000000+02:00"),
        (datetime(2024, 7, 1, 10, tzinfo=UTC), pa.timestamp("s", "UTC"), "2024-07-01T10:00:00.000000+00:00"),
        (1_000, pa.timestamp("ns"), "1970-01-01T00:00:00.000001"),
        (1, pa.timestamp("ns"), "1970-01-01T00:00:00.000000001"),
        (date(2024, 2, 29), pa.date32(), "2024-02-29"),
        (False, pa.bool_(), "false"),
        (0.1, pa.float32(), "0.1"),
        ({"a": [b"\xff"]}, pa.struct({"a": pa.list_(pa.binary())}), '{"a": ["ff"]}'),
    ],
)
def test_every_type_has_one_text(value: Any, kind: pa.DataType, expected: str) -> None:
    assert as_text(pa.chunked_array([pa.array([value, None], kind)])).to_pylist() == [expected, None]


@given(st.floats(allow_nan=False))
def test_floats_come_back_exactly(value: float) -> None:
    (text,) = as_text(pa.chunked_array([pa.array([value])])).to_pylist()
    assert float(text) == value


def test_a_value_that_text_columns_cannot_hold_damages_its_row_only(tmp_path: Path) -> None:
    rows = ROWS | {"account_id": pa.array(["a\0b", "fine"]), "note": pa.array(["n", "m"])}
    good, bad = read_parquet_file(delivered(tmp_path, rows)).rows.to_pylist()
    assert (good["_row_number"], good["account_id"]) == (2, "fine")
    assert (bad["_row_number"], bad["_problem"], bad["account_id"]) == (1, "account_id holds a NUL byte", None)
    assert ["account_id", "a\0b"] in json.loads(bad["_record"])


def test_a_file_that_is_no_parquet_is_rejected(tmp_path: Path) -> None:
    path = delivered(tmp_path, ROWS)
    for content in (b"a,b\n1,2\n", path.read_bytes()[:-10]):
        path.write_bytes(content)
        with pytest.raises(DeliveryRejected, match=r"transactions_20240101\.parquet: it is not a complete Parquet"):
            read_delivery(path.name, path.read_bytes(), SPEC)


def test_a_missing_column_is_rejected(tmp_path: Path) -> None:
    rows = {name: column for name, column in ROWS.items() if name != "amount"}
    with pytest.raises(DeliveryRejected, match="'amount' is missing"):
        read_parquet_file(delivered(tmp_path, rows))


def test_no_rows_are_no_rows(tmp_path: Path) -> None:
    empty = {name: column[:0] for name, column in ROWS.items()}
    assert read_parquet_file(delivered(tmp_path, empty)).records_read == 0
