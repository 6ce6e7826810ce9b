"""Dagster's I/O manager on PostgreSQL: key prefix = schema, last part of the key = table, contract in metadata.

Usable by any Dagster project: it takes a `Table.to_dict()` from the asset's `contract` metadata.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import pandas as pd
import polars as pl
import pyarrow as pa
from pydantic import Field

from etl_assets.contracts import ContractBroken, Table
from etl_assets.io_managers.errors import Permanent
from etl_assets.io_managers.postgres import PostgresWarehouse
from etl_assets.io_managers.postgres_statements import Target
from etl_assets.io_managers.slices import Partial, narrow, slice_of

CONTRACT = "contract"


class PostgresIOManager(dg.ConfigurableIOManager):
    """The slice of a run's partitions holds exactly what the asset returned, or what it held before.

    Rerunning a partition replaces it. An asset over a range may return `Partial`: its refused partitions keep
    their rows and are not recorded as materialised; where all are refused, the step fails.
    """

    url: str = Field(description="postgresql://user:password@host:port/database, usually from the environment")

    def __repr__(self) -> str:
        """Without the URL: a resource's repr ends up in logs."""
        return "PostgresIOManager(...)"

    @property
    def warehouse(self) -> PostgresWarehouse:
        """The tables behind it."""
        return PostgresWarehouse(url=self.url)

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """The asset's rows are in its table, counted per partition in the materialisation's metadata."""
        contract = contract_of(context.definition_metadata, context.asset_key)
        partial = obj if isinstance(obj, Partial) else Partial(obj)
        narrow(context, partial.refused)
        column = contract.partition_column
        slice_ = slice_of(context, column, contract.schema.field(column).type if column else None)
        target = Target(schema_of(context.asset_key), contract)
        try:
            counts = self.warehouse.replace_slice(
                target, slice_, to_arrow(partial.rows), context.run_id, partial.refused
            )
        except ContractBroken as broken:
            raise Permanent(f"{context.asset_key.to_user_string()} [{slice_.span()}]: {broken}") from broken
        if partial.refused and not slice_.parts:
            reasons = "; ".join(f"{key}: {why}" for key, why in sorted(partial.refused.items()))
            raise Permanent(f"{context.asset_key.to_user_string()}: nothing was published. {reasons}")
        self._describe(context, target, counts)

    def load_input(self, context: dg.InputContext) -> object:
        """The upstream slice in the shape that the parameter is annotated with; a table never written is refused.

        The input's `columns` metadata selects columns, as in Dagster's own database I/O managers.
        """
        upstream = context.upstream_output
        if upstream is None:
            raise Permanent(f"input {context.name} has no upstream asset")
        contract = contract_of(upstream.definition_metadata, context.asset_key)
        column = contract.partition_column
        slice_ = slice_of(context, column, contract.schema.field(column).type if column else None)
        columns: Sequence[str] | None = (context.definition_metadata or {}).get("columns")
        rows = self.warehouse.read_slice(Target(schema_of(context.asset_key), contract), slice_, columns)
        return from_arrow(rows, context.dagster_type.typing_type)

    def _describe(self, context: dg.OutputContext, target: Target, counts: Mapping[str, int]) -> None:
        context.add_output_metadata({"dagster/table_name": target.name})
        if not context.has_asset_partitions:
            context.add_output_metadata({"dagster/row_count": sum(counts.values())})
            return
        for key, count in counts.items():
            context.step_context.add_asset_metadata(
                {"dagster/partition_row_count": count}, asset_key=context.asset_key, partition_key=key
            )


def contract_of(metadata: Mapping[str, Any] | None, key: dg.AssetKey) -> Table:
    """The table that the asset's metadata promises."""
    found = (metadata or {}).get(CONTRACT)
    contract = found.data if isinstance(found, dg.JsonMetadataValue) else found
    if not isinstance(contract, Mapping):
        raise Permanent(f"asset {key.to_user_string()} has no `{CONTRACT}` in its metadata; give it a Table.to_dict()")
    return Table.from_dict(contract)


def schema_of(key: dg.AssetKey) -> str:
    """The key's prefix as schema; `public` for a key without one."""
    return "_".join(key.path[:-1]) or "public"


def table_metadata(contract: Table) -> dict[str, Any]:
    """The metadata that an asset needs: the contract for the I/O manager, its columns for Dagster's column view."""
    return {CONTRACT: contract.to_dict(), "dagster/column_schema": _column_schema(contract)}


def _column_schema(contract: Table) -> dg.TableSchema:
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                type=str(column.type),
                description=column.description + (f" Unit: {column.unit}." if column.unit else ""),
                constraints=dg.TableColumnConstraints(nullable=column.name not in contract.required),
            )
            for column in contract.columns
        ]
    )


def to_arrow(rows: object) -> pa.Table:
    """The asset's value as an Arrow table, whichever of the supported frames it is."""
    match rows:
        case pa.Table():
            return rows
        case pa.RecordBatchReader():
            return rows.read_all()
        case pl.DataFrame():
            return rows.to_arrow()
        case pd.DataFrame():
            return pa.Table.from_pandas(rows, preserve_index=False)
    raise Permanent(f"cannot store a {type(rows).__name__}; return a pyarrow.Table, polars or pandas DataFrame")


def from_arrow(rows: pa.Table, annotation: object) -> object:
    """The rows in the annotated type; Arrow where there is no annotation."""
    if annotation is pl.DataFrame:
        return pl.from_arrow(rows)
    if annotation is pd.DataFrame:
        return rows.to_pandas()
    if annotation is pa.RecordBatchReader:
        return rows.to_reader()
    return rows
