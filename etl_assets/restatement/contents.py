"""What the stored tables say about themselves: which days were written when, and which hold other rows than before.

SQL over notes, raw, cleaned and quarantined rows; what follows from the answers is decided in `decision.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from etl_assets.contracts import quoted
from etl_assets.institution_spec import InstitutionSpec
from etl_assets.io_managers.postgres.schema import NOTES, qualified
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.slices import WHOLE
from etl_assets.io_managers.targets import Mode, Target
from etl_assets.restatement.decision import Content, Written, around
from etl_assets.restatement.fates import disagreeing
from etl_assets.restatement_tables import DAY_CONTENTS
from etl_assets.tables import LINEAGE, cleaned_table

RAW, CLEANED, QUARANTINED = "raw_transactions", "cleaned_transactions", "quarantined_transactions"
Notes = Mapping[str, Mapping[date, Written]]


@dataclass(frozen=True)
class Contents:
    """The tables of one institution, and the memory of what was seen in them."""

    warehouse: PostgresWarehouse
    spec: InstitutionSpec

    def notes(self) -> Notes:
        """Table -> business date -> its last write, for every partition that was ever published."""
        found: dict[str, dict[date, Written]] = defaultdict(dict)
        if not self.warehouse.exists(self.spec.institution, NOTES):
            return found
        rows = self._rows(
            f"SELECT table_name, partition_key::date, written_at, run_id, row_count, refusal IS NOT NULL "  # noqa: S608
            f"FROM {self._at(NOTES)} WHERE table_name LIKE '%%\\_transactions' AND written_at IS NOT NULL"
        )
        for table, day, *written in rows:
            found[table][day] = Written(*written)
        return found

    def known(self) -> tuple[dict[date, Content], dict[date, datetime]]:
        """What was seen before: the cleaned days, and the raw days that their neighbours were compared with."""
        rows = self.warehouse.read_slice(self._memory, WHOLE, must_exist=False).to_pylist()
        contents = {
            row["business_date"]: Content(row["digest"], row["written_at"], row["changed_at"], row["changed_by"])
            for row in rows
            if row["digest"] is not None
        }
        return contents, {row["business_date"]: row["compared_at"] for row in rows if row["compared_at"]}

    def look(self, days: Collection[date], known: Mapping[date, Content]) -> dict[date, Content]:
        """The cleaned days as they are now: one statement sees the rows and the note of the same write."""
        seen: dict[date, Content] = {}
        if not days:
            return seen
        for day, digest, *note in self._rows(self._digests(), [sorted(days), sorted(map(str, days))]):
            written = Written(note[0], note[1], 0)
            seen[day] = known[day].after(digest, written) if day in known else Content.first(digest, written)
        return seen

    def remember(self, contents: Mapping[date, Content], compared: Mapping[date, datetime]) -> None:
        """The next tick knows both; what is said of other days stays."""
        before, compared_before = self.known()
        days = {*contents, *compared}
        contents, compared = {**before, **contents}, {**compared_before, **compared}
        rows = [{"business_date": d, **_row(contents.get(d)), "compared_at": compared.get(d)} for d in sorted(days)]
        if rows:
            table = pa.Table.from_pylist(rows, schema=DAY_CONTENTS.schema)
            self.warehouse.write(self._memory, WHOLE, table, "restatement", mode=Mode.UPSERT)

    def disagreeing(self, changed: Collection[date], notes: Notes) -> set[date]:
        """The cleaned days that shall run again, now that the raw rows of `changed` are what they are.

        A day whose own raw rows are newer than its cleaned ones waits for its own run; a refused one for a person.
        """
        tables = (notes[RAW], notes[CLEANED], notes[QUARANTINED])
        settled = {
            day
            for day in around(changed, self.spec.duplicate_horizon_days, self.spec.duplicate_horizon_days)
            if all(day in table for table in tables)
            and not notes[CLEANED][day].is_refused
            and notes[RAW][day].at <= notes[CLEANED][day].at
        }
        return disagreeing(self.warehouse, self.spec, changed) & settled if settled else set()

    def _digests(self) -> str:
        shown = [name for name in cleaned_table(self.spec).schema.names if name not in {c.name for c in LINEAGE}]
        row = ", ".join(quoted(name) for name in shown).replace("%", "%%")
        return f"""
            SELECT n.partition_key::date, coalesce(d.digest, '0'), n.written_at, n.run_id
            FROM {self._at(NOTES)} n LEFT JOIN (
                SELECT business_date, sum(hashtextextended(ROW({row})::text, 0))::text AS digest
                FROM {self._at(CLEANED)} WHERE business_date = ANY(%s) GROUP BY 1) d
            ON d.business_date = n.partition_key::date
            WHERE n.table_name = '{CLEANED}' AND n.written_at IS NOT NULL AND n.partition_key = ANY(%s)"""  # noqa: S608

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self.warehouse.connections.run(lambda connection: connection.execute(sql, values).fetchall())

    def _at(self, table: str) -> str:
        return qualified(self.spec.institution, table)

    @property
    def _memory(self) -> Target:
        return Target(self.spec.institution, DAY_CONTENTS)


def _row(content: Content | None) -> dict[str, Any]:
    return {} if content is None else asdict(content)
