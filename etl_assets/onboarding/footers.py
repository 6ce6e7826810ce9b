"""Whether the last line of a text sample is a footer, and the pattern that reads it and others like it.

Proposes. That the platform's reader finds what the footer says to be true is proven in `first_yaml.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa

from etl_assets.onboarding.draft import Guess
from etl_assets.onboarding.samples import Sample
from etl_assets.onboarding.yaml_writing import in_one_line

FOOTER = ("deliveries", "csv", "footer")
USUALLY, SPARSE, UNLIKE = 0.9, 0.5, 0.5
FEWEST_LINES, LOOKED_AT = 5, 1_000
FOOTER_WORDS = frozenset(
    ["total", "sum", "summe", "count", "rows", "records", "anzahl", "end", "ende", "eof", "footer", "trailer", "t"]
)
NUMBER = re.compile(r"\d[\d.,']*\d|\d")


def without_footer(sample: Sample, text: str) -> tuple[Sample, str | None]:
    """The sample without its last line where that is no record, and that line."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < FEWEST_LINES or not (sample.ends_damaged or _is_sparse(sample) or _is_unlike(sample)):
        return sample, None
    if sample.ends_damaged:
        return replace(sample, damaged=sample.damaged - 1, records=sample.records - 1), lines[-1]
    shorter = {title: column.slice(0, len(column) - 1) for title, column in sample.columns.items()}
    return replace(sample, columns=shorter, records=sample.records - 1), lines[-1]


def footer_guesses(line: str, records: int) -> Iterator[Guess]:
    """The line as a pattern that says the number of records or a total, those that say most first; to be tried."""
    question = "Does every file end in such a line? If some do not: `required: false`."
    why = "the last line is no record, and what it says of the file is true"
    numbers = list(NUMBER.finditer(line))
    rows = next((m for m in numbers if m[0].isdigit() and int(m[0]) == records), None)
    counted = {"rows": rows} if rows is not None else {}
    for groups in [*({**counted, "total": m} for m in numbers if m is not rows), counted]:
        if groups:
            yield Guess(FOOTER, {"pattern": _pattern(line, groups)}, why, "open", question)


def footer_question(line: str) -> str:
    """What is asked where nothing in the line can be proven. It may be a person's record: its words are left out."""
    words = re.sub(r"[^\W\d_]+", lambda m: m[0] if m[0].lower() in FOOTER_WORDS else "\0", line)
    proposed = in_one_line({"pattern": _pattern(words, {}).replace("\0", r"[^\W\d]+")})
    return f"QUESTION: The last line looks like no record. If every file ends so, add under csv: footer: {proposed}"


def _pattern(line: str, groups: dict[str, re.Match[str]]) -> str:
    names = {match.start(): name for name, match in groups.items()}
    pattern, at = "", 0
    for match in NUMBER.finditer(line):
        written = r"\d+" if match[0].isdigit() else r"[\d.,']+"
        signed = names.get(match.start()) == "total" and line[: match.start()].endswith("-")
        pattern += _escaped(line[at : match.start() - signed])
        inner = "-?" * (match.start() in names and names[match.start()] == "total") + _number(match[0], written)
        pattern += f"(?P<{names[match.start()]}>{inner})" if match.start() in names else written
        at = match.end()
    return pattern + _escaped(line[at:])


def _number(text: str, written: str) -> str:
    return r"\d[\d" + "".join(sorted({c for c in text if not c.isdigit()})) + "]*" if not text.isdigit() else written


def _escaped(text: str) -> str:
    return re.sub(r"[.^$*+?{}()|\[\]\\]", r"\\\g<0>", text)


def _is_sparse(sample: Sample) -> bool:
    """Whether the last record is empty in most of the columns that nearly all records fill."""
    usual = [column for column in sample.columns.values() if column.null_count < (1 - USUALLY) * len(column)]
    return bool(usual) and sum(_is_last_empty(column) for column in usual) > SPARSE * len(usual)


def _is_unlike(sample: Sample) -> bool:
    """Whether the last record is written otherwise than all others in most columns that are always written alike."""
    shapes = [
        [_shape(text) for text in column.slice(max(0, len(column) - LOOKED_AT)).to_pylist()]
        for column in sample.columns.values()
    ]
    alike = [column for column in shapes if len(column) >= FEWEST_LINES and len(set(column[:-1])) == 1]
    return bool(alike) and sum(column[-1] != column[0] for column in alike) > UNLIKE * len(alike)


def _shape(text: str | None) -> str:
    return re.sub("[^\\W\\d]+", "a", re.sub(r"\d+", "0", text or ""))


def _is_last_empty(column: pa.ChunkedArray) -> bool:
    return len(column) > 1 and not (column[-1].as_py() or "").strip()
