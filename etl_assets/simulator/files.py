"""Cells to the bytes of a file, and bytes into a folder under a name and a modification time.

Deterministic and quiet: the same bytes are never written twice. What is in the cells belongs elsewhere.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from etl_assets.institution_spec import Csv
from etl_assets.simulator.spoiling import LINE_DAMAGES, SUBSTITUTE


@dataclass(frozen=True)
class Dialect:
    """How text becomes a file: the spec's dialect and what no spec says.

    `undecodable` takes the place of the substitute character once the text is bytes, where no encoder can object.
    """

    csv: Csv
    line_end: str
    undecodable: bytes


def csv_bytes(cells: pl.DataFrame, header: Mapping[str, str], dialect: Dialect, blank_lines: Sequence[str]) -> bytes:
    """The columns that `header` spells, in its order, with the damage to whole lines done."""
    csv = dialect.csv
    separator = csv.separator.encode()
    text = cells.select(*header).write_csv(separator=csv.separator, quote_char=csv.quote or '"', include_header=False)
    encoded = text.encode(csv.encoding).replace(SUBSTITUTE.encode(), dialect.undecodable)
    lines = [
        LINE_DAMAGES[defect](line, separator) if defect in LINE_DAMAGES else line
        for line, defect in zip(encoded.split(b"\n")[:-1], cells["defect"], strict=True)
    ]
    if "blank_line" in blank_lines:
        lines.insert(len(lines) // 2, b"")
    if "trailing_blank_line" in blank_lines:
        lines.append(b"")
    head = csv.separator.join(header.values()).encode(csv.encoding)
    return dialect.line_end.encode().join([head, *lines, b""])


def parquet_bytes(cells: pl.DataFrame, schema: pa.Schema) -> bytes:
    """The columns that `schema` names, in its types."""
    file = io.BytesIO()
    pq.write_table(cells.select(schema.names).to_arrow().cast(schema), file)
    return file.getvalue()


def deliver(path: Path, content: bytes, delivered_at: datetime) -> bool:
    """`path` holds exactly `content`, last changed at `delivered_at`; says whether anything had to be done.

    Written beside and renamed: a reader that looks during the write would otherwise see a shorter, valid day.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    modified_ns = int(delivered_at.timestamp()) * 1_000_000_000
    is_same = path.exists() and path.read_bytes() == content
    if is_same and path.stat().st_mtime_ns == modified_ns:
        return False
    beside = path if is_same else path.with_name(f".{path.name}.part")
    if not is_same:
        beside.write_bytes(content)
    os.utime(beside, ns=(modified_ns, modified_ns))
    beside.replace(path)
    return True
