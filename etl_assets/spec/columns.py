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
    """Word of the institution -> `pending` or `posted`, such as `B: posted`."""


class Columns(Strict):
    """Canonical column -> source column. Only `event_at` and `amount` are mandatory, and what the currency is."""

    event_at: Instant
    """When the payment was made."""
    amount: Amount
    """How much money moved. Ours is negative when money leaves the account."""
    currency: Currency
    """What the amount is in: one code for every row, or a column."""
    transaction_id: Source | None = None
    """The institution's own number of the transaction. Without it, the content of the row identifies it."""
    account_id: Source | None = None
    """Whose money it is: account or card. Without it, there are no features of an account."""
    counterparty_id: Source | None = None
    """Who was paid or paid: merchant, terminal or account. Without it, there are no features of a counterparty."""
    booked_on: Day | None = None
    """The day on which the institution booked it."""
    reverses_id: Source | None = None
    """The `transaction_id` that this row reverses."""
    direction: Word | None = None
    """Which way the money went, in words of its own. It does not change the sign of the amount."""
    channel: Word | None = None
    """How it was paid, such as card_present, online or transfer."""
    category: Word | None = None
    """What kind of merchant was paid: the merchant category code where there is one."""
    country: Word | None = None
    """Where it was paid, as an ISO 3166 code."""
    description: Source | None = None
    """Free text of the booking."""
    status: Status | None = None
    """Whether the transaction is pending or posted."""

    @property
    def mapped(self) -> dict[str, Source | Currency]:
        """The canonical columns that this institution has."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: column for name, column in found.items() if column is not None}
