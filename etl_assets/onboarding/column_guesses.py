"""Which column of a sample holds what: the titles propose, the values decide. Gives the guesses under `columns`.

Times and amounts have rooms of their own; the rest of the YAML belongs to `first_yaml.py`.
"""

from __future__ import annotations

from datetime import date

import pyarrow.compute as pc

from etl_assets.onboarding.amount_guesses import guess_amount, guess_currency
from etl_assets.onboarding.event_guesses import guess_booked_on, guess_event_at
from etl_assets.onboarding.found import Found, is_filled, is_telling, is_unique, other_titles
from etl_assets.onboarding.samples import Sample

PLAIN_TEXT = ("account_id", "counterparty_id", "category", "country", "channel", "description", "reverses_id")
TELLING = ("counterparty_id", "reverses_id")
FIRST = ("transaction_id", "account_id", "counterparty_id", "event_at")


def column_guesses(sample: Sample, day: date | None, currency: str | None) -> Found:
    """The guesses under `columns`, who and when first; what is not sure has its question."""
    found = Found(sample, day, currency)
    guess_currency(found)
    guess_event_at(found)
    guess_amount(found)
    _guess_transaction_id(found)
    for column in PLAIN_TEXT:
        if titles := found.ranked(column, fits=is_telling if column in TELLING else is_filled):
            found.add(column, titles[:1], None, why=other_titles(titles, column))
    guess_booked_on(found)
    order = {name: i for i, name in enumerate(FIRST)}
    found.guesses.sort(key=lambda guess: order.get(guess.place[1], len(order)))
    return found


def _guess_transaction_id(found: Found) -> None:
    """The column named so in which no value occurs twice, or none within an account."""
    columns = found.sample.columns
    titles = found.ranked("transaction_id", fits=is_filled)
    if unique := [title for title in titles if is_unique(columns[title])]:
        found.key = ("transaction_id",)
        found.add("transaction_id", unique[:1], None, why="no value occurs twice", certainty="proven")
        return
    accounts = found.ranked("account_id", fits=is_filled)[:1]
    for title in titles if accounts else []:
        if is_unique(pc.binary_join_element_wise(columns[accounts[0]], columns[title], "\0")):
            found.key = ("account_id", "transaction_id")
            why = f"no value occurs twice within one {accounts[0]}"
            found.add("transaction_id", [title], None, why=why, certainty="proven")
            return
