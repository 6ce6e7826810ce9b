"""Deliveries in a folder of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from etl_assets.sources.found import ListingFailed, Stored

CHUNK_BYTES = 4 << 20


@dataclass(frozen=True)
class LocalFolder:
    """A folder and its subfolders; links are not followed."""

    folder: Path
    concurrency: int = 1

    def __str__(self) -> str:
        return str(self.folder)

    def files(self) -> Iterator[Stored]:
        for path in _files(self.folder):
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            yield Stored(path.relative_to(self.folder).as_posix(), status.st_size, _modified_at(status))

    def content(self, stored: Stored) -> bytes:
        """The bytes that were listed."""
        return b"".join(self.chunks(stored))

    def download(self, stored: Stored, file: IO[bytes]) -> None:
        """The file holds the bytes that were listed."""
        file.writelines(self.chunks(stored))

    def chunks(self, stored: Stored) -> Iterator[bytes]:
        """These bytes in pieces; size and time are asked of the open file, after it was read to its end."""
        size_bytes = 0
        with (self.folder / stored.relative_path).open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                size_bytes += len(chunk)
                yield chunk
            status = os.fstat(file.fileno())
        if (size_bytes, _modified_at(status)) != (stored.size_bytes, stored.delivered_at):
            raise ListingFailed(f"{stored.relative_path}: it changed after it was listed; list again")


def _files(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if not entry.name.startswith("."):
                    yield from _files(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                yield Path(entry.path)


def _modified_at(status: os.stat_result) -> datetime:
    return datetime.fromtimestamp(status.st_mtime_ns // 1000 / 1_000_000, UTC)
