"""What an asset says about its table in Dagster's metadata, read and written in one place.

| key | meaning |
|---|---|
| `contract` | `Table.to_dict()`, or "inferred": the table is what the first rows need |
| `schema` | another schema than the key's prefix |
| `partition_expr` | the partition column; for MultiPartitions a column per dimension |
| `keys` | the unique columns of an inferred table |
| `write_mode` | `targets.Mode` |
| `layout` | `targets.Layout` |
| `schema_drift` | `targets.Drift` |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import dagster as dg

from etl_assets.contracts import Table
from etl_assets.io_managers.errors import Permanent
from etl_assets.io_managers.partitions import PartitionExpr
from etl_assets.io_managers.targets import Drift, Layout, Mode

CONTRACT, INFERRED = "contract", "inferred"
Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True)
class Asked:
    """A table as the asset asks for it; no contract where it is inferred."""

    schema: str
    table: str
    contract: Table | None
    partition_expr: PartitionExpr
    keys: tuple[str, ...]
    mode: Mode
    layout: Layout
    drift: Drift

    @property
    def partition_column(self) -> str | None:
        return self.partition_expr if isinstance(self.partition_expr, str) else None


def asked_of(metadata: Mapping[str, Any] | None, key: dg.AssetKey) -> Asked:
    """What the asset's metadata asks for.

    Raises: Permanent with the asset, for a contract that is missing and not inferred, or an unknown choice.
    """
    said = {name: getattr(value, "value", value) for name, value in (metadata or {}).items()}
    contract = _contract(said.get(CONTRACT), key)
    column = contract.partition_column if contract else None
    return Asked(
        schema=said.get("schema") or "_".join(key.path[:-1]) or "public",
        table=contract.name if contract else key.path[-1],
        contract=contract,
        partition_expr=said.get("partition_expr", column),
        keys=contract.key if contract else tuple(said.get("keys") or ()),
        mode=_choice(Mode, said, "write_mode", key),
        layout=_choice(Layout, said, "layout", key),
        drift=_choice(Drift, said, "schema_drift", key),
    )


def table_metadata(contract: Table) -> dict[str, Any]:
    """The metadata that an asset needs: the contract for the I/O manager, its columns for Dagster's column view."""
    return {CONTRACT: contract.to_dict(), "dagster/column_schema": _column_schema(contract)}


def _contract(said: object, key: dg.AssetKey) -> Table | None:
    if isinstance(said, Mapping):
        return Table.from_dict(said)
    if said == INFERRED:
        return None
    raise Permanent(
        f"asset {key.to_user_string()} has no `{CONTRACT}` in its metadata; give it a Table.to_dict(), or "
        f'"{INFERRED}" to take the table from the first rows'
    )


def _choice(choices: type[Choice], said: Mapping[str, Any], name: str, key: dg.AssetKey) -> Choice:
    """The first choice is the default."""
    known = list(choices)
    try:
        return choices(said.get(name, known[0]))
    except ValueError:
        raise Permanent(
            f"asset {key.to_user_string()}: `{name}` is {said[name]!r}; it can be {', '.join(known)}"
        ) from None


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
