"""Which deliveries an institution's place holds, and which file version each of them is.

Names, sizes, times and hashes only: what is inside a file belongs to `reading.py`, what was seen before to the ledger.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.sources.found import Found, ListingFailed, ListingRefused, Place, Stored
from etl_assets.sources.local_folder import LocalFolder
from etl_assets.sources.s3 import SCHEME, S3Prefix

__all__ = ["Delivery", "Found", "ListingFailed", "ListingRefused", "fetched", "identified", "listed"]


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
    place = _place(spec)
    try:
        found = [found for stored in place.files() if (found := _found(stored, spec)) is not None]
    except (ListingFailed, ListingRefused) as error:
        raise type(error)(f"{spec.institution}: {error}") from None
    except OSError as error:
        raise ListingFailed(
            f"{spec.institution}: the delivery folder {place} cannot be listed ({error}); "
            "create or mount it, make it readable, or correct deliveries.folder"
        ) from error
    return sorted(found, key=lambda f: (f.business_date, f.delivered_at, f.relative_path))


def fetched(spec: InstitutionSpec, found: Iterable[Found]) -> Iterator[tuple[Delivery, bytes]]:
    """Each delivery with its bytes, in order; a few are under way at a time, so that few are in memory.

    Raises: ListingFailed, if a file has gone, has changed or cannot be read; ListingRefused.
    """
    place = _place(spec)
    under_way: deque[tuple[Found, Future[bytes]]] = deque()
    with ThreadPoolExecutor(place.concurrency) as pool:
        for one in found:
            under_way.append((one, pool.submit(_content, place, one)))
            if len(under_way) >= place.concurrency:
                yield _next(under_way)
        while under_way:
            yield _next(under_way)


def identified(found: Found, content: bytes) -> Delivery:
    """The delivery that `found` is: the same path with the same bytes is the same delivery, at any time."""
    content_sha256 = hashlib.sha256(content).hexdigest()
    identity = f"{found.relative_path}\0{content_sha256}".encode("utf-8", "surrogateescape")
    delivery_id = hashlib.sha256(identity).hexdigest()[:16]
    return Delivery(**asdict(found), content_sha256=content_sha256, delivery_id=delivery_id)


def _next(under_way: deque[tuple[Found, Future[bytes]]]) -> tuple[Delivery, bytes]:
    found, future = under_way.popleft()
    content = future.result()
    return identified(found, content), content


def _place(spec: InstitutionSpec) -> Place:
    address = spec.deliveries.address
    return S3Prefix(address) if address.startswith(SCHEME) else LocalFolder(Path(address))


def _content(place: Place, found: Found) -> bytes:
    try:
        return place.content(found)
    except OSError as error:
        raise ListingFailed(
            f"{found.relative_path}: listed but not readable ({error}); make it readable or list again"
        ) from error


def _found(stored: Stored, spec: InstitutionSpec) -> Found | None:
    business_date = spec.deliveries.business_date(stored.name)
    return None if business_date is None else Found(**asdict(stored), business_date=business_date)
