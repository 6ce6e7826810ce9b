"""A CSV delivery from header to rows: strict first, forensic second.

Composition only: lines belong to `decoding.py`, those that are no records to `framing.py`, records to
`csv_grammar.py`, the tiers to files of their own.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.sources.csv_forensic import isolated
from etl_assets.sources.csv_grammar import Grammar
from etl_assets.sources.csv_strict import Line, Split, strict
from etl_assets.sources.decoding import Text, decoded
from etl_assets.sources.framing import lines_before, refuse_unproven, without_footer
from etl_assets.sources.layout import DeliveryRejected, Layout, Reading, laid_out


def read_csv(original: bytes, spec: InstitutionSpec, *, is_forensic: bool = False) -> Reading:
    """Every record of the file. `is_forensic` goes past the strict tier, which must not change a good file."""
    dialect = spec.deliveries.csv
    grammar, whole = Grammar.of(dialect), decoded(original, dialect.encoding)
    header, header_lines, lines_above = _header(whole, grammar, lines_before(whole, dialect))
    layout = laid_out(header, spec)
    body = without_footer(whole, dialect.footer, header_lines)
    text = body.text
    split = None if is_forensic else strict(text, grammar, len(header), header_lines)
    problems: Mapping[int, str] = {}
    if split is None:
        found = isolated(text, grammar, len(header), header_lines)
        split, problems = found.split, found.problems
    good, damaged = _good_rows(text, split, layout), layout.damaged_rows(list(text.damaged(problems)))
    rows = pa.concat_tables([good, damaged])
    refuse_unproven(body.controls, rows, spec.columns.amount)
    blank_lines = int(np.count_nonzero(split.lines == Line.BLANK))
    return Reading(rows, lines_above + 1 + blank_lines + body.footer_lines)


def _header(text: Text, grammar: Grammar, preamble_lines: int) -> tuple[list[str], int, int]:
    """Titles, number of the first line after them, and lines before them."""
    filled = preamble_lines + np.flatnonzero(text.ends[preamble_lines:] > text.starts[preamble_lines:-1])
    if not len(filled):
        what = f"{preamble_lines} lines of preamble and " if preamble_lines else ""
        raise DeliveryRejected(
            f"there is nothing but {what}blank lines in it; expected a header. Ask for the file again"
        )
    first = last = int(filled[0])
    is_open = grammar.opens(text.content, text.starts[first], text.ends[first])
    while is_open and last + 1 < text.line_count and text.ends[last] - text.starts[first] <= grammar.max_field_bytes:
        last += 1
        is_open = grammar.stays_open(text.content, text.starts[last], text.ends[last])
    fields, problems = grammar.split(text.content[text.starts[first] : text.ends[last]])
    try:
        titles = [field.decode() for field in fields]
    except UnicodeDecodeError as error:
        raise DeliveryRejected(
            f"the header is no {text.encoding} ({error}); correct deliveries.csv.encoding or ask for the file again"
        ) from error
    if problems:
        raise DeliveryRejected(f"the header cannot be split ({'; '.join(problems)}); ask for a corrected file")
    return titles, last + 1, first


def _good_rows(text: Text, split: Split, layout: Layout) -> pa.Table:
    records = np.flatnonzero(split.lines == Line.RECORD)
    return layout.rows(split.values.columns, records + 1, text.original_starts[records])
