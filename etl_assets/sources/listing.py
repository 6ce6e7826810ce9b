"""Which deliveries an institution's place holds, and which file version each of them is.

Names, sizes, times and hashes only: what is inside a file belongs to `reading.py`, what was seen before to the ledger.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.sources.found import Found, ListingFailed, ListingRefused, Place, Stored
from etl_assets.sources.places import place_of, stored_in

__all__ = ["Delivery", "Found", "ListingFailed", "ListingRefused", "downloaded", "listed"]

MOST_IN_MEMORY = 16 << 20


@dataclass(frozen=True)
class Delivery(Found):
    """A found file with the version that its bytes are."""

    content_sha256: str = ""
    delivery_id: str = ""


def listed(spec: InstitutionSpec) -> list[Found]:
    """Every delivery in the folder and its subfolders, by business date, then by arrival.

    A folder that cannot be listed raises: taken for an empty one, a lost mount would look like a bank
    that delivered nothing. Names that the pattern does not match, hidden folders and links are not deliveries.

    Raises: ListingFailed and ListingRefused, naming the folder and what to do.
    """
    found = [found for stored in stored_in(spec) if (found := _found(stored, spec)) is not None]
    return sorted(found, key=lambda f: (f.business_date, f.delivered_at, f.relative_path))


def downloaded(spec: InstitutionSpec, found: Iterable[Found]) -> Iterator[tuple[Delivery, BinaryIO]]:
    """Each delivery with its bytes, in order; a few are under way at a time, large ones on disk and not in memory.

    The file is a copy, open until the next one is asked for: what was hashed is what is read, whatever happens
    meanwhile.

    Raises: ListingFailed, if a file has gone, has changed or cannot be read; ListingRefused.
    """
    place = place_of(spec)
    under_way: deque[Future[tuple[Delivery, BinaryIO]]] = deque()
    with ThreadPoolExecutor(place.concurrency) as pool:
        try:
            for one in found:
                under_way.append(pool.submit(_download, place, one))
                if len(under_way) >= place.concurrency:
                    yield from _opened(under_way.popleft())
            while under_way:
                yield from _opened(under_way.popleft())
        finally:
            for future in under_way:
                if not future.cancel() and future.exception() is None:
                    future.result()[1].close()


def _opened(future: Future[tuple[Delivery, BinaryIO]]) -> Iterator[tuple[Delivery, BinaryIO]]:
    delivery, file = future.result()
    with file:
        yield delivery, file


def _download(place: Place, found: Found) -> tuple[Delivery, BinaryIO]:
    file, digest = SpooledTemporaryFile(MOST_IN_MEMORY), hashlib.sha256()  # noqa: SIM115  the reader closes it
    try:
        for chunk in place.chunks(found):
            digest.update(chunk)
            file.write(chunk)
    except BaseException as error:
        file.close()
        if not isinstance(error, OSError):
            raise
        raise ListingFailed(
            f"{found.relative_path}: listed but not readable ({error}); make it readable or list again"
        ) from error
    file.seek(0)
    return _identified(found, digest.hexdigest()), cast("BinaryIO", file)


def _identified(found: Found, content_sha256: str) -> Delivery:
    """The delivery that `found` is: the same path with the same bytes is the same delivery, at any time."""
    identity = f"{found.relative_path}\0{content_sha256}".encode("utf-8", "surrogateescape")
    delivery_id = hashlib.sha256(identity).hexdigest()[:16]
    return Delivery(**asdict(found), content_sha256=content_sha256, delivery_id=delivery_id)


def _found(stored: Stored, spec: InstitutionSpec) -> Found | None:
    business_date = spec.deliveries.business_date(stored.name)
    return None if business_date is None else Found(**asdict(stored), business_date=business_date)
