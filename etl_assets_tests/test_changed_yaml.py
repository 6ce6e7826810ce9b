"""A column that the YAML gains or loses does not stop the institution; what was published before has null in it."""

from __future__ import annotations

from datetime import date

from etl_assets.spec.columns import Source
from etl_assets_tests.bank import HEADER, Platform, line

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)


def test_a_column_that_the_yaml_gains_is_null_on_days_that_did_not_run_since(platform: Platform) -> None:
    without = platform.spec
    gained = without.columns.model_copy(update={"channel": Source(source="way", optional=True)})
    archived = platform.deliver(MONDAY, HEADER + line(1, MONDAY))
    platform.run(MONDAY, layers=("daily",))
    archived.unlink()
    platform.spec = without.model_copy(update={"columns": gained})
    platform.deliver(MONDAY, HEADER.replace("amount", "amount;way") + line(2, MONDAY).replace("\n", ";shop\n"), "_b")
    platform.run(MONDAY, TUESDAY, layers=("daily",))
    assert not platform.errors()
    rows = platform.table("cleaned_transactions", ("transaction_id", "channel"))
    assert [tuple(row.values()) for row in rows] == [("1", None), ("2", "shop")]
    platform.spec = without
    platform.run(MONDAY, layers=("daily",))
    assert not platform.errors()
