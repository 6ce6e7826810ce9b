"""Dagster's I/O manager on any warehouse: key prefix = schema, last part of the key = table, the rest in metadata.

Usable by any Dagster project; what an asset may say in its metadata stands in `asset_metadata.py`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import dagster as dg
import pyarrow as pa

from etl_assets.contracts import ContractBroken
from etl_assets.io_managers.asset_metadata import Asked, asked_of
from etl_assets.io_managers.errors import NeverWritten, Permanent
from etl_assets.io_managers.frames import as_annotated, rows_of
from etl_assets.io_managers.partitions import Context, narrow, slice_of
from etl_assets.io_managers.slices import Partial, Slice
from etl_assets.io_managers.targets import Target
from etl_assets.io_managers.warehouses import Warehouse


class WarehouseIOManager(dg.ConfigurableIOManager):
    """The slice of a run's partitions holds exactly what the asset returned, or what it held before.

    Rerunning a partition replaces it. An asset over a range may return `Partial`: its refused partitions keep
    their rows and are not recorded as materialised; where all are refused, the step fails.
    """

    @property
    @abstractmethod
    def tables(self) -> Warehouse:
        """The tables behind it."""

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """The asset's rows are in its table, counted per partition in the materialisation's metadata."""
        partial = obj if isinstance(obj, Partial) else Partial(obj)
        narrow(context, partial.refused)
        asked = asked_of(context.definition_metadata, context.asset_key)
        try:
            rows = rows_of(partial.rows)
            contract = asked.contract or self.tables.inferred(
                asked.table, rows.schema, asked.keys, asked.partition_column
            )
            target = Target(asked.schema, contract, asked.layout, asked.drift)
            slice_ = slice_of(context, asked.partition_expr, contract.schema)
            counts = self.tables.write(
                target, slice_, partial.rows, context.run_id, mode=asked.mode, refused=partial.refused
            )
        except (ContractBroken, Permanent) as refusal:
            raise _named(refusal, context) from refusal
        if partial.refused and not slice_.keys:
            reasons = "; ".join(f"{key}: {why}" for key, why in sorted(partial.refused.items()))
            raise Permanent(f"{context.asset_key.to_user_string()}: nothing was published. {reasons}")
        _describe(context, self.tables.called(target), counts)

    def load_input(self, context: dg.InputContext) -> object:
        """The upstream slice in the shape that the parameter is annotated with.

        The input's metadata may select `columns`, as in Dagster's own database I/O managers, and
        `allow_missing_partitions`: those that were never written are then no rows. Streams may come `in_any_order`.

        Raises: NeverWritten with the asset and the partitions.
        """
        upstream = context.upstream_output
        if upstream is None:
            raise Permanent(f"input {context.name} has no upstream asset")
        asked = asked_of(upstream.definition_metadata, context.asset_key)
        said = context.definition_metadata or {}
        columns: Sequence[str] | None = said.get("columns")
        warehouse = self.tables
        try:
            contract = asked.contract or warehouse.described(asked.schema, asked.table, asked.partition_column)
            slice_ = slice_of(context, asked.partition_expr, contract.schema)
            may_miss = bool(said.get("allow_missing_partitions"))
            _refuse_never_written(warehouse, asked, slice_, may_miss=may_miss)
            annotation = context.dagster_type.typing_type
            target = Target(asked.schema, contract, asked.layout, asked.drift)
            if annotation is pa.RecordBatchReader:
                in_any_order = bool(said.get("in_any_order"))
                return warehouse.read_batches(
                    target, slice_, columns, must_exist=not may_miss, in_any_order=in_any_order
                )
            return as_annotated(warehouse.read_slice(target, slice_, columns, must_exist=not may_miss), annotation)
        except (ContractBroken, Permanent) as refusal:
            raise _named(refusal, context) from refusal


def _refuse_never_written(warehouse: Warehouse, asked: Asked, slice_: Slice, *, may_miss: bool) -> None:
    written = frozenset[str]() if may_miss else warehouse.written(asked.schema, asked.table)
    missing = [] if may_miss else [key for key in slice_.keys if key not in written]
    if missing and slice_.dimensions:
        shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise NeverWritten(
            f"the partitions {shown} have never been written; materialise them, or say "
            "`allow_missing_partitions` in the input's metadata if no rows are right"
        )


def _named(refusal: ContractBroken | Permanent, context: Context) -> Permanent:
    """The same refusal with the asset and the partitions in front."""
    keys = list(context.asset_partition_keys) if context.has_asset_partitions else []
    span = f" [{' to '.join(dict.fromkeys((keys[0], keys[-1])))}]" if keys else ""
    said = refusal.description if isinstance(refusal, Permanent) else str(refusal)
    kind = type(refusal) if isinstance(refusal, Permanent) else Permanent
    return kind(f"asset {context.asset_key.to_user_string()}{span}: {said}")


def _describe(context: dg.OutputContext, table: str, counts: Mapping[str, int]) -> None:
    context.add_output_metadata({"dagster/table_name": table})
    if not context.has_asset_partitions:
        context.add_output_metadata({"dagster/row_count": sum(counts.values())})
        return
    for key, count in counts.items():
        context.step_context.add_asset_metadata(
            {"dagster/partition_row_count": count}, asset_key=context.asset_key, partition_key=key
        )
