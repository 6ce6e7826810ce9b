"""Which business date the name of a sample says, and the pattern that reads it from names like it.

Names only. What a file without a date is for is asked, never assumed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from etl_assets.onboarding.draft import Guess
from etl_assets.spec.deliveries import Deliveries

LONG = "january|february|march|april|may|june|july|august|september|october|november|december"
MONTH = f"(?i:{LONG}|{'|'.join(dict.fromkeys(name[:3] for name in LONG.split('|')))})"
YEARS = range(1990, 2100)
DAYS = (
    (r"\d{4}-\d{2}-\d{2}", ("%Y-%m-%d",)),
    (r"\d{4}_\d{2}_\d{2}", ("%Y_%m_%d",)),
    (r"\d{4}\.\d{2}\.\d{2}", ("%Y.%m.%d",)),
    (r"\d{2}-\d{2}-\d{4}", ("%d-%m-%Y", "%m-%d-%Y")),
    (r"\d{2}_\d{2}_\d{4}", ("%d_%m_%Y", "%m_%d_%Y")),
    (r"\d{2}\.\d{2}\.\d{4}", ("%d.%m.%Y", "%m.%d.%Y")),
    (r"\d{1,2}-[A-Za-z]{3}-\d{4}", ("%d-%b-%Y",)),
    (r"\d{8}", ("%Y%m%d", "%d%m%Y", "%m%d%Y")),
)
PERIODS = (
    r"(?P<year>\d{4})[-_]?[qQ](?P<quarter>[1-4])",
    r"[qQ](?P<quarter>[1-4])[-_ ]?(?P<year>\d{4})",
    rf"(?P<other>{MONTH})[-_ ](?P<month>{MONTH})[-_ ]?(?P<year>\d{{4}})",
    rf"(?P<month>{MONTH})[-_ ]?(?P<year>\d{{4}})",
    rf"(?P<year>\d{{4}})[-_ ]?(?P<month>{MONTH})",
    r"(?P<year>\d{4})[-_]?(?P<month>\d{2})(?![-_]?\d)",
    r"(?P<year>\d{4})(?!-\d)",
)
WRITTEN = {"year": r"\d{4}", "quarter": "[1-4]", "month": r"\d{2}"}
NAMED_MONTH = "[A-Za-z]{3,9}"
FILE_NAME, DATE_FORMAT = ("deliveries", "file_name"), ("deliveries", "business_date_format")


@dataclass(frozen=True)
class Dated:
    """A place in a name that is a day, and every format that reads it so."""

    start: int
    end: int
    pattern: str
    formats: tuple[str, ...]
    day: date


def name_guesses(name: str) -> tuple[list[Guess], date | None]:
    """The fields of `deliveries` that read the name, and the business date in it if there is one."""
    if (found := next(_days(name), None)) is not None:
        return _of_a_day(name, found), found.day
    for pattern in _periods(name):
        if (day := Deliveries(folder=".", file_name=pattern).business_date(name)) is not None:
            why = f"the sample's name states a period, whose last day {day} is its business date"
            return [Guess(FILE_NAME, pattern, why)], day
    return _undated(name), None


def _days(name: str) -> Iterator[Dated]:
    for pattern, formats in DAYS:
        for match in re.finditer(rf"(?<!\d){pattern}(?!\d)", name):
            days = {known: day for known in formats if (day := _day(match[0], known)) is not None}
            if days:
                yield Dated(match.start(), match.end(), pattern, tuple(days), next(iter(days.values())))


def _day(text: str, pattern: str) -> date | None:
    try:
        day = datetime.strptime(text, pattern).date()  # noqa: DTZ007  a day has no zone
    except ValueError:
        return None
    return day if day.year in YEARS else None


def _of_a_day(name: str, found: Dated) -> list[Guess]:
    before, after = _similar(name[: found.start]), _similar(name[found.end :])
    others = found.formats[1:]
    text = name[found.start : found.end]
    question = f"{text!r} reads as {found.day}; could it be {' or '.join(others)}?" if others else None
    return [
        Guess(FILE_NAME, f"{before}(?P<business_date>{found.pattern}){after}", f"the sample's name says {found.day}"),
        Guess(DATE_FORMAT, found.formats[0], "", "open" if others else "proven", question, others),
    ]


def _periods(name: str) -> Iterator[str]:
    """The name as a pattern, for each way in which a part of it could be a month, a quarter or a year."""
    for period in PERIODS:
        for match in re.finditer(rf"(?<!\d){period}(?!\d)", name):
            if int(match["year"]) in YEARS:
                yield _similar(name[: match.start()]) + _written(match) + _similar(name[match.end() :])


def _written(match: re.Match[str]) -> str:
    pattern, at = "", match.start()
    for group in sorted(match.groupdict(), key=match.start):
        inner = NAMED_MONTH if match[group].isalpha() else WRITTEN[group]
        named = inner if group == "other" else f"(?P<{group}>{inner})"
        pattern += _similar(match.string[at : match.start(group)]) + named
        at = match.end(group)
    return pattern + _similar(match.string[at : match.end()])


def _undated(name: str) -> list[Guess]:
    stem, dot, suffixes = name.partition(".")
    question = (
        "The sample's name states no business date, and every delivery's name must. How are your files named? Until "
        f"this says otherwise, names such as {stem}_20260302{dot}{suffixes} are taken."
    )
    pattern = rf"{_similar(stem)}_(?P<business_date>\d{{8}}){_similar(dot + suffixes)}"
    return [Guess(FILE_NAME, pattern, "", "open", question), Guess(DATE_FORMAT, "%Y%m%d")]


def _similar(text: str) -> str:
    """The text as a pattern in which other numbers may stand, since they count files or versions."""
    return re.sub(r"[.^$*+?{}()|\[\]\\]", r"\\\g<0>", re.sub(r"\d+", "0", text)).replace("0", r"\d+")
