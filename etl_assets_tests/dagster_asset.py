"""One asset as Dagster runs it with the PostgreSQL I/O manager: written, read by another asset, its events.

Real runs in this process on an instance of its own; what is written and read is the test's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from etl_assets.io_managers.postgres.io_manager import PostgresIOManager

KEY = dg.AssetKey(["bank", "events"])
FIRST, LAST = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


@dataclass(frozen=True)
class Asset:
    """The asset bank/events with its metadata and partitions; several of them see each other's tables."""

    url: str
    instance: dg.DagsterInstance
    metadata: Mapping[str, Any]
    partitions: dg.PartitionsDefinition[str] | None = None
    retries: dg.RetryPolicy | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def write(
        self, rows: object, first: str | None = None, last: str | None = None, *, annotation: object = Any
    ) -> dg.ExecuteInProcessResult:
        """The asset has returned `rows` in a run of the partition or, with `last`, of the range. Raises its failure."""
        return self._run([self._source(rows, annotation)], KEY, first, last)

    def read(  # noqa: PLR0913  each says another thing about the read
        self,
        annotation: object = pa.Table,
        first: str | None = None,
        last: str | None = None,
        *,
        metadata: Mapping[str, Any] | None = None,
        by: dg.PartitionsDefinition[str] | None = None,
        mapping: dg.PartitionMapping | None = None,
    ) -> Any:
        """What an asset gets whose parameter is annotated so; partitioned `by`, if it is read in a partition.

        A stream is read to its end, while it may be.
        """
        seen: list[Any] = []

        def sink(rows: Any) -> None:
            seen.append(rows.read_all() if annotation is pa.RecordBatchReader else rows)

        sink.__annotations__ = {"rows": annotation, "return": None}
        partitions = (by or self.partitions) if first else None
        asked = dg.AssetIn(KEY, metadata=dict(metadata or {}), partition_mapping=mapping)
        asset = dg.asset(
            name="sink",
            ins={"rows": asked},
            partitions_def=partitions,
            retry_policy=self.retries,
            backfill_policy=_whole_range(partitions),
        )
        self._run([self._source(None, Any), asset(sink)], dg.AssetKey("sink"), first, last)
        return seen[-1]

    def events(self) -> Sequence[dg.EventLogEntry]:
        """Every event of every run."""
        return [e for run in self.instance.get_runs() for e in self.instance.all_logs(run.run_id)]

    def count(self, event: dg.DagsterEventType) -> int:
        """How many events of this type there are."""
        return sum(e.is_dagster_event and e.get_dagster_event().event_type is event for e in self.events())

    def said(self) -> list[tuple[str | None, dict[str, Any]]]:
        """Partition and metadata of each materialisation, the oldest first."""
        records = self.instance.fetch_materializations(KEY, limit=1000, ascending=True).records
        found = [(record.partition_key, record.asset_materialization) for record in records]
        return [(key, {name: v.value for name, v in said.metadata.items()}) for key, said in found if said]

    def _source(self, rows: object, annotation: object) -> dg.AssetsDefinition:
        def source() -> object:
            return rows

        source.__annotations__ = {"return": annotation}
        return dg.asset(
            key=KEY,
            partitions_def=self.partitions,
            metadata=dict(self.metadata),
            retry_policy=self.retries,
            backfill_policy=_whole_range(self.partitions),
        )(source)

    def _run(
        self, assets: Sequence[dg.AssetsDefinition], key: dg.AssetKey, first: str | None, last: str | None
    ) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            assets,
            selection=dg.AssetSelection.assets(key),
            partition_key=first if last is None else None,
            tags={FIRST: str(first), LAST: last} if last else {},
            resources={"io_manager": PostgresIOManager(url=self.url, **self.settings)},
            instance=self.instance,
        )


def _whole_range(partitions: dg.PartitionsDefinition[str] | None) -> dg.BackfillPolicy | None:
    return dg.BackfillPolicy.single_run() if partitions else None


@pytest.fixture(name="asset")
def an_asset(database: str) -> Iterator[Callable[..., Asset]]:
    """Makes the asset in an empty database: of metadata, partitions, retries and settings of the I/O manager."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield partial(Asset, database, instance)
