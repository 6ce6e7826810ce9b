"""Questions about the quarantine of one institution: how many rows, which ones, and how they were delivered.

Reads only. What is done about a row belongs to `replay.py`, how it is printed to `commands/quarantine.py`.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from etl_assets.contracts import quoted
from etl_assets.institution_spec import InstitutionSpec
from etl_assets.io_managers.postgres.schema import qualified
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.repair.repairs import Key
from etl_assets.tables import QUARANTINED, raw_table

KEYS = "jsonb_to_recordset($1::jsonb) AS k(d text, n bigint)"


@dataclass(frozen=True)
class Filter:
    """Which quarantined rows are meant; what is None does not matter."""

    first: date | None = None
    last: date | None = None
    reason: str | None = None
    disposition: str | None = None
    file: str | None = None

    def where(self) -> tuple[str, list[object]]:
        """The condition on `q` with its bound values."""
        asked: dict[str, object] = {
            "q.business_date >= {}": self.first,
            "q.business_date <= {}": self.last,
            "{} = ANY (string_to_array(q.reasons, ','))": self.reason,
            "q.disposition = {}": self.disposition,
            "q.file = {}": self.file,
        }
        given = [(condition, value) for condition, value in asked.items() if value is not None]
        said = [condition.format(f"${n}") for n, (condition, _) in enumerate(given, start=1)]
        return " AND ".join(said) or "true", [value for _, value in given]

    def in_words(self) -> str:
        """The filter as the audit trail keeps it."""
        named = {
            "from": self.first,
            "to": self.last,
            "reason": self.reason,
            "disposition": self.disposition,
            "file": self.file,
        }
        return ", ".join(f"{name} {value}" for name, value in named.items() if value is not None) or "all of it"


@dataclass(frozen=True)
class Quarantine:
    """The quarantine of one institution, and the raw rows behind it; empty before anything was cleaned."""

    warehouse: PostgresWarehouse
    spec: InstitutionSpec

    def counts(self, which: Filter) -> pa.Table:
        """Rows per business date, disposition and reason; a row with two reasons is counted under both."""
        where, values = which.where()
        return self._fetch(
            f"SELECT q.business_date, q.disposition, reason, count(*) AS rows FROM {self._at(QUARANTINED.name)} q, "
            f"unnest(string_to_array(q.reasons, ',')) AS reason WHERE {where} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
            values,
        )

    def rows(self, which: Filter, limit: int | None = None) -> pa.Table:
        """The quarantined rows themselves, in the order of date, file and line."""
        where, values = which.where()
        most = "" if limit is None else f" LIMIT {limit:d}"
        return self._fetch(
            f"SELECT q.* FROM {self._at(QUARANTINED.name)} q WHERE {where} "
            f"ORDER BY q.business_date, q.file, q._delivery_id, q._row_number{most}",
            values,
        )

    def of(self, keys: Collection[Key]) -> pa.Table:
        """The quarantined rows with these keys."""
        return self._fetch(f"SELECT q.* FROM {self._at(QUARANTINED.name)} q JOIN {KEYS} {_on('q')}", [_bound(keys)])

    def repeating(self, keys: Collection[Key]) -> list[Key]:
        """The quarantined rows that repeat one of these, or are superseded by one."""
        found = self._fetch(
            f"SELECT q._delivery_id, q._row_number FROM {self._at(QUARANTINED.name)} q JOIN {KEYS} "
            "ON q.repeats_delivery_id = k.d AND q.repeats_row_number = k.n",
            [_bound(keys)],
        )
        return [(row["_delivery_id"], row["_row_number"]) for row in found.to_pylist()]

    def delivered(self, keys: Collection[Key]) -> pa.Table:
        """The raw rows with these keys: their first form, as it was delivered."""
        table = raw_table(self.spec)
        columns = ", ".join(f"r.{quoted(name)}" for name in table.schema.names)
        if not keys or not self.warehouse.exists(self.spec.institution, table.name):
            return table.empty()
        found = self._fetch(
            f"SELECT {columns} FROM {KEYS} JOIN {self._at('deliveries')} d ON d._delivery_id = k.d "
            f"JOIN {self._at(table.name)} r ON r.business_date = d.business_date AND r._delivery_id = k.d "
            "AND r._row_number = k.n ORDER BY r.business_date, r._file, r._delivery_id, r._row_number",
            [_bound(keys)],
        )
        return found.cast(table.schema)

    def published(self, keys: Collection[Key]) -> int:
        """How many of these rows are published now."""
        cleaned = self._at("cleaned_transactions")
        found = self._fetch(f"SELECT count(*) AS n FROM {cleaned} c JOIN {KEYS} {_on('c')}", [_bound(keys)])
        return int(found["n"][0].as_py()) if "n" in found.column_names else 0

    def _fetch(self, sql: str, values: list[object]) -> pa.Table:
        if not self.warehouse.exists(self.spec.institution, QUARANTINED.name):
            return QUARANTINED.empty()
        return self.warehouse.fetch(sql, values)

    def _at(self, table: str) -> str:
        return qualified(self.spec.institution, table)


def _on(alias: str) -> str:
    return f"ON {alias}._delivery_id = k.d AND {alias}._row_number = k.n"


def _bound(keys: Collection[Key]) -> str:
    return json.dumps([{"d": delivery_id, "n": row_number} for delivery_id, row_number in keys])
