"""Which columns say when something happened, and how: one column, a date beside a clock, parts, or counted steps.

How a column of times is written belongs to `times.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.onboarding.found import Found, is_whole, part_of
from etl_assets.onboarding.samples import Sample
from etl_assets.onboarding.times import clock_of, reading_by, time_reading
from etl_assets.onboarding.words import tokens


def guess_event_at(found: Found) -> None:
    columns = found.sample.columns
    if _of_parts(found):
        return
    readings = {title: r for title in found.ranked("event_at") if (r := time_reading(columns[title], found.day))}
    if not readings:
        readings = {t: r for t in columns if t not in found.taken and (r := time_reading(columns[t], found.day))}
    if not readings:
        _counted_or_asked(found)
        return
    title = next(iter(readings))
    reading = found.time = readings[title]
    clock = None if reading.has_time_of_day else _clock_beside(found, title)
    _timed(found, title, clock, [t for t in readings if t != title])


def _timed(found: Found, title: str, clock: tuple[str, str] | None, others: Sequence[str]) -> None:
    reading = found.time
    assert reading is not None  # noqa: S101  set by the only caller
    formats = list(reading.formats)
    why = f"{formats[0]} reads {reading.read:,} of {reading.filled:,} values, {reading.first} to {reading.last}"
    if reading.first_unread:
        why += f"; not {reading.first_unread!r}"
    why += f"; times stand in {', '.join(others)} as well" if others else ""
    if reading.rivals:
        both = [[pattern] for pattern in (*formats, *reading.rivals)]
        question = "Every date of the sample can be read in more than one way. Which is right? Put it in as `formats`."
        found.add(
            "event_at",
            [title],
            None,
            why=why,
            certainty="open",
            question=question,
            alternatives=tuple({"formats": p} for p in both),
        )
        return
    fields: dict[str, Any] = {"formats": formats}
    titles = [title]
    if clock is not None:
        titles.append(clock[0])
        fields = {"followed_by": [part_of(clock[0])], "formats": [f"{formats[0]} {clock[1]}"]}
        found.time = reading_by(_joined(found.sample, titles), fields["formats"][0]) or reading
    sure = "proven" if reading.read == reading.filled else "likely"
    found.add("event_at", titles, fields, why=why, certainty=sure)


def _clock_beside(found: Found, title: str) -> tuple[str, str] | None:
    for other, column in found.sample.columns.items():
        if other != title and "time" in tokens(other) and (pattern := clock_of(column)):
            return other, pattern
    return None


def _of_parts(found: Found) -> bool:
    """Year, month and day in columns of their own, perhaps with a time of day."""
    by_words = {tokens(title): title for title in found.sample.columns}
    parts = [by_words.get((word,)) for word in ("year", "month", "day")]
    if None in parts:
        return False
    titles = [title for title in parts if title is not None]
    clock = _clock_beside(found, titles[0])
    pattern = "%Y %m %d" + (f" {clock[1]}" if clock else "")
    titles += [clock[0]] if clock else []
    reading = reading_by(_joined(found.sample, titles), pattern)
    if reading is None:
        return False
    found.time = reading
    fields = {"followed_by": [part_of(title) for title in titles[1:]], "formats": [pattern]}
    why = f"{' '.join(titles)} together read as {pattern}, {reading.first} to {reading.last}"
    found.add("event_at", titles, fields, why=why, certainty="proven")
    return True


def _counted_or_asked(found: Found) -> None:
    """No column reads as a time: the best named one stands there, with what it could be."""
    titles = found.ranked("event_at") or [t for t in found.sample.columns if t not in found.taken][:1]
    counts = [t for t in titles if is_whole(found.sample.columns[t])]
    if counts:
        origin = f"{found.day or date(2026, 1, 1)}T00:00:00"
        question = (
            "The values are small whole numbers. If they are steps of a count, what is step 0, and how long is one? "
            "If not, which column says when it happened?"
        )
        fields = {"steps": {"origin": origin, "unit": "day"}}
        found.add("event_at", counts[:1], fields, certainty="open", question=question)
        return
    question = "No column reads as a date or time. Which one says when it happened, and in which strptime `formats`?"
    found.add("event_at", titles[:1], {"formats": ["%Y-%m-%d"]}, certainty="open", question=question)


def guess_booked_on(found: Found) -> None:
    for title in found.ranked("booked_on"):
        reading = time_reading(found.sample.columns[title], found.day)
        if reading is not None and not reading.has_time_of_day and not reading.rivals:
            found.add("booked_on", [title], {"formats": list(reading.formats)}, why="", certainty="likely")
            return


def _joined(sample: Sample, titles: Sequence[str]) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(*(sample.columns[title] for title in titles), " ")
