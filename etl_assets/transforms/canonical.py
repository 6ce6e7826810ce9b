"""Raw text -> canonical columns, and every reason for which a value cannot be one.

A row is judged here by itself: the institution's own row rules are in `rules.py`, other rows in `identity.py`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.institution_spec import CANONICAL_TEXT, InstitutionSpec
from etl_assets.spec.columns import IDS, Currency, Joined, Source, Status, Word
from etl_assets.tables import cleaned_table
from etl_assets.transforms.money import Broken, paid
from etl_assets.transforms.timestamps import DAY_US, moments, stepped
from etl_assets.transforms.values import Mask, flat, in_our_words, is_rounded_by_a_spreadsheet, labels, mask, tidy
from etl_assets.transforms.zones import instants

__all__ = ["DAY", "Broken", "Reading", "business_days", "mapped", "published_text", "sources"]
DAY = pa.date32()


def mapped(spec: InstitutionSpec) -> dict[str, Source | Currency]:
    """Column of the cleaned table -> how the institution delivers it, for all that are read and not passed through."""
    return spec.columns.mapped | ({} if spec.labels is None else {"is_fraud": spec.labels})


def sources(spec: InstitutionSpec) -> dict[str, str]:
    """Column of the cleaned table -> source column that it is made from, the first where there are several."""
    named = {name: column.source for name, column in mapped(spec).items() if column.source is not None}
    return named | {name: name for name in spec.pass_through}


def published_text(rows: pa.Table, spec: InstitutionSpec, name: str) -> pa.Array:
    """The text of a column of the cleaned table: in our words without padding, or as delivered if passed through."""
    if name not in sources(spec):
        return pa.nulls(rows.num_rows, pa.string())
    if name in spec.pass_through:
        return flat(rows[name])
    column = mapped(spec)[name]
    if isinstance(column, Joined) and column.followed_by:
        parts = (pc.fill_null(tidy(flat(rows[source])), "") for source in column.sources)
        return tidy(pc.binary_join_element_wise(*parts, " "))
    text = tidy(flat(rows[column.source]))
    return in_our_words(text, column.mapping) if isinstance(column, Status | Word) else text


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
        money = paid(rows, spec.columns)
        read = (name for name in self.sources if name not in {"amount", "currency"})
        self.texts = {"amount": money.text, "currency": money.currency}
        self.texts |= {name: published_text(rows, spec, name) for name in read}
        kept = (*CANONICAL_TEXT, *spec.pass_through)
        self.columns: dict[str, pa.Array] = {name: self.texts[name] for name in kept if name in self.texts}
        self.columns |= {"amount": money.values, "currency": money.currency}
        self.broken += [b._replace(rows=b.rows & self._is_split) for b in money.broken if b.rows.any()]
        self._refuse_nul_and_missing()
        self._refuse_rounded_ids()
        self._read_event_at()
        self._read_booked_on()
        self._read_labels()
        self._refuse_unknown_status()

    def refuse(self, reason: str, column: str | None, rows: Mask) -> None:
        """The `rows` are broken for this reason, in the source column of `column`; unsplit records keep their own."""
        if rows.any():
            self.broken.append(Broken(reason, self.sources.get(column or ""), rows & self._is_split))

    def is_missing(self, column: str) -> Mask:
        """Where the column has no value or only spaces."""
        return mask(pc.is_null(tidy(self.texts[column])))

    def _refuse_nul_and_missing(self) -> None:
        required = cleaned_table(self.spec).required
        for name in self.sources:
            has_nul = (mask(pc.match_substring(flat(self.rows[source]), "\0")) for source in self._read_from(name))
            self.refuse(f"{name}_has_nul", name, np.logical_or.reduce(list(has_nul)))
            if name in required:
                self.refuse(f"{name}_is_missing", name, self.is_missing(name))

    def _read_from(self, name: str) -> list[str]:
        if name in self.spec.pass_through:
            return [name]
        return [spellings[0] for _, spellings in mapped(self.spec)[name].readers()]

    def _refuse_rounded_ids(self) -> None:
        for name in IDS:
            if name in self.texts:
                rounded = is_rounded_by_a_spreadsheet(self.texts[name])
                self.refuse(f"{name}_was_rounded_by_a_spreadsheet", name, rounded)

    def _read_event_at(self) -> None:
        text, written = self.texts["event_at"], self.spec.columns.event_at
        read = stepped(text, written.steps) if written.steps else moments(text, written.formats)
        event = instants(read, self.spec.time_zone, self.spec.event_precision)
        self.refuse("event_at_is_not_a_time", "event_at", mask(pc.is_valid(text)) & ~read.is_read & ~read.fits_two)
        self.refuse("event_at_fits_two_formats", "event_at", read.fits_two)
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
        self.refuse("booked_on_is_not_a_date", "booked_on", mask(pc.is_valid(text)) & ~read.is_read & ~read.fits_two)
        self.refuse("booked_on_fits_two_formats", "booked_on", read.fits_two)
        days = (read.microseconds // DAY_US).astype(np.int32)
        self.columns["booked_on"] = pa.array(days, pa.int32(), mask=~read.is_read).cast(DAY)

    def _refuse_unknown_status(self) -> None:
        if "status" in self.texts:
            is_known = mask(pc.is_in(self.texts["status"], value_set=pa.array(["pending", "posted"])))
            self.refuse("status_is_unknown", "status", mask(pc.is_valid(self.texts["status"])) & ~is_known)

    def _read_labels(self) -> None:
        known = self.spec.labels
        if known is None:
            self.columns["is_fraud"] = pa.nulls(self.rows.num_rows, pa.bool_())
            return
        self.columns["is_fraud"], is_unknown = labels(self.texts["is_fraud"], known)
        self.refuse("is_fraud_is_unknown", "is_fraud", is_unknown)


def business_days(rows: pa.Table) -> npt.NDArray[np.int64]:
    """The business dates as days since 1970."""
    days: npt.NDArray[np.int64] = flat(rows["business_date"]).cast(pa.int32()).to_numpy().astype(np.int64)
    return days
