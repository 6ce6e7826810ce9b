"""A rule that warns changes nothing about which row is which."""

from __future__ import annotations

from datetime import timedelta

from etl_assets_tests.raw_rows import DAY, cleaned, delivery, only_row
from etl_assets_tests.specs import minimal_spec

RARE = [{"name": "spelt_in_full", "column": "amount", "pattern": r".*\.\d\d", "warns": True}]
WITHOUT_ID = {"columns": {"transaction_id": None}}


def test_a_rule_that_warns_gives_no_row_another_id() -> None:
    plain, warned = minimal_spec(**WITHOUT_ID), minimal_spec(**WITHOUT_ID, row_rules=RARE)
    row = only_row(warned, amount="-12.5")
    assert row["warnings"] == "spelt_in_full"
    assert row["transaction_id"] == only_row(plain, amount="-12.5")["transaction_id"]


def test_a_row_that_is_warned_of_repeats_the_same_row_without_a_warning() -> None:
    spec = minimal_spec(row_rules=RARE)
    later = DAY + timedelta(days=1)
    first = delivery(spec, {"amount": "-12.50"})
    second = delivery(spec, {"amount": "-12.5"}, on=later, name="d2")
    verdict = cleaned(spec, first, second, until=later)
    assert verdict.quarantined["disposition"].to_pylist() == ["duplicate"]
