"""Raw text -> canonical columns, and every reason for which a value cannot be one.

A row is judged here by itself: the institution's own row rules are in `rules.py`, other rows in `identity.py`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.institution_spec import CANONICAL_TEXT, InstitutionSpec
from etl_assets.tables import cleaned_table
from etl_assets.transforms.timestamps import DAY_US, moments
from etl_assets.transforms.values import (
    MONEY_DIGITS,
    UNKNOWN_CURRENCY,
    Mask,
    amounts,
    flat,
    labels,
    mask,
    minor_digits,
    tidy,
)
from etl_assets.transforms.zones import instants

DAY = pa.date32()


class Broken(NamedTuple):
    """A reason, the source column that is to blame, and the rows that it holds for."""

    reason: str
    source: str | None
    rows: Mask


def sources(spec: InstitutionSpec) -> dict[str, str]:
    """Column of the cleaned table -> source column that it is made from."""
    mapped = {name: getattr(spec.columns, name) for name in type(spec.columns).model_fields} | {"is_fraud": spec.labels}
    named = {name: column.source for name, column in mapped.items() if column is not None and column.source is not None}
    return named | {name: name for name in spec.pass_through}


def published_text(rows: pa.Table, spec: InstitutionSpec, name: str) -> pa.Array:
    """The text of a column of the cleaned table: without padding, or exactly as delivered where it passes through."""
    if name not in sources(spec):
        return pa.nulls(rows.num_rows, pa.string())
    delivered = flat(rows[sources(spec)[name]])
    return delivered if name in spec.pass_through else tidy(delivered)


class Reading:
    """The canonical `columns` of raw rows, and what is `broken` in them.

    A column is null where its value is broken. `texts` has what the value was read from, for the row rules.
    """

    def __init__(self, rows: pa.Table, spec: InstitutionSpec) -> None:
        self.spec = spec
        self.rows = rows
        self.sources = sources(spec)
        self._is_split = mask(pc.is_null(flat(rows["_problem"])))
        self.broken = [Broken("record_cannot_be_split", None, ~self._is_split)]
        self.texts = {name: published_text(rows, spec, name) for name in self.sources}
        if spec.columns.currency.fixed is not None:
            self.texts["currency"] = pa.repeat(pa.scalar(spec.columns.currency.fixed, pa.string()), rows.num_rows)
        kept = (*CANONICAL_TEXT, *spec.pass_through)
        self.columns: dict[str, pa.Array] = {name: self.texts[name] for name in kept if name in self.texts}
        self._refuse_nul_and_missing()
        self._read_money()
        self._read_event_at()
        self._read_booked_on()
        self._read_labels()

    def refuse(self, reason: str, column: str, rows: Mask) -> None:
        """The `rows` are broken for this reason, in the source column of `column`; unsplit records keep their own."""
        if rows.any():
            self.broken.append(Broken(reason, self.sources.get(column), rows & self._is_split))

    def is_missing(self, column: str) -> Mask:
        """Where the column has no value or only spaces."""
        return mask(pc.is_null(tidy(self.texts[column])))

    def _refuse_nul_and_missing(self) -> None:
        required = cleaned_table(self.spec).required
        for name, source in self.sources.items():
            self.refuse(f"{name}_has_nul", name, mask(pc.match_substring(flat(self.rows[source]), "\0")))
            if name in required:
                self.refuse(f"{name}_is_missing", name, self.is_missing(name))

    def _read_money(self) -> None:
        currency = self.texts["currency"]
        digits = minor_digits(currency)
        is_unknown = digits == UNKNOWN_CURRENCY
        money = amounts(self.texts["amount"], self.spec.columns.amount, np.where(is_unknown, MONEY_DIGITS, digits))
        self.refuse("currency_is_unknown", "currency", is_unknown & mask(pc.is_valid(currency)))
        self.refuse("amount_is_not_a_number", "amount", money.is_not_a_number)
        self.refuse("amount_is_too_large", "amount", money.is_too_large)
        self.refuse("amount_has_too_many_digits", "amount", money.has_too_many_digits)
        self.columns |= {"amount": money.values, "currency": currency}

    def _read_event_at(self) -> None:
        text = self.texts["event_at"]
        read = moments(text, self.spec.columns.event_at.formats)
        event = instants(read, self.spec.time_zone, self.spec.event_precision)
        self.refuse("event_at_is_not_a_time", "event_at", mask(pc.is_valid(text)) & ~read.is_read)
        self.refuse("event_at_does_not_exist", "event_at", event.does_not_exist)
        age_days = business_days(self.rows) - event.local_days
        self.refuse("event_at_is_after_business_date", "event_at", read.is_read & (age_days < 0))
        self.refuse("event_at_is_too_late", "event_at", read.is_read & (age_days > self.spec.max_lateness_days))
        self.columns |= {"event_at": event.at, "event_at_is_ambiguous": pa.array(event.is_ambiguous)}

    def _read_booked_on(self) -> None:
        column = self.spec.columns.booked_on
        if column is None:
            self.columns["booked_on"] = pa.nulls(self.rows.num_rows, DAY)
            return
        text = self.texts["booked_on"]
        read = moments(text, column.formats)
        self.refuse("booked_on_is_not_a_date", "booked_on", mask(pc.is_valid(text)) & ~read.is_read)
        days = (read.microseconds // DAY_US).astype(np.int32)
        self.columns["booked_on"] = pa.array(days, pa.int32(), mask=~read.is_read).cast(DAY)

    def _read_labels(self) -> None:
        known = self.spec.labels
        none = pa.nulls(self.rows.num_rows, pa.bool_())
        self.columns["is_fraud"] = labels(self.texts["is_fraud"], known.fraud_values) if known else none


def business_days(rows: pa.Table) -> npt.NDArray[np.int64]:
    """The business dates as days since 1970."""
    days: npt.NDArray[np.int64] = flat(rows["business_date"]).cast(pa.int32()).to_numpy().astype(np.int64)
    return days
