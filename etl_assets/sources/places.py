"""Where an institution's files lie: the place that its spec names, and all that is stored in it.

Which of the files are deliveries belongs to `listing.py`, which announce one to `announcements.py`.
"""

from __future__ import annotations

from pathlib import Path

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.sources.found import ListingFailed, ListingRefused, Place, Stored
from etl_assets.sources.local_folder import LocalFolder
from etl_assets.sources.s3 import SCHEME, S3Prefix


def place_of(spec: InstitutionSpec) -> Place:
    """The folder or bucket of the institution. Raises: FolderUnset."""
    address = spec.deliveries.address
    return S3Prefix(address) if address.startswith(SCHEME) else LocalFolder(Path(address))


def stored_in(spec: InstitutionSpec) -> list[Stored]:
    """Every file there, delivery or not. Raises: ListingFailed and ListingRefused, naming the place and what to do."""
    place = place_of(spec)
    try:
        return list(place.files())
    except (ListingFailed, ListingRefused) as error:
        raise type(error)(f"{spec.institution}: {error}") from None
    except OSError as error:
        raise ListingFailed(
            f"{spec.institution}: the delivery folder {place} cannot be listed ({error}); "
            "create or mount it, make it readable, or correct deliveries.folder"
        ) from error
