"""A correction takes the place of what was delivered, in its row and its columns and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from etl_assets.ledger_tables import CORRECTIONS
from etl_assets.repair.repairs import latest
from etl_assets.transforms.corrections import changes, corrected
from etl_assets_tests.raw_rows import DAY, GOOD, cleaned, delivery
from etl_assets_tests.specs import minimal_spec

SPEC = minimal_spec()
NOW = datetime(2024, 3, 7, 9, tzinfo=UTC)
UNSPLIT = {**dict.fromkeys(SPEC.declared), "_problem": "expected 6 fields, found 3", "_record": b"T1;A1;"}
WHOLE = {name: GOOD[name] for name in SPEC.declared}


def corrections(*said: tuple[int, Mapping[str, Any] | None], name: str = "d1") -> pa.Table:
    """One correction after the other: line and fields."""
    rows = [
        {
            "_delivery_id": f"{name}@{DAY}",
            "_row_number": line,
            "business_date": DAY,
            "fields": None if fields is None else json.dumps(fields),
            "reason": "the bank said so",
            "who": "ada",
            "corrected_at": NOW + timedelta(seconds=n),
            "replay_id": f"r{n}",
        }
        for n, (line, fields) in enumerate(said)
    ]
    return pa.Table.from_pylist(rows, schema=CORRECTIONS.schema)


def test_only_the_named_columns_of_the_named_row_change() -> None:
    raw = delivery(SPEC, {"amount": "x"}, {"amount": "y"}, {"amount": "z"})
    other = delivery(SPEC, {"amount": "x"}, {"amount": "y"}, name="d2")
    rows = pa.concat_tables([raw, other])
    found = corrected(rows, corrections((3, {"amount": "-7.00", "account_id": None})), SPEC)
    expected = rows.to_pylist()
    expected[1] |= {"amount": "-7.00", "account_id": None}
    assert found.to_pylist() == expected
    assert found.schema == rows.schema


def test_rows_without_a_correction_are_not_even_copied() -> None:
    raw = delivery(SPEC, {})
    assert corrected(raw, CORRECTIONS.empty(), SPEC) is raw
    assert corrected(raw, corrections((2, {"amount": "-7.00"}), name="another"), SPEC) is raw
    nothing = raw.slice(0, 0)
    assert corrected(nothing, corrections((2, {"amount": "-7.00"})), SPEC) is nothing


def test_several_corrected_rows_get_each_its_own_values() -> None:
    raw = delivery(SPEC, *[{"transaction_id": f"T{n}"} for n in range(6)])
    said = corrections((6, {"amount": "6"}), (2, {"amount": "2"}), (4, {"account_id": "A4"}))
    found = corrected(raw, said, SPEC)
    assert found["amount"].to_pylist() == ["2", "-12.50", "-12.50", "-12.50", "6", "-12.50"]
    assert found["account_id"].to_pylist() == ["A1", "A1", "A4", "A1", "A1", "A1"]


def test_an_unsplit_record_is_a_record_once_all_of_it_is_given() -> None:
    raw = delivery(SPEC, UNSPLIT)
    verdict = cleaned(SPEC, corrected(raw, corrections((2, WHOLE)), SPEC))
    assert verdict.published["transaction_id"].to_pylist() == ["T1"]
    part = cleaned(SPEC, corrected(raw, corrections((2, {"amount": "-12.50"})), SPEC))
    assert part.quarantined["reasons"].to_pylist() == ["record_cannot_be_split"]


def test_the_latest_correction_holds_until_it_is_withdrawn() -> None:
    one, two = (2, {"amount": "1"}), (2, {"amount": "2"})
    assert json.loads(latest(corrections(one, two))["fields"][0].as_py()) == {"amount": "2"}
    assert latest(corrections(one, two, (2, None))).num_rows == 0
    assert latest(corrections(one, (2, None), two)).num_rows == 1
    assert latest(CORRECTIONS.empty()).num_rows == 0


def test_a_change_is_what_differs_and_no_text_is_no_text() -> None:
    delivered = delivery(SPEC, {"account_id": None, "counterparty_id": ""}).to_pylist()[0]
    same = {name: delivered[name] for name in SPEC.declared}
    assert changes(delivered, same, SPEC) == {}
    assert changes(delivered, same | {"account_id": "", "counterparty_id": None}, SPEC) == {}
    assert changes(delivered, same | {"amount": "-12.5"}, SPEC) == {"amount": "-12.5"}
    assert changes(delivered, same | {"amount": ""}, SPEC) == {"amount": None}


def test_a_change_of_an_unsplit_record_is_all_of_it_or_nothing() -> None:
    delivered = delivery(SPEC, UNSPLIT).to_pylist()[0]
    assert changes(delivered, dict.fromkeys(SPEC.declared, ""), SPEC) == {}
    assert changes(delivered, {"amount": "-1.00"}, SPEC) == dict.fromkeys(SPEC.declared) | {"amount": "-1.00"}
