"""The most memory that taking in one delivery needs, measured in a fresh process; needs Linux."""

from __future__ import annotations

from delivery_ways import Bank, ours
from io_memory import in_child, status_kb


def peak_rss_mb(bank: Bank, expected_rows: int) -> float:
    """Megabytes that the process had at its peak, the interpreter and its libraries included."""
    peak = in_child(_peak, bank)
    days = bank.warehouse.fetch("SELECT sum(published)::bigint AS n FROM handbook_bank.row_account")
    assert days["n"][0].as_py() == expected_rows, f"{days['n'][0]} rows published, expected {expected_rows}"
    return peak


def _peak(bank: Bank) -> float:
    ours(bank)
    return status_kb("VmHWM") / 1024
