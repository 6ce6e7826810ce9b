"""Deliveries in a bucket of any server that speaks the S3 protocol.

Endpoint, region and credentials come from the AWS_* variables or the machine's role, never from the YAML. Errors of
the client are told by their kind only: their text can hold endpoints and keys.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from obstore.exceptions import BaseError
from obstore.store import S3Store

from etl_assets.sources.found import ListingFailed, ListingRefused, Stored

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

SCHEME = "s3://"
RETRIES: RetryConfig = {
    "max_retries": 5,
    "backoff": {"init_backoff": timedelta(seconds=1), "max_backoff": timedelta(seconds=16), "base": 2},
    "retry_timeout": timedelta(minutes=3),
}
REFUSED = re.compile(
    r"\b40[13]\b|Unauthenticated|PermissionDenied|InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied"
)
MISSING = re.compile(r"NoSuchBucket|\b404\b")


@dataclass(frozen=True)
class S3Prefix:
    """The objects below `s3://bucket/prefix`."""

    address: str
    concurrency: int = 5

    def __str__(self) -> str:
        return self.address

    @property
    def bucket(self) -> str:
        return self.address.removeprefix(SCHEME).partition("/")[0]

    @property
    def prefix(self) -> str:
        return self.address.removeprefix(SCHEME).partition("/")[2].strip("/")

    def files(self) -> Iterator[Stored]:
        """Every object, page by page; folder markers are objects of no bytes whose names are no deliveries."""
        try:
            for page in self._store().list():
                for meta in page:
                    if not any(part.startswith(".") for part in meta["path"].split("/")[:-1]):
                        yield Stored(meta["path"], meta["size"], meta["last_modified"], meta["e_tag"])
        except BaseError as error:
            raise self._told(error) from None

    def content(self, stored: Stored) -> bytes:
        """The bytes of the listed version: its size, its ETag, and the MD5 that the ETag of a plain upload is.

        The ETag of an object encrypted with a key of KMS looks like an MD5 and is none: then two downloads must agree.
        """
        content = self._download(stored)
        if _is_md5(stored.e_tag) and not _has_md5(content, stored.e_tag) and self._download(stored) != content:
            raise ListingFailed(f"{stored.relative_path}: two downloads of it differ; the connection damages it")
        return content

    def _download(self, stored: Stored) -> bytes:
        try:
            got = self._store().get(stored.relative_path)
            meta, content = got.meta, bytes(got.bytes())
        except FileNotFoundError:
            raise ListingFailed(f"{stored.relative_path}: listed but no longer there; list again") from None
        except BaseError as error:
            raise self._told(error) from None
        if (len(content), meta["e_tag"]) != (stored.size_bytes, stored.e_tag):
            raise ListingFailed(f"{stored.relative_path}: it changed after it was listed; list again")
        return content

    def _store(self) -> S3Store:
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        options: ClientConfig = {"allow_http": (endpoint or "").startswith("http://"), "timeout": "60s"}
        settings = {"endpoint": endpoint} if endpoint else {}
        prefix = self.prefix or None
        return S3Store(self.bucket, prefix=prefix, client_options=options, retry_config=RETRIES, **settings)  # type: ignore[arg-type]

    def _told(self, error: BaseError) -> ListingFailed | ListingRefused:
        kind, text = type(error).__name__, f"{type(error).__name__} {error}"
        if REFUSED.search(text):
            fix = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to an account that may list and read it"
            return ListingRefused(f"bucket {self.bucket}: the credentials are refused; {fix}")
        if MISSING.search(text):
            fix = "create it, correct deliveries.folder, or point AWS_ENDPOINT_URL to its server"
            return ListingRefused(f"bucket {self.bucket}: it does not exist; {fix}")
        return ListingFailed(f"bucket {self.bucket}: the server does not answer as it should ({kind})")


def _is_md5(e_tag: str | None) -> bool:
    return re.fullmatch(r'"?[0-9a-f]{32}"?', e_tag or "") is not None


def _has_md5(content: bytes, e_tag: str | None) -> bool:
    return hashlib.md5(content, usedforsecurity=False).hexdigest() == (e_tag or "").strip('"')
