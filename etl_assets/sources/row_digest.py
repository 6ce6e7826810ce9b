"""One hash for the rows of a delivery, whatever bytes they came in: a file that was only saved again keeps it.

Values only: where a record stands in the file, and in which batch it was read, makes no difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

POSITIONS = frozenset({"_row_number", "_byte_offset", "_problem", "_delivery_id", "_file", "_delivered_at"})
DIGEST_BYTES = 16


def rows_digest(batches: Iterable[pa.Table]) -> str | None:
    """The digest of all rows in their order; None where there are none, which repeat nothing."""
    digest = RowsDigest()
    for batch in batches:
        digest.add(batch)
    return digest.value()


class RowsDigest:
    """The digest of the rows so far.

    Each column has a hash of its texts and one of their lengths, so that the ends of batches leave no trace. Null and
    the empty text are one value, since programs that save a file again write either. Damaged records are hashed apart
    from the good ones: they stand at the end of a batch.
    """

    def __init__(self) -> None:
        self._hashes: dict[str, tuple[blake2b, blake2b]] = {}
        self.rows = 0

    def add(self, rows: pa.Table) -> None:
        self.rows += rows.num_rows
        for kind, part in _by_damage(rows):
            for name in sorted(set(part.column_names) - POSITIONS):
                texts, lengths = self._hashes.setdefault(kind + name, (blake2b(), blake2b()))
                for chunk in part[name].chunks:
                    content, sizes = _flat(chunk)
                    texts.update(content)
                    lengths.update(sizes)

    def value(self) -> str | None:
        """The digest as text; None before the first row."""
        if not self.rows:
            return None
        whole = blake2b(digest_size=DIGEST_BYTES)
        for name, (texts, lengths) in sorted(self._hashes.items()):
            whole.update(name.encode() + b"\0" + texts.digest() + lengths.digest())
        return whole.hexdigest()


def _by_damage(rows: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    if "_problem" not in rows.column_names or rows["_problem"].null_count == rows.num_rows:
        if rows.num_rows:
            yield "good ", rows
        return
    is_good = pc.is_null(rows["_problem"])
    for kind, part in (("good ", rows.filter(is_good)), ("bad ", rows.filter(pc.invert(is_good)))):
        if part.num_rows:
            yield kind, part


def _flat(column: pa.Array) -> tuple[memoryview, memoryview]:
    """The column's texts without gaps, one behind the other, and their lengths."""
    if column.null_count == len(column):
        return memoryview(b""), np.zeros(len(column), "<i8").data
    is_bytes = pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)
    values = column.cast(pa.large_binary() if is_bytes else pa.large_string())
    if column.null_count:
        values = pc.fill_null(values, b"" if is_bytes else "")
    _, offsets, content = values.buffers()
    bounds = np.frombuffer(offsets, "<i8")[values.offset : values.offset + len(values) + 1]
    start, end = (int(bounds[0]), int(bounds[-1])) if len(bounds) else (0, 0)
    held = memoryview(content)[start:end] if content is not None else memoryview(b"")
    return held, np.diff(bounds).data
