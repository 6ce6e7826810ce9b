"""Deliveries in a bucket of any server that speaks the S3 protocol.

Endpoint, region and credentials come from the AWS_* variables or the machine's role, never from the YAML. Errors of
the client are told by their kind only: their text can hold endpoints and keys.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, TypeVar

from obstore.exceptions import BaseError, PreconditionError
from obstore.store import S3Store
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_chain, wait_random

from etl_assets.sources.found import ListingFailed, ListingRefused, Stored

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import ClientConfig, RetryConfig

SCHEME = "s3://"
CHUNK_BYTES = 8 << 20
MOST_DOWNLOADS = 3
WAITS_S = (1, 2, 4, 8, 16)
RETRIES: RetryConfig = {
    "max_retries": 5,
    "backoff": {"init_backoff": timedelta(seconds=1), "max_backoff": timedelta(seconds=16), "base": 2},
    "retry_timeout": timedelta(minutes=3),
}
REFUSED = re.compile(
    r"\b40[13]\b|Unauthenticated|PermissionDenied|InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied"
)
BROKEN_PAGE = "list response"
MISSING = re.compile(r"NoSuchBucket|\b404\b")


Answer = TypeVar("Answer")


class _Interrupted(ListingFailed):
    """The server is busy, silent or gone: worth another try."""


@dataclass(frozen=True)
class S3Prefix:
    """The objects below `s3://bucket/prefix`. One request may take `timeout_s`; `sleep` waits between two tries."""

    address: str
    concurrency: int = 5
    timeout_s: float = 60
    sleep: Callable[[float], None] = time.sleep

    def __str__(self) -> str:
        return self.address

    @property
    def bucket(self) -> str:
        return self.address.removeprefix(SCHEME).partition("/")[0]

    @property
    def prefix(self) -> str:
        return self.address.removeprefix(SCHEME).partition("/")[2].strip("/")

    def files(self) -> list[Stored]:
        """Every object; folder markers are objects of no bytes whose names are no deliveries."""
        return self._patiently(self._listed)

    def _listed(self) -> list[Stored]:
        """All pages. The client asks again for one that is refused, but not for one that breaks off: then all again."""
        try:
            metas = [meta for page in self._store(RETRIES).list() for meta in page]
        except BaseError as error:
            told = self._told(error)
            raise (_Interrupted(str(told)) if BROKEN_PAGE in str(error) else told) from None
        return [
            Stored(meta["path"], meta["size"], meta["last_modified"], meta["e_tag"])
            for meta in metas
            if not any(part.startswith(".") for part in meta["path"].split("/")[:-1])
        ]

    def content(self, stored: Stored) -> bytes:
        """The bytes of the listed version."""
        return b"".join(self.chunks(stored))

    def chunks(self, stored: Stored) -> Iterator[bytes]:
        """These bytes in pieces, from a file of this machine: none is given out before all have been checked.

        Raises: ListingFailed, if it has gone, has changed, is damaged on the way, or the server stays away for longer
        than the waits; ListingRefused.
        """
        with SpooledTemporaryFile(CHUNK_BYTES) as file:
            self.download(stored, file)
            file.seek(0)
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def download(self, stored: Stored, file: IO[bytes]) -> None:
        """The file holds the listed version: its size, its ETag, and the MD5 that the ETag of a plain upload is.

        The ETag of an object encrypted with a key of KMS looks like an MD5 and is none: then two downloads must agree.
        """
        digests: list[str] = []
        for _ in range(MOST_DOWNLOADS):
            digests.append(self._received(stored, file))
            if not _is_md5(stored.e_tag) or digests[-1] in (_plain(stored.e_tag), *digests[:-1]):
                return
        raise ListingFailed(f"{stored.relative_path}: no two downloads of it agree; the connection damages it")

    def _received(self, stored: Stored, file: IO[bytes]) -> str:
        """The MD5 of what one download has written, range by range: one that breaks is asked for again, whole."""
        store, md5 = self._store({"max_retries": 0}), hashlib.md5(usedforsecurity=False)
        file.seek(0)
        for start in range(0, stored.size_bytes or 1, CHUNK_BYTES):
            chunk = self._patiently(partial(self._range, store, stored, start))
            md5.update(chunk)
            file.write(chunk)
        return md5.hexdigest()

    def _patiently(self, ask: Callable[[], Answer]) -> Answer:
        """The answer, after waits that double where the server is busy, silent or breaks off."""
        waits = wait_chain(*(wait_random(seconds, 1.5 * seconds) for seconds in WAITS_S))
        retrying = Retrying(
            stop=stop_after_attempt(1 + len(WAITS_S)),
            wait=waits,
            sleep=self.sleep,
            retry=retry_if_exception_type(_Interrupted),
            reraise=True,
        )
        return retrying(ask)

    def _range(self, store: S3Store, stored: Stored, start: int) -> bytes:
        end = min(start + CHUNK_BYTES, stored.size_bytes)
        asked: GetOptions = {"if_match": stored.e_tag} if stored.e_tag else {}
        options: GetOptions = {**asked, "range": (start, end)} if end else asked
        try:
            got = store.get(stored.relative_path, options=options)
            meta, chunk = got.meta, bytes(got.bytes())
        except FileNotFoundError:
            raise ListingFailed(f"{stored.relative_path}: listed but no longer there; list again") from None
        except PreconditionError:
            raise _changed(stored) from None
        except BaseError as error:
            told = self._told(error)
            raise _Interrupted(str(told)) if isinstance(told, ListingFailed) else told from None
        if (meta["size"], meta["e_tag"]) != (stored.size_bytes, stored.e_tag):
            raise _changed(stored)
        if len(chunk) != end - start:
            raise _Interrupted(f"{stored.relative_path}: the server sent {len(chunk)} of {end - start} bytes")
        return chunk

    def _store(self, retries: RetryConfig) -> S3Store:
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        is_plain = (endpoint or "").startswith("http://")
        options: ClientConfig = {"allow_http": is_plain, "timeout": timedelta(seconds=self.timeout_s)}
        settings = {"endpoint": endpoint} if endpoint else {}
        prefix = self.prefix or None
        return S3Store(self.bucket, prefix=prefix, client_options=options, retry_config=retries, **settings)  # type: ignore[arg-type]

    def _told(self, error: BaseError) -> ListingFailed | ListingRefused:
        kind, text = type(error).__name__, f"{type(error).__name__} {error}"
        if REFUSED.search(text):
            fix = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to an account that may list and read it"
            return ListingRefused(f"bucket {self.bucket}: the credentials are refused; {fix}")
        if MISSING.search(text):
            fix = "create it, correct deliveries.folder, or point AWS_ENDPOINT_URL to its server"
            return ListingRefused(f"bucket {self.bucket}: it does not exist; {fix}")
        fix = "is AWS_ENDPOINT_URL the address of its server, and can this machine reach it?"
        return ListingFailed(f"bucket {self.bucket}: the server does not answer as it should ({kind}); {fix}")


def _is_md5(e_tag: str | None) -> bool:
    return re.fullmatch(r'"?[0-9a-f]{32}"?', e_tag or "") is not None


def _plain(e_tag: str | None) -> str:
    return (e_tag or "").strip('"')


def _changed(stored: Stored) -> ListingFailed:
    return ListingFailed(f"{stored.relative_path}: it changed after it was listed; list again")
