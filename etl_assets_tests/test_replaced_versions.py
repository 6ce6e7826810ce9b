"""A file that was overwritten with a sound one says nothing of its date any more."""

from __future__ import annotations

from datetime import date

from etl_assets_tests.bank import HEADER, Platform, line

MONDAY = date(2026, 3, 2)


def test_a_broken_file_does_not_keep_the_corrected_one_from_being_published(platform: Platform) -> None:
    for hour, amount in ((2, "x"), (5, "-12,50")):
        platform.deliver(MONDAY, HEADER + "".join(line(n, MONDAY, amount=amount) for n in range(20)), hour=hour)
        platform.run(MONDAY, layers=("daily",))
        assert ("a share of 1.000" in platform.errors()) is (amount == "x")
    counts = [(row["published"], row["invalid"]) for row in platform.table("row_account", order="published")]
    assert counts == [(0, 20), (20, 0)]
