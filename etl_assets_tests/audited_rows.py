"""What became of each record of some files, found by comparing it with every other: shares no code with the platform.

Files are read by Python's csv module. For the bank of `bank.py` only.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from etl_assets_tests.bank import HEADER

HORIZON_DAYS, LATENESS_DAYS = 2, 1


@dataclass(frozen=True)
class Version:
    """A file as it lay in the folder at some time."""

    name: str
    day: date
    content: bytes
    at: datetime

    @property
    def stored(self) -> bytes:
        """The bytes on disk."""
        return gzip.compress(self.content, mtime=0) if self.name.endswith(".gz") else self.content

    @property
    def label(self) -> str:
        """Its content and time, which it has under any name."""
        return f"{self.at} {hashlib.sha256(self.stored).hexdigest()}"

    @property
    def lines(self) -> list[list[str]]:
        """Its records as Python's csv module finds them, header and blank lines included."""
        return list(csv.reader(io.StringIO(self.content.decode(), newline=""), delimiter=";"))


def fates(files: list[Version]) -> tuple[set[tuple[date, str, Decimal]], Counter[tuple[Version, str]]]:
    """What is published, and how many records of each file became what: every row beside every other."""
    versions: dict[str, list[tuple[date, tuple[str, ...], Version]]] = defaultdict(list)
    counts: Counter[tuple[Version, str]] = Counter()
    for file in sorted(files, key=lambda file: (file.day, file.at)):
        for cells in filter(None, file.lines[1:]):
            if is_valid(cells, file.day):
                versions[cells[0]].append((file.day, tuple(cells), file))
            else:
                counts[file, "invalid"] += 1
    published = set()
    for number, rows in versions.items():
        for at, (day, cells, file) in enumerate(rows):
            fate = fate_of(at, rows)
            counts[file, fate] += 1
            if fate == "published":
                published.add((day, number, Decimal(cells[4].replace(",", "."))))
    return published, counts


def fate_of(at: int, rows: list[tuple[date, tuple[str, ...], Version]]) -> str:
    day, cells, _ = rows[at]
    near = [n for n, row in enumerate(rows) if abs((row[0] - day).days) <= HORIZON_DAYS]
    before = [n for n in near if n < at]
    if before and rows[before[-1]][1] == cells:
        return "duplicate"
    return "superseded" if any(rows[n][1] != cells for n in near if n > at) else "published"


def is_valid(cells: list[str], day: date) -> bool:
    if len(cells) != len(HEADER.split(";")) or "\0" in "".join(cells) or not re.fullmatch(r"-?\d+,\d\d", cells[4]):
        return False
    event_on = datetime.strptime(cells[3], "%d.%m.%Y %H:%M:%S").replace(tzinfo=UTC).date()
    return timedelta(0) <= day - event_on <= timedelta(days=LATENESS_DAYS)
