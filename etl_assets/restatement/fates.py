"""Which published days hold rows that have another fate by now: repeated or superseded by rows of another day.

Only rows whose key two days share can be versions of one another, so only they are read and judged again. When to
ask is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import NamedTuple

import pyarrow as pa
from psycopg import sql

from etl_assets.contracts import quoted
from etl_assets.institution_spec import CANONICAL_TEXT, InstitutionSpec
from etl_assets.io_managers.postgres.schema import qualified
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.repair.repairs import Repairs
from etl_assets.restatement.decision import around
from etl_assets.tables import raw_table
from etl_assets.transforms.canonical import sources
from etl_assets.transforms.cleaning import clean
from etl_assets.transforms.corrections import corrected

INVALID, PUBLISHED = "invalid", "published"
FATE = ("business_date", "disposition", "repeats_delivery_id", "repeats_row_number")
ROW = ("business_date", "_delivery_id", "_row_number")
Row = tuple[str, int]


class Fate(NamedTuple):
    """What became of a row of a day, and because of which other row."""

    business_date: date
    disposition: str
    repeats_delivery_id: str | None = None
    repeats_row_number: int | None = None


def disagreeing(warehouse: PostgresWarehouse, spec: InstitutionSpec, changed: Collection[date]) -> set[date]:
    """The days within the horizon of a changed one whose stored rows are not what the raw rows now make of them.

    A row that is invalid, then or now, is no matter of other days. Raises: Unavailable.
    """
    near = around(changed, 2 * spec.duplicate_horizon_days, 2 * spec.duplicate_horizon_days)
    corrections = Repairs(warehouse, spec.institution).in_force(min(near), max(near))
    shared = related(spec, changed, has_corrections=corrections.num_rows > 0)
    columns = ", ".join(quoted(name) for name in raw_table(spec).schema.names)
    raw = warehouse.fetch(f"{shared} SELECT {columns} FROM related")  # noqa: S608
    if raw.num_rows == 0:
        return set()
    now, then = expected(corrected(raw, corrections, spec), spec), stored(warehouse.fetch(shared + _stored(spec)))
    found = {now[row].business_date for row in now.keys() & then.keys() if now[row] != then[row]}
    return found & around(changed, spec.duplicate_horizon_days, spec.duplicate_horizon_days)


def expected(raw: pa.Table, spec: InstitutionSpec) -> dict[Row, Fate]:
    """What becomes of each of the valid rows."""
    days = raw["business_date"].to_pylist()
    found = clean(raw, spec, min(days), max(days))
    published = found.published.select(ROW).append_column(
        "disposition", pa.repeat(pa.scalar(PUBLISHED), found.published.num_rows)
    )
    return stored(published) | stored(found.quarantined)


def stored(rows: pa.Table) -> dict[Row, Fate]:
    """The fate of each valid row by delivery and line; columns that are not there are null."""
    wanted = [name for name in (*ROW, *FATE[1:]) if name in rows.column_names]
    return {
        (row.pop("_delivery_id"), row.pop("_row_number")): Fate(**row)
        for row in rows.select(wanted).to_pylist()
        if row["disposition"] != INVALID
    }


def related(spec: InstitutionSpec, changed: Collection[date], *, has_corrections: bool) -> str:
    """The common table `related`: raw rows whose key a changed day shares with a day near it, versions of those too.

    The key is compared as text. Where an institution has none, all published text is: equal contents have equal text.
    A record that was corrected has the key that the correction gives it.
    """
    horizon = spec.duplicate_horizon_days
    keys = _keys(spec)
    named = ", ".join(f"{key} AS k{n}" for n, key in enumerate(keys))
    numbered = ", ".join(f"k{n}" for n in range(len(keys)))
    raw = _corrected(spec) if has_corrections else qualified(spec.institution, "raw_transactions")
    return f"""
        WITH near AS (
            SELECT business_date, {named} FROM {raw}
            WHERE _problem IS NULL AND {_within(around(changed, horizon, horizon))}),
        shared AS (
            SELECT {numbered} FROM near GROUP BY {numbered}
            HAVING min(business_date) <> max(business_date) AND bool_or({_within(changed)})),
        related AS (
            SELECT r.* FROM (
                SELECT *, {named} FROM {raw}
                WHERE _problem IS NULL AND {_within(around(changed, 2 * horizon, 2 * horizon))}) r
            JOIN shared USING ({numbered}))"""  # noqa: S608


def _corrected(spec: InstitutionSpec) -> str:
    """SQL for the raw rows with the fields that the corrections in force give them.

    For finding them by key only; what they then are is worked out by the code that every run uses.
    """
    raw, corrections = (qualified(spec.institution, name) for name in ("raw_transactions", "corrections"))
    said = {name: sql.Literal(name).as_string() for name in spec.declared}
    values = {name: f"r.{quoted(name)}" for name in raw_table(spec).schema.names}
    for name, key in said.items():
        values[name] = f"CASE WHEN jsonb_exists(c.fields, {key}) THEN c.fields->>{key} ELSE {values[name]} END"
    values["_problem"] = (
        f"CASE WHEN jsonb_exists_all(c.fields, ARRAY[{', '.join(said.values())}]) THEN NULL ELSE r._problem END"
    )
    columns = ", ".join(f"{value} AS {quoted(name)}" for name, value in values.items())
    return f"""(
        SELECT {columns} FROM {raw} r LEFT JOIN (
            SELECT DISTINCT ON (_delivery_id, _row_number) _delivery_id, _row_number, fields::jsonb AS fields
            FROM {corrections} ORDER BY _delivery_id, _row_number, corrected_at DESC) c
        USING (_delivery_id, _row_number)) corrected_rows"""  # noqa: S608


def _stored(spec: InstitutionSpec) -> str:
    row = ", ".join(ROW)
    cleaned, quarantined = (
        qualified(spec.institution, name) for name in ("cleaned_transactions", "quarantined_transactions")
    )
    return f"""
        SELECT {row}, '{PUBLISHED}' AS disposition, NULL AS repeats_delivery_id, NULL::bigint AS repeats_row_number
        FROM {cleaned} JOIN related USING ({row})
        UNION ALL
        SELECT {row}, disposition, repeats_delivery_id, repeats_row_number
        FROM {quarantined} JOIN related USING ({row})"""  # noqa: S608


def _keys(spec: InstitutionSpec) -> list[str]:
    """SQL for the text of each key column; of a source without one, for all text that is published."""
    names = [name for name in (*CANONICAL_TEXT, *spec.pass_through) if name in sources(spec)]
    texts = {name: text for name in names if (text := _text(spec, name)) is not None}
    return [texts[name] for name in spec.identity if name in texts] or list(texts.values()) or ["''::text"]


def _text(spec: InstitutionSpec, name: str) -> str | None:
    """What `canonical.published_text` gives, in SQL, null as empty text; None where words are mapped to others."""
    if name in spec.pass_through:
        return f"coalesce({quoted(name)}, '')"
    column = getattr(spec.columns, name)
    if getattr(column, "mapping", None):
        return None
    parts = (f"btrim(coalesce({quoted(source)}, ''), ' ')" for source in getattr(column, "sources", (column.source,)))
    return "btrim(" + " || ' ' || ".join(parts) + ", ' ')"


def _within(days: Collection[date]) -> str:
    return f"business_date IN ({', '.join(f'DATE {str(day)!r}' for day in sorted(days))})"
