"""A transaction is pending or posted where the institution says so, in its words or in ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl_assets.tables import cleaned_table
from etl_assets_tests.raw_rows import cleaned, delivery, only_row, reasons
from etl_assets_tests.spec_files import changed, refusal
from etl_assets_tests.specs import minimal_spec

SPEC = minimal_spec(columns={"status": {"source": "state", "mapping": {"vorgemerkt": "pending", "gebucht": "posted"}}})


@pytest.mark.parametrize(
    ("text", "expected"),
    [("vorgemerkt", "pending"), (" gebucht ", "posted"), ("posted", "posted"), (None, None), (" ", None)],
)
def test_a_status_is_in_our_words(text: str | None, expected: str | None) -> None:
    assert only_row(SPEC, state=text)["status"] == expected


def test_another_word_is_quarantined() -> None:
    assert reasons(SPEC, state="Gebucht") == ["status_is_unknown"]


def test_a_posted_row_supersedes_the_pending_one() -> None:
    rows = ({"state": "vorgemerkt"}, {"state": "gebucht"})
    verdict = cleaned(SPEC, *(delivery(SPEC, row, name=f"d{i}", hour=i) for i, row in enumerate(rows)))
    assert verdict.published["status"].to_pylist() == ["posted"]
    assert verdict.quarantined["disposition"].to_pylist() == ["superseded"]


def test_a_source_without_status_has_no_such_column() -> None:
    assert "status" not in cleaned_table(minimal_spec()).schema.names


def test_a_mapping_to_another_word_is_refused(tmp_path: Path) -> None:
    said = refusal(tmp_path, changed("columns.status", {"source": "s", "mapping": {"B": "booked"}}))
    assert "columns.status.mapping.B: expected 'pending' or 'posted'; found 'booked'" in said
