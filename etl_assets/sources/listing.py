"""Which deliveries are in an institution's folder, and which file version each of them is.

Names, sizes, times and hashes only: what is inside a file belongs to `reading.py`, what was seen before to the ledger.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from etl_assets.institution_spec import InstitutionSpec


class ListingFailed(Exception):  # noqa: N818  the failed listing is the fact
    """The folder could not be listed. Nothing is known about what is in it; it may answer later."""


@dataclass(frozen=True)
class Found:
    """A file whose name says that it is a delivery."""

    path: Path
    relative_path: str
    business_date: date
    size_bytes: int
    delivered_at: datetime


@dataclass(frozen=True)
class Delivery(Found):
    """A found file with the version that its bytes are."""

    content_sha256: str
    delivery_id: str


def listed(spec: InstitutionSpec) -> list[Found]:
    """Every delivery in the folder and its subfolders, by business date, then by arrival.

    A folder that cannot be listed raises: taken for an empty one, a lost mount would look like a bank
    that delivered nothing. Names that the pattern does not match, hidden folders and links are not deliveries.

    Raises: ListingFailed, naming the folder and what to do.
    """
    try:
        found = [found for path in _files(spec.folder) if (found := _found(path, spec)) is not None]
    except OSError as error:
        raise ListingFailed(
            f"{spec.institution}: the delivery folder {spec.folder} cannot be listed ({error}); "
            "create or mount it, make it readable, or correct deliveries.folder"
        ) from error
    return sorted(found, key=lambda f: (f.business_date, f.delivered_at, f.relative_path))


def identified(found: Found) -> Delivery:
    """The delivery that `found` is: the same path with the same bytes is the same delivery, at any time.

    Raises: ListingFailed, if the file has gone or cannot be read.
    """
    try:
        with found.path.open("rb") as file:
            content_sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ListingFailed(
            f"{found.relative_path}: listed but not readable ({error}); make it readable or list again"
        ) from error
    identity = f"{found.relative_path}\0{content_sha256}".encode("utf-8", "surrogateescape")
    delivery_id = hashlib.sha256(identity).hexdigest()[:16]
    return Delivery(**asdict(found), content_sha256=content_sha256, delivery_id=delivery_id)


def _files(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if not entry.name.startswith("."):
                    yield from _files(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                yield Path(entry.path)


def _found(path: Path, spec: InstitutionSpec) -> Found | None:
    business_date = spec.deliveries.business_date(path.name)
    if business_date is None:
        return None
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return Found(
        path=path,
        relative_path=path.relative_to(spec.folder).as_posix(),
        business_date=business_date,
        size_bytes=status.st_size,
        delivered_at=datetime.fromtimestamp(status.st_mtime_ns // 1000 / 1_000_000, UTC),
    )
