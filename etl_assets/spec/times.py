"""How an institution writes moments and days: patterns, counts of seconds, steps from an origin, several columns.

How a text is then read belongs to `transforms/timestamps.py` and `transforms/counts.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, NaiveDatetime, model_validator

from etl_assets.spec.source import DAY, Joined, Strict, text

EXAMPLE = datetime(2027, 11, 23, 13, 47, 5, tzinfo=UTC)
MOMENT = DAY + r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?)?"
EPOCHS = {"epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}
STEP_UNITS = {"second": 1_000_000, "minute": 60_000_000, "hour": 3_600_000_000, "day": 86_400_000_000}


def _reads_a_day(pattern: str) -> str:
    """The pattern, if what it writes it also reads: `%m%d` would put every day into 1900, `%I` afternoon into night."""
    if "%" not in pattern:
        raise ValueError("expected strptime codes for year, month and day, as in %d.%m.%Y %H:%M:%S")
    try:
        written = EXAMPLE.strftime(pattern)
        read = datetime.strptime(written, pattern)  # noqa: DTZ007  only the clock on the wall is compared
    except ValueError as error:
        raise ValueError(f"expected a strptime pattern: {error}") from error
    if read.date() != EXAMPLE.date() or read.hour not in {0, EXAMPLE.hour}:
        raise ValueError(
            f"expected year, month and day, and %p beside %I; it writes {EXAMPLE:%Y-%m-%d %H:%M} as {written!r} "
            f"and reads that as {read:%Y-%m-%d %H:%M}"
        )
    return pattern


def _reads_a_moment(pattern: str) -> str:
    if pattern in EPOCHS:
        return pattern
    if pattern.startswith("epoch"):
        raise ValueError(f"expected {', '.join(EPOCHS)} or a strptime pattern")
    return _reads_a_day(pattern)


def _is_written_as_a_moment(value: object) -> object:
    if not isinstance(value, date) and not re.fullmatch(MOMENT, str(value)):
        raise ValueError("expected a moment without a timezone, as in 2017-01-01 or 2017-01-01T06:00:00")
    return value


def has_time_of_day(pattern: str) -> bool:
    """Whether moments of one day stay apart under this pattern."""
    return pattern in EPOCHS or EXAMPLE.strftime(pattern) != EXAMPLE.replace(hour=0).strftime(pattern)


Pattern = Annotated[str, AfterValidator(_reads_a_day), text("%")]
Patterns = Annotated[tuple[Pattern, ...], Field(min_length=1)]
MomentPattern = Annotated[str, AfterValidator(_reads_a_moment), text(f"%|^({'|'.join(EPOCHS)})$")]
MomentPatterns = Annotated[tuple[MomentPattern, ...], Field(min_length=1)]


Moment = Annotated[NaiveDatetime, BeforeValidator(_is_written_as_a_moment), text(f"^{MOMENT}$")]


class Steps(Strict):
    """Moments that are counted, as simulations do: step 0 is `origin` on the institution's clock."""

    origin: Moment
    """The moment of step 0 on the institution's clock, such as `2017-01-01` or `2017-01-01T06:00:00`."""
    unit: Literal["second", "minute", "hour", "day"]
    """How long one step is."""


class Day(Joined):
    """A day of the calendar. A text that `formats` read as two different days is quarantined."""

    formats: Patterns = ("%Y-%m-%d",)
    """strptime patterns, tried in order, such as `%d.%m.%Y`. A text that two read differently is quarantined."""


class Instant(Joined):
    """A point in time, by strptime patterns or epoch counts (`formats`), or by `steps`.

    Without an offset: the institution's zone; an epoch is UTC. Formats are tried in order, and a text that two of
    them read as different moments is quarantined.
    """

    formats: MomentPatterns = ("%Y-%m-%d %H:%M:%S",)
    """strptime patterns, tried in order, such as `%d.%m.%Y %H:%M`; or `epoch_s`, `epoch_ms`, `epoch_us` in UTC."""
    steps: Steps | None = None
    """How moments are counted, where the column holds a step number. Instead of `formats`."""

    @property
    def has_time_of_day(self) -> bool:
        if self.steps is not None:
            return self.steps.unit != "day"
        return any(has_time_of_day(pattern) for pattern in self.formats)

    @model_validator(mode="after")
    def one_way_of_counting(self) -> Instant:
        if problem := next(self._problems(), None):
            raise ValueError(problem)
        return self

    def _problems(self) -> Iterator[str]:
        epochs = [pattern for pattern in self.formats if pattern in EPOCHS]
        if len(epochs) > 1:
            yield f"expected at most one of {' and '.join(epochs)}: every number is a time under each of them"
        if self.steps is not None and "formats" in self.model_fields_set:
            yield "expected either formats or steps: a step is a whole number and has no format"
        if self.followed_by and (epochs or self.steps is not None):
            yield "expected no followed_by: an epoch or a step is one number in one column"
