"""Any table that Python's own csv module writes in any dialect comes back as it was, damaged records apart."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.sources import cutting
from etl_assets.sources.csv_reading import csv_parts, read_csv
from etl_assets.sources.layout import Reading, joined
from etl_assets_tests.spec_files import changed, refusal
from etl_assets_tests.specs import minimal_spec

HEADER = ["event_at", "amount", "text"]
NO_IDS = {"transaction_id": None, "account_id": None, "counterparty_id": None}
one_line = st.text("ab1é ,;|\t'\"\\", max_size=10)
several_lines = st.text("ab1é '\"\\\n\r", max_size=10)  # a line that looks like a record of its own would be one
texts = one_line | several_lines
tables = st.lists(st.lists(texts, min_size=3, max_size=3), max_size=8)


def spec_of(**dialect: Any) -> InstitutionSpec:
    return minimal_spec(columns={**NO_IDS, "description": {"source": "text"}}, deliveries={"csv": dialect})


def written(rows: list[list[str]], **how: Any) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, **how).writerows([HEADER, *rows])
    return out.getvalue().encode()


def values(reading: Reading) -> list[list[str]]:
    rows = sorted(reading.rows.to_pylist(), key=lambda row: int(row["_row_number"]))
    assert [row["_problem"] for row in rows] == [None] * len(rows)
    return [[row[name] or "" for name in HEADER] for row in rows]


@settings(max_examples=200, deadline=None)
@given(tables, st.sampled_from(",;|\t"), st.sampled_from("\"'"), st.booleans(), st.sampled_from(["\n", "\r\n"]))
def test_quotes_may_be_escaped_or_doubled(
    rows: list[list[str]],
    separator: str,
    quote: str,
    is_escaped: bool,  # noqa: FBT001
    line_end: str,
) -> None:
    how = {"escapechar": "\\", "doublequote": False} if is_escaped else {}
    content = written(rows, delimiter=separator, quotechar=quote, lineterminator=line_end, quoting=csv.QUOTE_ALL, **how)
    spec = spec_of(separator=separator, quote=quote, escape="\\" if is_escaped else None)
    assert values(read_csv(content, spec)) == rows
    assert values(read_csv(content, spec, is_forensic=True)) == rows
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "END_BYTES", 4)
        assert values(joined(list(csv_parts(io.BytesIO(content), spec, 40)))) == rows


@given(st.lists(st.lists(st.text("ab1é;\t'\"\\", min_size=1, max_size=10), min_size=3, max_size=3), max_size=8))
def test_without_quotes_a_quote_is_text_as_any_other(rows: list[list[str]]) -> None:
    content = "".join("|".join(row) + "\n" for row in [HEADER, *rows]).encode()
    spec = spec_of(separator="|", quote=None)
    assert values(read_csv(content, spec)) == rows
    assert values(read_csv(content, spec, is_forensic=True)) == rows


def test_a_damaged_record_of_a_dialect_with_escapes_keeps_its_bytes_and_costs_itself_only() -> None:
    content = b'event_at,amount,text\n1,2,"a \\"b\\""\n1,2,"open \\"\n1,2,"c\\\\"\n'
    rows = read_csv(content, spec_of(escape="\\")).rows.to_pylist()
    assert [row["text"] for row in rows if row["_problem"] is None] == ['a "b"', "c\\"]
    (damaged,) = (row for row in rows if row["_problem"] is not None)
    assert (damaged["_record"], damaged["_row_number"]) == (b'1,2,"open \\"', 3)


def test_a_nul_where_nothing_is_quoted_damages_its_record_only() -> None:
    content = b"event_at|amount|text\n1|2|a\n1|\x00|b\n1|2|c\n"
    rows = read_csv(content, spec_of(separator="|", quote=None)).rows.to_pylist()
    assert [row["_row_number"] for row in rows if row["_problem"] is not None] == [3]


@pytest.mark.parametrize(
    ("dialect", "said"),
    [
        ({"escape": '"'}, "a doubled quote needs no escape"),
        ({"escape": "\\", "quote": None}, "expected a quote beside it"),
        ({"escape": "\\\\"}, "at most 1 character"),
    ],
)
def test_a_dialect_that_contradicts_itself_is_refused(tmp_path: Any, dialect: dict[str, Any], said: str) -> None:
    assert said in refusal(tmp_path, changed("deliveries.csv", dialect))
