"""What has changed between the header of one delivery and that of the next.

Pure: titles with their types in, events out. Which delivery was the one before belongs to `schema_log.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.sources.layout import optional_columns

ANY_OF = " or "


@dataclass(frozen=True)
class SchemaEvent:
    """A column is spelt otherwise, is new, is gone, or has another type; `was` and `is_` are spellings or types."""

    kind: Literal["renamed", "added", "removed", "retyped"]
    column: str
    was: str | None
    is_: str | None


def events(
    previous: Mapping[str, str] | None, current: Mapping[str, str], spec: InstitutionSpec
) -> tuple[SchemaEvent, ...]:
    """Every change of the header, by column; none for the first delivery, nor for another order of the columns.

    A declared column is the same under any of its spellings, another one under titles that differ in nothing but
    case, spaces and marks (`id_08`, `ID-08`). An optional column may come and go, and a column of mixed types has a
    new one only when it has none of the old.
    """
    if not previous or not current:
        return ()
    before, after = _by_column(previous, current, spec), _by_column(current, previous, spec)
    same, may_lack, declared = _same(before, after), {*optional_columns(spec)}, spec.declared
    gone, new = before.keys() - same.keys() - may_lack, after.keys() - {*same.values()} - may_lack
    found = [SchemaEvent("removed", column, previous[before[column]], None) for column in gone]
    found += [SchemaEvent("added", column, None, current[after[column]]) for column in new]
    for old, now in same.items():
        column, was, is_ = old if old in declared else now, before[old], after[now]
        if was != is_:
            found.append(SchemaEvent("renamed", column, was, is_))
        if _differ(previous[was], current[is_]):
            found.append(SchemaEvent("retyped", column, previous[was], current[is_]))
    return tuple(sorted(found, key=lambda event: (event.column, event.kind)))


def _by_column(titles: Mapping[str, str], others: Mapping[str, str], spec: InstitutionSpec) -> dict[str, str]:
    """Column -> its title, of two (as records of JSON may have) the one that the other header has too.

    A column that nobody declared is called by its title.
    """
    names = {spelling: name for name, spellings in spec.declared.items() for spelling in spellings}
    return {names.get(title, title): title for title in sorted(titles, key=lambda title: (title in others, title))}


def _same(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    """Column of the earlier header -> the same column of the later one."""
    left = {_spelling(title): column for column, title in before.items() if column not in after}
    respelt = {_spelling(title): column for column, title in after.items() if column not in before}
    kept = {column: column for column in before if column in after}
    return kept | {column: respelt[spelling] for spelling, column in left.items() if spelling in respelt}


def _spelling(title: str) -> str:
    """What is left of a title without case, spaces and marks."""
    return "".join(character for character in title.casefold() if character.isalnum()) or title


def _differ(was: str, is_: str) -> bool:
    """Whether no value of today has a type that yesterday's had; a column of nothing but nulls has no type."""
    return bool(was and is_) and set(was.split(ANY_OF)).isdisjoint(is_.split(ANY_OF))
