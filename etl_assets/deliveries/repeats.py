"""Decide which failed runs are asked for again, and when: a few times, further and further apart, then a person's turn.

Pure: what became of the runs in, failures with their next try out. Asking Dagster belongs to `run_outcomes.py`; a
clock belongs to nobody here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import takewhile

MOST_REPEATS = 3
FIRST_WAIT, GROWTH = timedelta(minutes=1), 5


class Outcome(StrEnum):
    """What became of a run. A refused one would be refused again: a person must change the file or the settings."""

    OPEN = "open"
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"


@dataclass(frozen=True)
class Run:
    """A run of a business date; `files` names the versions of all files that it was asked to read."""

    business_date: date
    files: str
    outcome: Outcome
    ended_at: datetime


@dataclass(frozen=True)
class Failure:
    """Files whose last run failed for a reason that may go away; `again_at` is None once they are given up."""

    business_date: date
    files: str
    failed_times: int
    again_at: datetime | None


def failures(runs: Iterable[Run]) -> dict[str, Failure]:
    """By files: each whose last run failed. `runs` are in the order in which they were made."""
    by_files: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_files[run.files].append(run)
    return {files: _failure(made) for files, made in by_files.items() if made[-1].outcome is Outcome.FAILED}


def _failure(made: list[Run]) -> Failure:
    last = made[-1]
    times = len(list(takewhile(lambda run: run.outcome is Outcome.FAILED, reversed(made))))
    again_at = last.ended_at + FIRST_WAIT * GROWTH ** (times - 1) if times <= MOST_REPEATS else None
    return Failure(last.business_date, last.files, times, again_at)
