"""A digest of rows tells other values from the same values in other bytes."""

from __future__ import annotations

from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_assets.sources.row_digest import rows_digest

TEXTS = st.none() | st.text(max_size=3)
ROWS = st.lists(st.tuples(TEXTS, TEXTS, st.booleans()), min_size=1, max_size=12)
Rows = list[tuple[str | None, str | None, bool]]


def table(rows: Rows, first_line: int = 2) -> pa.Table:
    """Rows as a reader gives them; where the flag is set, the record is damaged and `a` is its bytes."""
    return pa.table(
        {
            "_row_number": pa.array(range(first_line, first_line + len(rows)), pa.int64()),
            "_byte_offset": pa.array([first_line * 7] * len(rows), pa.int64()),
            "_problem": pa.array([f"line {first_line}" if bad else None for *_, bad in rows], pa.string()),
            "_record": pa.array([(a or "").encode() if bad else None for a, _, bad in rows], pa.binary()),
            "a": pa.array([None if bad else a for a, _, bad in rows], pa.string()),
            "b": pa.array([None if bad else b for _, b, bad in rows], pa.large_string()),
        }
    )


def values(rows: Rows) -> tuple[list[tuple[str, str]], list[str]]:
    """What the digest stands for: good rows and damaged records, each in order, null being the empty text."""
    return [(a or "", b or "") for a, b, bad in rows if not bad], [a or "" for a, _, bad in rows if bad]


@settings(deadline=None)
@given(ROWS, st.lists(st.integers(0, 12), max_size=4))
def test_the_ends_of_batches_and_the_place_in_the_file_make_no_difference(rows: Rows, cuts: list[int]) -> None:
    bounds = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    whole = table(rows)
    sliced = [whole.slice(a, b - a) for a, b in pairwise(bounds)]
    copied = [table(rows[a:b], first_line=90) for a, b in pairwise(bounds)]
    assert rows_digest(sliced) == rows_digest(copied) == rows_digest([whole])


@settings(deadline=None)
@given(ROWS, ROWS)
def test_two_tables_have_one_digest_exactly_if_they_have_the_same_values(one: Rows, other: Rows) -> None:
    assert (rows_digest([table(one)]) == rows_digest([table(other)])) == (values(one) == values(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([("ab", "c", False)], [("a", "bc", False)]),
        ([("ab", "", False), ("", "", False)], [("a", "", False), ("b", "", False)]),
        ([("a", "", False), ("b", "", False)], [("b", "", False), ("a", "", False)]),
        ([("a", "", False)], [("a", "", False), ("a", "", False)]),
        ([("a", "", False)], [("", "a", False)]),
        ([("a", "", False)], [("a", "", True)]),
    ],
)
def test_a_value_that_moves_is_another_value(one: Rows, other: Rows) -> None:
    assert rows_digest([table(one)]) != rows_digest([table(other)])


def test_no_rows_have_no_digest() -> None:
    assert rows_digest([]) is None
    assert rows_digest([table([]), table([])]) is None
