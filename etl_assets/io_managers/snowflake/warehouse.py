"""Tables of one Snowflake database, written and read by slices.

Generic: what the tables mean and which partitions a run has are the callers' business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
import pyarrow as pa

from etl_assets.contracts import Table
from etl_assets.io_managers.errors import NeverWritten
from etl_assets.io_managers.frames import rows_of
from etl_assets.io_managers.inference import inferred
from etl_assets.io_managers.slices import Slice
from etl_assets.io_managers.snowflake.connections import Session
from etl_assets.io_managers.snowflake.names import identifier, stored
from etl_assets.io_managers.snowflake.reading import Selection
from etl_assets.io_managers.snowflake.schema import NOTES, Known, create, known, table_of
from etl_assets.io_managers.snowflake.settings import SnowflakeSettings
from etl_assets.io_managers.snowflake.sql import asked
from etl_assets.io_managers.snowflake.types import arrow_of, sql_type
from etl_assets.io_managers.snowflake.writing import Write
from etl_assets.io_managers.targets import Drift, Mode, Target
from etl_assets.io_managers.warehouses import selected


class SnowflakeWarehouse(SnowflakeSettings, dg.ConfigurableResource):  # type: ignore[type-arg]
    """Typed tables in one Snowflake database."""

    def write(  # noqa: PLR0913  each says another thing about the write
        self,
        target: Target,
        slice_: Slice,
        rows: object,
        run_id: str,
        *,
        mode: Mode = Mode.REPLACE_PARTITION,
        refused: Mapping[str, str] | None = None,
    ) -> dict[str, int]:
        """The table is as `mode` says, or as it was before. Returns the rows per partition key.

        In `replace_partition`, the default: the slice holds exactly `rows`, or what it held before. They are staged
        first, in constant memory; then one transaction deletes the slice and inserts them. Writers of one table stage
        at the same time and publish one after the other. A lost session costs the step that it was in, so a stream is
        written to its end as well. Either layout is the same here: Snowflake partitions by itself.

        Raises: ContractBroken, TypeRefused (before connecting, as far as the schema shows it), SchemaDrifted (before
        anything is deleted), RowsOutsideSlice, KeyRepeated, Refused, OutcomeUnknown: all permanent; Unavailable:
        transient. After each of them but OutcomeUnknown the table has the rows that it had.
        """
        source = rows_of(rows)
        target.table.expect(source.schema.names)
        for column in target.table.columns:
            sql_type(column.type)
        write = Write(target, slice_, run_id, mode, refused or {})
        return write.perform(self.connections, source.batches()).by_key()

    def read_slice(
        self, target: Target, slice_: Slice, columns: Sequence[str] | None = None, *, must_exist: bool = True
    ) -> pa.Table:
        """The slice's rows with the contract's types; only `columns` leave the database.

        In the order of the key; where there is none, as Snowflake gives them. Where drift may `add`, columns that the
        table lacks are added first, and null.

        Raises: NeverWritten where the table is missing and `must_exist`; otherwise that is a typed empty table.
        """
        schema = selected(target.table, columns)
        if not self._is_there(target, must_exist=must_exist):
            return schema.empty_table()
        return self.connections.run(Selection(target, slice_, schema).read)

    def read_batches(
        self,
        target: Target,
        slice_: Slice,
        columns: Sequence[str] | None = None,
        *,
        must_exist: bool = True,
        in_any_order: bool = False,
    ) -> pa.RecordBatchReader:
        """What `read_slice` gives, as batches that arrive while they are used: memory stays flat.

        All are of the moment of the first. The reader holds a session until its last batch or its end. Rows
        `in_any_order` come sooner: the server need not sort them.
        """
        schema = selected(target.table, columns)
        if not self._is_there(target, must_exist=must_exist):
            return schema.empty_table().to_reader()
        selection = Selection(target, slice_, schema, in_any_order)

        def batches() -> Iterator[pa.RecordBatch]:
            with self.connections.session() as session:
                yield from selection.stream(session)

        return pa.RecordBatchReader.from_batches(schema, batches())

    def fetch(self, sql: str, values: Sequence[Any] = ()) -> pa.Table:
        """The query's result as Arrow; each `%s` in `sql` is one of `values`."""

        def read(session: Session) -> pa.Table:
            with session.cursor() as cursor:
                cursor.execute(sql, tuple(values) or None)
                # Each piece has the narrowest integers that do; the connector does not join unlike ones.
                pieces = list(cursor.fetch_arrow_batches())
                if len(pieces) > 1:
                    return pa.concat_tables(pieces, promote_options="permissive")
                return pieces[0] if pieces else cursor.fetch_arrow_all(force_return_table=True)

        return self.connections.run(read)

    def called(self, target: Target) -> str:
        """What people call the table, as they find it in Snowflake's catalogue."""
        return f"{self.database}.{stored(target.schema)}.{stored(target.table.name)}"

    def exists(self, schema: str, name: str) -> bool:
        """Whether somebody has written the table; an empty one that a failed first write has left is none."""
        return self._known(schema, name).is_written

    def described(self, schema: str, name: str, partition_column: str | None) -> Table:
        """The contract that the database itself holds, for tables that were made by inference.

        Raises: NeverWritten, TypeRefused.
        """
        return table_of(name, self._known(schema, name), partition_column)

    def inferred(self, name: str, rows: pa.Schema, key: tuple[str, ...], partition_column: str | None) -> Table:
        """The contract that rows of this schema need. Raises: TypeRefused with the column."""
        return inferred(name, rows, key, partition_column, lambda kind: arrow_of(sql_type(kind)))

    def written(self, schema: str, name: str) -> frozenset[str]:
        """Partition keys that have been written, empty ones included."""
        return frozenset(row["PARTITION_KEY"] for row in self._notes(schema, name) if row["IS_WRITTEN"])

    def refused(self, schema: str, name: str) -> dict[str, str]:
        """Partition keys whose last try was refused, with the reason; written before or not."""
        notes = self._notes(schema, name)
        return {row["PARTITION_KEY"]: row["REFUSAL"] for row in notes if row["REFUSAL"] is not None}

    def _is_there(self, target: Target, *, must_exist: bool) -> bool:
        is_there = self.exists(target.schema, target.table.name)
        if must_exist and not is_there:
            raise NeverWritten(f"{target.name} has never been written; materialise it first")
        if is_there and target.drift is Drift.ADD:
            self.connections.run(lambda session: create(session, target))
        return is_there

    def _known(self, schema: str, name: str) -> Known:
        return self.connections.run(lambda session: known(session, schema, name))

    def _notes(self, schema: str, name: str) -> list[dict[str, Any]]:
        if not self._known(schema, name).has_notes:
            return []
        question = (
            f"SELECT PARTITION_KEY, WRITTEN_AT IS NOT NULL AS IS_WRITTEN, REFUSAL FROM "
            f"{identifier(schema, NOTES + name)} WHERE PARTITION_KEY IS NOT NULL"
        )
        return self.connections.run(lambda session: asked(session, question))
