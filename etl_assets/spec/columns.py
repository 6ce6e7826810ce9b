"""Which source column each canonical column comes from: the column half of a spec.

How money and time are written is said in `amounts.py` and `times.py`; how a value is then
parsed belongs to `transforms/`; everything else that a tenant's YAML says to `institution_spec.py`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from etl_assets.spec.amounts import Amount, Currency, DebitCredit, Money, OtherAmount
from etl_assets.spec.source import Joined, Name, Source, SourceName, Strict, Title, Value, Values, Word
from etl_assets.spec.times import EXAMPLE, Day, Instant, Pattern, Patterns, Steps, has_time_of_day

__all__ = [
    "CANONICAL_TEXT",
    "EXAMPLE",
    "Amount",
    "Columns",
    "Currency",
    "Day",
    "DebitCredit",
    "Instant",
    "Joined",
    "Money",
    "Name",
    "OtherAmount",
    "Pattern",
    "Patterns",
    "Source",
    "SourceName",
    "Status",
    "Steps",
    "Strict",
    "Title",
    "Value",
    "Values",
    "Word",
    "has_time_of_day",
]
CANONICAL_TEXT = (
    "transaction_id",
    "account_id",
    "counterparty_id",
    "reverses_id",
    "direction",
    "channel",
    "category",
    "country",
    "description",
    "status",
)
IDS = ("transaction_id", "account_id", "counterparty_id", "reverses_id")


class Status(Source):
    """Whether a transaction is final. A word that is neither `pending`, `posted` nor mapped to one is quarantined."""

    mapping: dict[Value, Literal["pending", "posted"]] = Field(default_factory=dict)


class Columns(Strict):
    """Canonical column -> source column. Only `event_at` and `amount` are mandatory, and what the currency is."""

    event_at: Instant
    amount: Amount
    currency: Currency
    transaction_id: Source | None = None
    account_id: Source | None = None
    counterparty_id: Source | None = None
    booked_on: Day | None = None
    reverses_id: Source | None = None
    direction: Word | None = None
    channel: Word | None = None
    category: Word | None = None
    country: Word | None = None
    description: Source | None = None
    status: Status | None = None

    @property
    def mapped(self) -> dict[str, Source | Currency]:
        """The canonical columns that this institution has."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: column for name, column in found.items() if column is not None}
