"""Batches of rows as Parquet files of a good size for COPY, written while others travel. Files only, no database.

Snowflake loads files in parallel and wants 100 to 250 MB of each; one file for all would be loaded by one thread, and
held on disk whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

FILE_BYTES, GROUP_BYTES = 160 * 2**20, 32 * 2**20
MOST_AT_ONCE = 4


@dataclass(frozen=True)
class Sizes:
    """When a file is full, and how many bytes of Arrow one of its row groups has."""

    file_bytes: int = FILE_BYTES
    group_bytes: int = GROUP_BYTES


def written_while(
    send: Callable[[Path], None], batches: Iterable[pa.Table], folder: Path, sizes: Sizes | None = None
) -> int:
    """Each file of the batches was sent, and is gone; returns how many there were. No batch with rows: no file.

    At most `MOST_AT_ONCE` files exist beside the one that is being written. Raises: what `send` raises.
    """
    sent = 0
    with ThreadPoolExecutor(MOST_AT_ONCE) as pool, _awaited() as underway:
        for file in _files(batches, folder, sizes or Sizes()):
            underway.add(pool.submit(_sent, send, file))
            _room(underway)
            sent += 1
    return sent


@contextmanager
def _awaited() -> Iterator[set[Future[None]]]:
    """All that is underway has ended well, or what has not begun is called off and the first failure raised."""
    underway: set[Future[None]] = set()
    try:
        yield underway
        for future in underway:
            future.result()
    finally:
        for future in underway:
            future.cancel()


def _room(underway: set[Future[None]]) -> None:
    if len(underway) >= MOST_AT_ONCE:
        done, _ = wait(underway, return_when=FIRST_COMPLETED)
        for future in done:
            future.result()
        underway -= done


def _sent(send: Callable[[Path], None], file: Path) -> None:
    send(file)
    file.unlink()


def _files(batches: Iterable[pa.Table], folder: Path, sizes: Sizes) -> Iterator[Path]:
    """Full files, one after the other."""
    writer, file = None, folder
    numbers = count()
    try:
        for group in _groups(batches, sizes.group_bytes):
            if writer is None:
                file = folder / f"part_{next(numbers):05}.parquet"
                writer = pq.ParquetWriter(file, group.schema, compression="zstd", store_schema=False)
            writer.write_table(group)
            if file.stat().st_size >= sizes.file_bytes:
                writer = writer.close()
                yield file
        if writer:
            writer = writer.close()
            yield file
    finally:
        if writer:
            writer.close()


def _groups(batches: Iterable[pa.Table], size: int) -> Iterator[pa.Table]:
    """The rows in tables of at least `size` bytes: a row group of 16,384 rows would be all overhead."""
    held: list[pa.Table] = []
    held_bytes = 0
    for batch in batches:
        held.append(batch)
        held_bytes += batch.nbytes
        if held_bytes >= size:
            yield pa.concat_tables(held)
            held, held_bytes = [], 0
    if any(batch.num_rows for batch in held):
        yield pa.concat_tables(held)
