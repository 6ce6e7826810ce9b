"""How much memory a client has at most while it writes a stream of rows into Snowflake, in a fresh process.

Imports and connections included, so that two numbers of rows can be compared. Needs Linux: /proc knows the peak.
"""

from __future__ import annotations

from pathlib import Path

from io_memory import in_child, status_kb
from snowflake_contenders import Ours
from snowflake_rows import streamed


def peak_mb(ours: Ours, spool: Path, number: int) -> float:
    """Megabytes of resident memory at the highest, of a process that has written so many rows."""
    return in_child(_written, ours, spool, number)


def _written(ours: Ours, spool: Path, number: int) -> float:
    ours.write(streamed(spool, number))
    return status_kb("VmHWM") / 1024
