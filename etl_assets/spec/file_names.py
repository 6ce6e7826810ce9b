"""Which business date a file name states: a day of its own, or the last day of a month, a quarter or a year.

Patterns and names only; listing folders belongs to `sources/`.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Mapping
from datetime import date

PARTS = ("year", "quarter", "month", "day")
PERIODS = {("year",), ("year", "quarter"), ("year", "month"), ("year", "month", "day")}
MONTHS: tuple[str, ...] = ("january", "february", "march", "april", "may", "june")
MONTHS += ("july", "august", "september", "october", "november", "december")
SHORTEST = 3
DAY = "business_date"


def refuse_undated(pattern: str) -> None:
    """The pattern has a group for the business date, or groups that make a period and can take what they are for.

    Raises: ValueError. Under a group that never takes a month every file is passed over, and the bank seems to
    deliver nothing.
    """
    groups = re.compile(pattern).groupindex
    parts = tuple(part for part in PARTS if part in groups)
    if DAY in groups:
        return
    if parts not in PERIODS:
        raise ValueError(
            "expected a group (?P<business_date>...) in the pattern, or groups that make a period: year, with month "
            f"or quarter, or month and day; it has {' and '.join(parts) or 'none of them'}"
        )
    for part in parts:
        written, group = _writings(part), group_alone(pattern, part)
        if group is not None and not any(map(group.fullmatch, written)):
            raise ValueError(f"expected a group {part} that takes one, such as {written[0]} or {written[-1]}")


def last_day(parts: Mapping[str, str | None]) -> date | None:
    """The last day of the period that the groups took; None where that is no period, such as month 13."""
    year, quarter, month, day = (parts.get(part) for part in PARTS)
    if year is None:
        return None
    number = 3 * _number(quarter) if quarter else _month(month) if month else len(MONTHS)
    try:
        in_full = 2000 + int(year) if len(year) == len("26") else int(year)
        return date(in_full, number, int(day) if day else monthrange(in_full, number)[1])
    except ValueError:
        return None


def group_alone(pattern: str, name: str) -> re.Pattern[str] | None:
    """The group of that name on its own: up to the first bracket with which it is an expression."""
    opening = f"(?P<{name}>"
    start = pattern.index(opening) + len(opening)
    for end in (found.start() for found in re.finditer(r"\)", pattern) if found.start() >= start):
        try:
            return re.compile(pattern[start:end], re.compile(pattern).flags)
        except re.error:
            continue
    return None


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _month(text: str) -> int:
    """The month that a number, an English name or the beginning of one says; 0 where none."""
    named = [n for n, name in enumerate(MONTHS, start=1) if len(text) >= SHORTEST and name.startswith(text.lower())]
    return named[0] if named else _number(text)


def _writings(part: str) -> list[str]:
    """Every way in which the part can be written."""
    if part == "year":
        return [text for year in range(1970, 2100) for text in (str(year), f"{year % 100:02}")]
    if part == "quarter":
        return ["1", "2", "3", "4"]
    numbers = [text for n in range(1, 32) for text in (f"{n:02}", str(n))]
    if part == "day":
        return numbers
    names = [name[:end] for name in MONTHS for end in range(SHORTEST, len(name) + 1)]
    return numbers[:24] + [cased for name in names for cased in (name.upper(), name.title(), name)]
