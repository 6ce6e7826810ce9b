"""An independent account of a file: every byte of it is a good record, a damaged one, or a control line."""

from __future__ import annotations

import csv
import io

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.sources.layout import Reading

csv.field_size_limit(1 << 24)


def assert_accounted(content: bytes, header: list[str], reading: Reading, spec: InstitutionSpec) -> None:
    """Between one row's offset and the next there is that record, its line end and blank lines, and nothing else.

    Good records are split once more by the standard library; only UTF-8 files, in which offsets are simple.
    """
    rows = sorted(reading.rows.to_pylist(), key=lambda row: int(row["_byte_offset"]))
    offsets = [*(row["_byte_offset"] for row in rows), len(content)]
    blank_lines = _blank_lines(content[: offsets[0]])
    for row, end in zip(rows, offsets[1:], strict=True):
        start = row["_byte_offset"]
        assert row["_row_number"] == len(_lines(content[:start])) + 1
        blank_lines += _blank_lines(content[start:end])
        record = content[start:end].rstrip(b"\r\n")
        if row["_problem"] is not None:
            assert row["_record"] == record
        else:
            delivered = dict(zip(header, _fields(record, spec), strict=True))
            assert {name: row[name] or "" for name in spec.declared} == {
                name: delivered[name] for name in spec.declared
            }
    assert reading.control_lines == 1 + blank_lines


def _fields(record: bytes, spec: InstitutionSpec) -> list[str]:
    dialect = spec.deliveries.csv
    text = io.StringIO(record.decode(), newline="")
    (fields,) = csv.reader(text, delimiter=dialect.separator, quotechar=dialect.quote)
    return fields


def _lines(content: bytes) -> list[bytes]:
    return content.splitlines()


def _blank_lines(record: bytes) -> int:
    """Line ends before and after the record, less its own."""
    stripped = record.strip(b"\r\n")
    before, _, after = record.partition(stripped) if stripped else (b"", b"", record)
    return len(_lines(before)) + max(len(_lines(after)) - 1, 0)
