"""The columns that no spec names, kept as one JSON object per row: without those that are personal.

Which those are says `spec/privacy.py`.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.sources.json_values import Parser, as_text, compact
from etl_assets.sources.layout import DeliveryRejected
from etl_assets.sources.tokens import Keys
from etl_assets.spec.privacy import Fate, PersonalData, plain_title

GONE = object()


@dataclass(frozen=True)
class Undeclared:
    """What becomes of `_extra`. `named` are the personal columns among those that the spec does not map."""

    personal: PersonalData
    named: tuple[str, ...]
    keys: Keys | None
    known: dict[str, Fate] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, spec: InstitutionSpec, keys: Keys | None) -> Undeclared:
        personal = spec.personal_data
        declared = {plain_title(title) for titles in spec.declared.values() for title in titles}
        named = (title for title in (*personal.tokens, *personal.dropped) if plain_title(title) not in declared)
        return cls(personal, tuple(named), keys)

    def protected(self, extra: pa.ChunkedArray, problems: pa.ChunkedArray) -> pa.ChunkedArray:
        """The objects with tokens for what is a token and without what is not kept.

        Raises: DeliveryRejected, if undeclared columns are kept and one that is personal is not among them: a column
        that was renamed would else be kept in the clear.
        """
        if self.personal.keeps_undeclared and not self.named:
            return extra
        if not self.personal.keeps_undeclared and not set(self.named) & set(self.personal.tokens):
            return pa.chunked_array([pa.nulls(len(extra), pa.string())])
        seen: set[str] = set()
        flat = extra.combine_chunks()
        protected = self._at_once(flat, seen)
        if protected is None:
            protected = pa.array([self._one_by_one(text, seen) for text in flat.to_pylist()], pa.string())
        if problems.null_count:
            self._refuse_renamed(seen)
        return pa.chunked_array([protected])

    def _refuse_renamed(self, seen: Collection[str]) -> None:
        missing = [title for title in self.named if plain_title(title) not in seen]
        if missing and self.personal.keeps_undeclared:
            raise DeliveryRejected(
                f"no record has {', '.join(map(repr, missing))}, which personal_data names, and undeclared columns are "
                "kept: correct the name, map the column with its spellings under `columns`, or set "
                "personal_data.undeclared to drop"
            )

    def _at_once(self, extra: pa.Array, seen: set[str]) -> pa.Array | None:
        """The same for all rows together, where all have the columns of the first and plain text in them; else None."""
        is_there = pc.is_valid(extra)
        texts = extra.filter(is_there)
        titles = _titles(texts[0].as_py()) if len(texts) else None
        if titles is None or self.keys is None:
            return None
        series = pl.Series(texts)
        fields = series.str.json_decode(pl.Struct(dict.fromkeys(titles, pl.String)))
        if not fields.struct.json_encode().equals(series):
            return None
        seen.update(map(plain_title, titles))
        stays = {"token", "kept"} if self.personal.keeps_undeclared else {"token"}
        frame, kept = fields.struct.unnest(), [title for title in titles if self._fate(title) in stays]
        columns = {t: frame[t] if self._fate(t) == "kept" else _tokens(frame[t], self.keys) for t in kept}
        if not columns:
            return pa.nulls(len(extra), pa.string())
        written = pl.DataFrame(columns).select(pl.struct(pl.all()).struct.json_encode()).to_series()
        return pc.replace_with_mask(extra, is_there, written.to_arrow().cast(pa.string()))

    def _one_by_one(self, text: str | None, seen: set[str]) -> str | None:
        if text is None:
            return None
        record = self._left_of(Parser().value(text)[0], "", seen)
        return compact(record) if isinstance(record, dict) and record else None

    def _left_of(self, value: Any, path: str, seen: set[str]) -> Any:
        """What is kept of a value, GONE where nothing is; what is nested is named by its path, `holder.name`."""
        seen.add(plain_title(path))
        fate = self._fate(path) if path else "kept"
        if fate != "kept":
            return GONE if fate == "dropped" else self._token(value)
        if isinstance(value, dict):
            below = f"{path}." if path else ""
            left = {title: self._left_of(inner, below + title, seen) for title, inner in value.items()}
            return {title: inner for title, inner in left.items() if inner is not GONE} or self._unless_kept(value)
        if isinstance(value, list):
            items = [self._left_of(item, path, seen) for item in value]
            return [item for item in items if item is not GONE] or self._unless_kept(value)
        return self._unless_kept(value)

    def _unless_kept(self, value: Any) -> Any:
        """A value of which nothing is left, or that has nothing in it."""
        if not self.personal.keeps_undeclared:
            return GONE
        return type(value)() if isinstance(value, dict | list) else value

    def _token(self, value: Any) -> str | None:
        text = pa.chunked_array([[as_text(value)]], pa.string())
        return None if self.keys is None else self.keys.tokens(text)[0].as_py()

    def _fate(self, title: str) -> Fate:
        if title not in self.known:
            self.known[title] = self.personal.fate(title)
        return self.known[title]


def _titles(text: str) -> list[str] | None:
    """The titles of an object, if all its values are text or null."""
    record = json.loads(text)
    return list(record) if record and all(v is None or isinstance(v, str) for v in record.values()) else None


def _tokens(column: pl.Series, keys: Keys) -> pl.Series:
    texts = column.to_arrow().cast(pa.string())
    return pl.Series(column.name, keys.tokens(pa.chunked_array([texts])))
