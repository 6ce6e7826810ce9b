"""The first YAML of an institution from one sample: every guess put together, and proven by reading the sample with it.

Composition: what a file is belongs to `formats.py`, what its name says to `file_names.py`, what its columns hold to
`column_guesses.py`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import ValidationError

from etl_assets.institution_spec import InstitutionSpec, SpecRefused
from etl_assets.onboarding.column_guesses import column_guesses
from etl_assets.onboarding.dialect import ENCODING
from etl_assets.onboarding.draft import Draft, Guess, nested
from etl_assets.onboarding.file_names import name_guesses
from etl_assets.onboarding.footers import footer_guesses, footer_question, without_footer
from etl_assets.onboarding.formats import format_guesses
from etl_assets.onboarding.found import Found
from etl_assets.onboarding.personal import personal_guesses
from etl_assets.onboarding.samples import Sample, sample_of
from etl_assets.onboarding.words import rank
from etl_assets.sources.compression import expanded
from etl_assets.sources.layout import DeliveryRejected
from etl_assets.sources.reading import read_delivery
from etl_assets.spec.formats import Archives

FRAUD = frozenset({"1", "true", "yes", "y", "fraud"})
LATENESS = (7, 14, 31, 62, 92, 183, 366)


@dataclass(frozen=True)
class Answers:
    """What the person said already, so that it is no question."""

    name: str
    currency: str | None = None
    time_zone: str | None = None
    owner: str | None = None


def first_draft(path: Path, answers: Answers) -> Draft:
    """Everything that the sample tells of its institution; what it does not tell is a question.

    Raises: SpecRefused, if the file is no table that can be told from its bytes.
    """
    try:
        content = expanded(path.name, path.read_bytes(), Archives())
        how, titles = format_guesses(path.name, content)
        sample = sample_of(path, nested((g.place, g.value) for g in how)["deliveries"], titles)
    except DeliveryRejected as error:
        raise SpecRefused(str(error)) from error
    if len(sample.columns) < 2:
        raise SpecRefused(f"{path.name}: expected at least two columns, a time and an amount; found {titles}")
    sample, last_line = without_footer(sample, _text(content, how))
    draft = _draft(path, answers, sample, how)
    if last_line is not None:
        _add_footer(draft, path, last_line, sample.records)
    return draft


def _draft(path: Path, answers: Answers, sample: Sample, how: list[Guess]) -> Draft:
    where, day = name_guesses(path.name)
    found = column_guesses(sample, day, answers.currency)
    draft = Draft()
    draft.add(*_of_the_institution(answers, found, day))
    draft.add(Guess(("deliveries", "folder"), _folder(path)), *where, *how)
    draft.add(*found.guesses)
    draft.add(*_key(found), *_precision(found), *_lateness(found, day))
    draft.add(_labels(found))
    draft.add(*personal_guesses(sample, found))
    _note_unread(draft, sample, found)
    return draft


def _text(content: bytes, how: Sequence[Guess]) -> str:
    """The text of a CSV file, nothing of any other."""
    encodings = [guess.value for guess in how if guess.place == ENCODING]
    return content.decode(encodings[0], errors="replace") if encodings else ""


def _add_footer(draft: Draft, path: Path, line: str, records: int) -> None:
    """The first footer that the platform's reader proves; a question where there is none, for it may be a record."""
    at = max(i for i, guess in enumerate(draft.guesses) if guess.place[:2] == ENCODING[:2]) + 1
    for guess in footer_guesses(line, records):
        tried = Draft([*draft.guesses[:at], guess, *draft.guesses[at:]], draft.notes)
        try:
            read_delivery(path.name, path.read_bytes(), spec_of(tried))
        except (DeliveryRejected, ValidationError):
            continue
        draft.guesses = tried.guesses
        return
    draft.note("deliveries", footer_question(line))


def default_name(path: Path) -> str:
    """A name for the institution from that of the sample: its words, without dates."""
    words = re.findall(r"[a-z]+", path.name.partition(".")[0].lower())
    words = words or re.findall(r"[a-z]+", path.resolve().parent.name.lower())
    return "_".join(words)[:40].rstrip("_") or "bank_x"


def spec_of(draft: Draft) -> InstitutionSpec:
    """The spec that the draft is; that it is one is checked before anything is written."""
    return InstitutionSpec.model_validate(draft.values)


def _of_the_institution(answers: Answers, found: Found, day: date | None) -> list[Guess]:
    start = day or (found.time.last if found.time else date.today())  # noqa: DTZ011  any day will do, it is asked
    known = "the sample's business date" if day else "the day of the sample's last event"
    zone_question = "In which time zone are the times in the files, and what day is it there? An IANA name."
    if found.time is not None and found.time.has_offset:
        zone_question = "Every time has its offset; which zone decides what day it is?"
    owner_question = "Who hears of it when something is wrong: team:NAME or an e-mail address?"
    return [
        Guess(("institution",), answers.name),
        Guess(("description",), f"First guesses from {found.sample.name}.", "", "open", "What is this institution?"),
        Guess(("owners",), [answers.owner or "team:payments"], "", *_asked(answers.owner, owner_question)),
        Guess(("start_date",), start, "", "open", f"This is {known}. Which is the first day to take in?"),
        Guess(("time_zone",), answers.time_zone or "UTC", "", *_asked(answers.time_zone, zone_question)),
    ]


def _asked(answer: str | None, question: str) -> tuple[Any, str | None]:
    return ("proven", None) if answer else ("open", question)


def _folder(path: Path) -> str:
    folder = path.resolve().parent
    deliveries = os.environ.get("ETL_DELIVERIES")
    if deliveries and folder.is_relative_to(Path(deliveries).resolve()):
        inner = folder.relative_to(Path(deliveries).resolve()).as_posix()
        return "${ETL_DELIVERIES}" + ("" if inner == "." else f"/{inner}").replace("$", "$$")
    return str(folder).replace("$", "$$")


def _key(found: Found) -> list[Guess]:
    if not found.key:
        return []
    question = "Is it so in every file? Rows of one key are versions of one payment: the latest is published."
    return [Guess(("key",), list(found.key), "they tell all rows of the sample apart", "open", question)]


def _precision(found: Found) -> list[Guess]:
    if found.time is None or found.time.has_time_of_day:
        has_clock = found.time is not None or not any("formats" in g.value or "steps" in g.value for g in found.guesses)
        return [] if has_clock else [Guess(("event_precision",), "day")]
    return [Guess(("event_precision",), "day", "the sample has no time of day", "proven")]


def _lateness(found: Found, day: date | None) -> list[Guess]:
    if found.time is None:
        return []
    age = ((day or found.time.last) - found.time.first).days
    days = next((limit for limit in LATENESS if limit >= age), LATENESS[-1])
    if days == LATENESS[0]:
        return []
    why = f"the oldest event of the sample lies {age} days before its business date"
    if age <= LATENESS[-1]:
        return [Guess(("max_lateness_days",), days, why)]
    question = f"{why.capitalize()}; no more than {days} days can be one delivery. Can it be cut into days or months?"
    return [Guess(("max_lateness_days",), days, "", "open", question)]


def _labels(found: Found) -> Guess | None:
    titles = [t for t in found.ranked("is_fraud") if _codes(found.sample.columns[t])]
    if not titles:
        return None
    found.taken.append(titles[0])
    found.parsed.append(titles[0])
    values = _codes(found.sample.columns[titles[0]])
    question = f"Does {values[0]!r} mean confirmed fraud, and how many days after the event is that known?"
    value = {"source": titles[0], "fraud_values": values, "known_after_days": 7}
    return Guess(("labels",), value, "", "open", question)


def _codes(column: pa.ChunkedArray) -> list[str]:
    distinct = [text for text in column.unique().to_pylist() if text]
    return sorted(text for text in distinct if text.lower() in FRAUD) if len(distinct) <= 5 else []


def _note_unread(draft: Draft, sample: Sample, found: Found) -> None:
    unread = [title for title in sample.columns if title not in found.taken]
    likely = [title for title in unread if rank(title, "description") or rank(title, "category")]
    if unread:
        draft.note(
            "columns", f"Nobody reads: {', '.join(map(repr, [*likely, *(t for t in unread if t not in likely)]))}."
        )
