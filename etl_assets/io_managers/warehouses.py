"""What every warehouse can do, and what each of them needs for it. No database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import pyarrow as pa

from etl_assets.contracts import Table
from etl_assets.io_managers.errors import Permanent
from etl_assets.io_managers.slices import Slice
from etl_assets.io_managers.targets import Mode, Target


class Warehouse(Protocol):
    """What a database must be able to do; `postgres.PostgresWarehouse` says what each promises."""

    def write(  # noqa: PLR0913  each says another thing about the write
        self,
        target: Target,
        slice_: Slice,
        rows: object,
        run_id: str,
        *,
        mode: Mode = ...,
        refused: Mapping[str, str] | None = ...,
    ) -> dict[str, int]: ...

    def read_slice(
        self, target: Target, slice_: Slice, columns: Sequence[str] | None = ..., *, must_exist: bool = ...
    ) -> pa.Table: ...

    def read_batches(
        self,
        target: Target,
        slice_: Slice,
        columns: Sequence[str] | None = ...,
        *,
        must_exist: bool = ...,
        in_any_order: bool = ...,
    ) -> pa.RecordBatchReader: ...

    def called(self, target: Target) -> str: ...

    def exists(self, schema: str, name: str) -> bool: ...

    def described(self, schema: str, name: str, partition_column: str | None) -> Table: ...

    def inferred(self, name: str, rows: pa.Schema, key: tuple[str, ...], partition_column: str | None) -> Table: ...

    def written(self, schema: str, name: str) -> frozenset[str]: ...


def selected(table: Table, columns: Sequence[str] | None) -> pa.Schema:
    """The contract's columns of these names, in their order; all, if none are named. Raises: Permanent."""
    if unknown := [name for name in columns or () if name not in table.schema.names]:
        raise Permanent(f"{table.name} has no columns {unknown}; it has {table.schema.names}")
    return pa.schema([table.schema.field(name) for name in columns or table.schema.names])
