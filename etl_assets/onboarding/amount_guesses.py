"""Which column is the amount, which way it goes and in which currency; what is not sure has its question.

How a column of amounts is written belongs to `money.py`.
"""

from __future__ import annotations

from typing import Any

from etl_assets.onboarding.draft import Guess
from etl_assets.onboarding.found import AS_GOOD, Found, is_whole, named
from etl_assets.onboarding.money import MoneyReading, is_currency, money_reading
from etl_assets.onboarding.words import rank

LEAVES = {"debit", "d", "dr", "db", "dbit", "s", "soll", "out", "-"}
ARRIVES = {"credit", "c", "cr", "cd", "crdt", "h", "haben", "in", "+"}
MOSTLY_OUT = 0.5
UNKNOWN_CURRENCY = "XXX"


def guess_amount(found: Found) -> None:
    """The best named column that reads as amounts; a question where none does."""
    readings = _readings(found)
    if not readings:
        title = next(t for t in [*found.ranked("amount"), *found.sample.columns] if t not in found.taken)
        question = "No column reads as amounts. Which one is it, and how is it written?"
        found.add("amount", [title], None, certainty="open", question=question)
        return
    title = next(iter(readings))
    reading = found.money = readings[title]
    way, questions = _way(found, reading)
    questions = [*_questions_of_marks(reading), *questions]
    if others := [t for t in readings if t != title and rank(t, "amount") >= rank(title, "amount") - AS_GOOD]:
        questions.append(f"{', '.join(map(repr, others))} could be the amount as well. Is this the billed one?")
    why = f"reads {reading.read:,} of {reading.filled:,} values, which sum to {reading.total}"
    found.add(
        "amount",
        [title],
        {**reading.fields, **way},
        why=why + (f"; not {reading.first_unread!r}" if reading.first_unread else ""),
        certainty="open" if questions else "proven",
        question=" ".join(questions) or None,
        alternatives=_alternatives(reading),
    )


def _readings(found: Found) -> dict[str, MoneyReading]:
    """Columns that read as amounts, the best named first; of those without such a name only what has fractions."""
    columns = found.sample.columns
    named_so = {t: r for t in found.ranked("amount") if (r := money_reading(columns[t], found.currency))}
    if named_so:
        return named_so
    free = [t for t in columns if t not in found.taken and not is_whole(columns[t])]
    return {t: r for t in free if (r := money_reading(columns[t], found.currency))}


def _way(found: Found, reading: MoneyReading) -> tuple[dict[str, Any], list[str]]:
    """Which way the money goes, and what must be asked about it."""
    codes = _debit_credit(found)
    if codes is not None:
        return {"debit_credit": codes}, []
    is_signed = reading.negative_share >= MOSTLY_OUT
    which = "negative" if is_signed else "positive"
    share = f"{reading.negative:,} of {reading.read:,} amounts are negative"
    question = f"{share}; here a {which} one leaves the account. Is that so?"
    return {"sign": f"{which}_leaves"}, [question]


def _alternatives(reading: MoneyReading) -> tuple[dict[str, Any], ...]:
    """Every way to read the marks, where there is more than one."""
    ways = (reading.fields, *reading.rivals) if reading.rivals else ()
    return tuple({"decimal_mark": ".", **way} for way in ways)


def _questions_of_marks(reading: MoneyReading) -> list[str]:
    if reading.rivals:
        return ["The marks can be read in more than one way, which makes other amounts. Which is right?"]
    if not reading.has_thousands and "thousands_mark" not in reading.fields:
        return ["No amount reaches 1,000. Is there a thousands mark in larger ones?"]
    return []


def _debit_credit(found: Found) -> dict[str, Any] | None:
    """A column of two kinds of codes, for amounts without a sign."""
    if found.money is not None and found.money.negative:
        return None
    for title in found.ranked("direction"):
        codes = [c for c in found.sample.columns[title].unique().to_pylist() if c]
        leaves = [c for c in codes if c.lower() in LEAVES]
        arrives = [c for c in codes if c.lower() in ARRIVES]
        if leaves and arrives and len(leaves) + len(arrives) == len(codes):
            found.taken.append(title)
            found.parsed.append(title)
            return named(title) | {"leaves": leaves, "arrives": arrives}
    return None


def guess_currency(found: Found) -> None:
    titles = found.ranked("currency", fits=is_currency)
    if titles:
        codes = sorted(c for c in found.sample.columns[titles[0]].unique().to_pylist() if c)
        found.currency = codes[0] if len(codes) == 1 else None
        why = f"every value is a currency of ISO 4217: {', '.join(codes[:5])}"
        found.add("currency", titles[:1], None, why=why, certainty="proven")
        return
    if found.currency:
        found.guesses.append(Guess(("columns", "currency"), {"fixed": found.currency}, "as you said", "proven"))
        return
    question = (
        f"Which currency? No column names it. Under {UNKNOWN_CURRENCY} every row is quarantined until this is answered."
    )
    found.guesses.append(Guess(("columns", "currency"), {"fixed": UNKNOWN_CURRENCY}, "", "open", question))
