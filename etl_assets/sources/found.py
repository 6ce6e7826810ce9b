"""What a place of deliveries tells of each file, and the ways in which it can fail to.

Places themselves belong to `local_folder.py` and `s3.py`; which of their files are deliveries to `listing.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import IO, Protocol


class ListingFailed(Exception):  # noqa: N818  the failed listing is the fact
    """The place could not be listed or read. Nothing is known about what is in it; it may answer later."""


class ListingRefused(Exception):  # noqa: N818  as above
    """The place refuses us or does not exist; asking again cannot help, a person must change something."""


@dataclass(frozen=True)
class Stored:
    """A file of the place, delivery or not. `e_tag` changes with the content where the place has one."""

    relative_path: str
    size_bytes: int
    delivered_at: datetime
    e_tag: str | None = None

    @property
    def name(self) -> str:
        return self.relative_path.rpartition("/")[2]


@dataclass(frozen=True)
class Found(Stored):
    """A file whose name says that it is a delivery."""

    business_date: date = date.min


class Place(Protocol):
    """Where an institution's files lie."""

    @property
    def concurrency(self) -> int: ...

    def __str__(self) -> str: ...

    def files(self) -> Iterable[Stored]:
        """Every file, but none in a hidden folder. Raises: ListingFailed, ListingRefused, OSError."""
        ...

    def content(self, stored: Stored) -> bytes:
        """The bytes of the version that was listed. Raises: ListingFailed, ListingRefused, OSError."""
        ...

    def download(self, stored: Stored, file: IO[bytes]) -> None:
        """`file`, empty before, holds these bytes. Raises: as `content`."""
        ...

    def chunks(self, stored: Stored) -> Iterator[bytes]:
        """These bytes in pieces of a few MiB, in constant memory.

        Raises: as `content`, also after the last piece: nothing that was made of them may be published before.
        """
        ...
