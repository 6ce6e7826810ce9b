"""A delivery without separators: each line is a record, and a field is where the spec says that it is.

Lines belong to `decoding.py`, those that are no records to `framing.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.sources.decoding import Text, decoded
from etl_assets.sources.framing import lines_before, without_footer
from etl_assets.sources.layout import Reading, laid_out
from etl_assets.sources.totals import Tally, refuse_unproven
from etl_assets.spec.lines import FixedWidth

BLOCK_LINES = 1 << 18


def read_fixed_width(original: bytes, spec: InstitutionSpec) -> Reading:
    """Every record of the file; a line that is longer or shorter than the columns together is a damaged one."""
    settings = spec.deliveries.fixed_width
    if settings is None:
        raise ValueError("the spec has no deliveries.fixed_width")
    layout = laid_out([column.name for column in settings.columns], spec)
    whole = decoded(original, settings.encoding)
    first = lines_before(whole, settings)
    body = without_footer(whole, settings.footer, first)
    lines = first + np.flatnonzero(body.text.ends[first:] > body.text.starts[first:-1])
    problems = _problems(body.text, lines, settings.record_width)
    good = lines[~np.isin(lines, list(problems))]
    values = _fields(body.text, good, settings)
    rows = layout.rows(values, good + 1, body.text.original_starts[good])
    rows = pa.concat_tables([rows, layout.damaged_rows(list(body.text.damaged(problems)))])
    tally = Tally(spec.columns.amount)
    tally.add(rows)
    refuse_unproven(body.controls, tally)
    return Reading(rows, whole.line_count - len(lines))


def _problems(text: Text, lines: np.ndarray, width: int) -> dict[int, str]:
    """Line by line, everything that is wrong with the damaged ones."""
    data = np.frombuffer(text.content, np.uint8)[: text.starts[-1]]
    characters = text.ends - text.starts[:-1]
    if not text.content.isascii():
        characters = characters - _counts(text, (data & 0xC0) == 0x80)
    is_doubtful = characters != width
    if b"\0" in text.content:
        is_doubtful |= _counts(text, data == 0) > 0
    if not _is_text(text):
        is_doubtful |= _counts(text, data >= 0x80) > 0
    found = ((line, "; ".join(_problems_of(text, line, width))) for line in lines[is_doubtful[lines]].tolist())
    return {line: problem for line, problem in found if problem}


def _counts(text: Text, is_wanted: np.ndarray) -> np.ndarray:
    """How many of the wanted bytes each line has."""
    return np.diff(np.searchsorted(np.flatnonzero(is_wanted), text.starts))


def _is_text(text: Text) -> bool:
    try:
        _lines(text).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _problems_of(text: Text, line: int, width: int) -> Iterator[str]:
    record = text.content[text.starts[line] : text.ends[line]]
    length = len(record.decode("utf-8", "replace"))
    if length != width:
        yield f"{length} characters where the columns have {width}"
    if b"\0" in record:
        yield "the record holds a NUL byte"
    try:
        record.decode()
    except UnicodeDecodeError as error:
        yield f"character {len(record[: error.start].decode()) + 1} of the record is no {text.encoding}"


def _fields(text: Text, good: np.ndarray, settings: FixedWidth) -> list[pa.ChunkedArray]:
    """One text column per declared column, cut out of the lines in blocks: a column may have more than 2 GiB.

    Where every character is a byte, bytes are cut: counting characters takes ten times as long.
    """
    lines, cut = _lines(text), pc.utf8_slice_codeunits
    if text.content.isascii():
        lines, cut = lines.cast(pa.large_binary()), pc.binary_slice
    blocks = [lines.take(pa.array(good[at : at + BLOCK_LINES])) for at in range(0, len(good), BLOCK_LINES)]
    columns = ([cut(block, c.start - 1, c.end).cast(pa.string()) for block in blocks] for c in settings.columns)
    finished = _without_padding if settings.trim else list
    return [pa.chunked_array(finished(parts), pa.string()) for parts in columns]


def _lines(text: Text) -> pa.LargeStringArray:
    """The lines with their line ends, where they are: nothing is copied."""
    starts = np.ascontiguousarray(text.starts, dtype=np.int64)
    return pa.LargeStringArray.from_buffers(text.line_count, pa.py_buffer(starts), pa.py_buffer(text.content))


def _without_padding(parts: Sequence[pa.Array]) -> list[pa.Array]:
    """Fields without the spaces at their end; one of nothing but spaces is null, as an empty one in a CSV is."""
    trimmed = [pc.ascii_rtrim(part, characters=" ") for part in parts]
    return [pc.if_else(pc.equal(part, ""), pa.scalar(None, pa.string()), part) for part in trimmed]
