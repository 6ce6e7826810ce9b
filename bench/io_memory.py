"""How much a client's memory grows while it writes or reads a whole table, each measured in a fresh process.

The growth is the peak of the resident memory minus what it was before; a small table went first, so that imports,
connections and thread pools are not counted. Needs Linux: /proc knows the peak and can forget it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
from io_contenders import write_ours
from io_rows import slice_of

from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.slices import Slice
from etl_assets.io_managers.targets import Target

WARM_UP_ROWS = 20_000
BATCH_ROWS = 65_536


def growths_mb(url: str, target: Target, rows: pa.Table, folder: Path) -> dict[str, float]:
    """Megabytes of writing from a file, batch by batch, and of reading back in batches.

    The file is Arrow's own: decoding Parquet batch by batch takes more memory (88 MB of these rows) than writing.
    """
    spool, slice_ = folder / "rows.arrows", slice_of(rows)
    with pa.ipc.new_stream(spool, rows.schema) as stream:
        stream.write_table(rows, max_chunksize=BATCH_ROWS)
    return {"write": in_child(written, url, target, slice_, spool), "read": in_child(read, url, target, slice_, spool)}


def in_child(work: Callable[..., float], *given: object) -> float:
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as process:
        return process.submit(work, *given).result()


def written(url: str, target: Target, slice_: Slice, spool: Path) -> float:
    warm_up(url, target, spool)
    with spool.open("rb") as file:
        rows = pa.ipc.open_stream(file)
        return growth_mb(lambda: write_ours(url, target, slice_, rows))


def read(url: str, target: Target, slice_: Slice, spool: Path) -> float:
    small, few = warm_up(url, target, spool)
    warehouse = PostgresWarehouse(url=url)
    consumed(warehouse.read_batches(small, few))
    with spool.open("rb") as file:
        expected = consumed(pa.ipc.open_stream(file))
    found: list[int] = []
    growth = growth_mb(lambda: found.append(consumed(warehouse.read_batches(target, slice_))))
    assert found == [expected], f"{found} rows were read, {expected} are there"
    return growth


def consumed(batches: Iterable[pa.RecordBatch]) -> int:
    """The number of rows; no batch is kept."""
    return sum(batch.num_rows for batch in batches)


def warm_up(url: str, target: Target, spool: Path) -> tuple[Target, Slice]:
    """A small table of the same shape was written; returns where it is."""
    with spool.open("rb") as file:
        rows = pa.Table.from_batches([pa.ipc.open_stream(file).read_next_batch().slice(0, WARM_UP_ROWS)])
    small = replace(target, table=replace(target.table, name=f"{target.table.name}_small"))
    few = slice_of(rows)
    write_ours(url, small, few, rows)
    return small, few


def growth_mb(work: Callable[[], object]) -> float:
    """Peak of the resident memory during `work` minus the resident memory before."""
    before = status_kb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    work()
    return (status_kb("VmHWM") - before) / 1024


def status_kb(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
    assert found, f"/proc/self/status has no {name}"
    return int(found[1])
