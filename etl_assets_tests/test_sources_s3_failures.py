"""A download survives a busy, silent or broken server, waits longer each time, and never takes damaged bytes."""

from __future__ import annotations

import hashlib
import os
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import obstore
import pytest
from obstore.store import S3Store

from etl_assets.sources import s3
from etl_assets.sources.found import ListingFailed, ListingRefused, Stored
from etl_assets.sources.s3 import CHUNK_BYTES, WAITS_S, S3Prefix
from etl_assets_tests import s3_server
from etl_assets_tests.misbehaving_s3 import Fault, MisbehavingS3, misbehaving_s3

CONTENT = os.urandom(3 * CHUNK_BYTES // 2)
FIRST, SECOND = f"bytes=0-{CHUNK_BYTES - 1}", f"bytes={CHUNK_BYTES}-{len(CONTENT) - 1}"


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3_server.running(tmp_path_factory.mktemp("s3")) as address:
        yield address


@pytest.fixture
def way(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[MisbehavingS3]:
    with misbehaving_s3(endpoint) as way:
        for name, value in s3_server.variables(way.endpoint).items():
            monkeypatch.setenv(name, value)
        yield way


@pytest.fixture
def bucket(endpoint: str) -> S3Store:
    return s3_server.bucket(endpoint, f"bank-{uuid4().hex[:12]}")


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def place(bucket: S3Store, waits: list[float]) -> S3Prefix:
    return S3Prefix(f"s3://{bucket.config['bucket']}", timeout_s=1, sleep=waits.append)


def stored(place: S3Prefix, bucket: S3Store, content: bytes = CONTENT) -> Stored:
    obstore.put(bucket, "a.csv", content, use_multipart=False)
    (found,) = place.files()
    return found


@pytest.mark.parametrize("fault", [Fault.SLOW_DOWN, Fault.TOO_MANY, Fault.CUT, Fault.SHORT, Fault.SILENT])
def test_a_request_that_fails_is_made_again_and_no_byte_comes_twice(
    place: S3Prefix, bucket: S3Store, way: MisbehavingS3, waits: list[float], fault: Fault
) -> None:
    found = stored(place, bucket)
    way.faults.extend([None, fault, fault])
    assert b"".join(place.chunks(found)) == CONTENT
    assert [byte_range for _, byte_range in way.asked] == [FIRST, SECOND, SECOND, SECOND]
    assert len(waits) == 2


def test_the_waits_double_with_jitter_and_end(
    place: S3Prefix, bucket: S3Store, way: MisbehavingS3, waits: list[float]
) -> None:
    found = stored(place, bucket)
    way.faults.extend([Fault.SLOW_DOWN] * 100)
    with pytest.raises(ListingFailed, match="the server does not answer as it should"):
        place.content(found)
    assert WAITS_S == (1, 2, 4, 8, 16)
    assert len(way.asked) == 1 + len(WAITS_S)
    assert all(least <= wait <= 1.5 * least for least, wait in zip(WAITS_S, waits, strict=True))
    assert len(set(map(float.is_integer, waits))) == 1


def test_every_range_has_all_waits(place: S3Prefix, bucket: S3Store, way: MisbehavingS3, waits: list[float]) -> None:
    found = stored(place, bucket)
    way.faults.extend([*[Fault.SLOW_DOWN] * 5, None] * 2)
    assert place.content(found) == CONTENT
    assert len(waits) == 10
    assert waits[5] < 2


def test_a_damaged_byte_is_seen_before_anything_is_given_out_and_the_object_fetched_again(
    place: S3Prefix, bucket: S3Store, way: MisbehavingS3
) -> None:
    found = stored(place, bucket)
    way.faults.extend([None, Fault.FLIPPED])
    chunks = place.chunks(found)
    first = next(chunks)
    assert len(way.asked) == 4
    assert b"".join([first, *chunks]) == CONTENT


def test_a_connection_that_damages_every_download_is_told(place: S3Prefix, bucket: S3Store, way: MisbehavingS3) -> None:
    found = stored(place, bucket)
    way.faults.extend([Fault.FLIPPED, None, None, Fault.FLIPPED, Fault.FLIPPED, Fault.FLIPPED])
    with pytest.raises(ListingFailed, match=r"a\.csv: no two downloads of it agree"):
        next(place.chunks(found))


def test_an_e_tag_that_is_no_checksum_of_the_bytes_wants_two_downloads_that_agree(
    place: S3Prefix, bucket: S3Store, way: MisbehavingS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of an object that is encrypted with a key of KMS: its ETag looks like an MD5."""
    found = stored(place, bucket)
    monkeypatch.setattr(s3, "_plain", lambda _: hashlib.md5(b"other", usedforsecurity=False).hexdigest())
    assert place.content(found) == CONTENT
    assert len(way.asked) == 4


def test_an_object_that_changes_between_two_ranges_is_not_stitched_together(
    place: S3Prefix, bucket: S3Store, way: MisbehavingS3
) -> None:
    found = stored(place, bucket)

    def changed(_: float) -> None:
        obstore.put(bucket, "a.csv", CONTENT[::-1], use_multipart=False)

    way.faults.extend([None, Fault.SLOW_DOWN])
    with pytest.raises(ListingFailed, match=r"a\.csv: it changed after it was listed; list again"):
        S3Prefix(place.address, sleep=changed).content(found)
    assert len(way.asked) == 3


def test_an_account_that_may_no_longer_read_is_not_asked_again(
    place: S3Prefix, bucket: S3Store, way: MisbehavingS3, waits: list[float]
) -> None:
    found = stored(place, bucket)
    way.faults.append(Fault.REFUSED)
    with pytest.raises(ListingRefused, match="the credentials are refused"):
        place.content(found)
    assert (len(way.asked), waits) == (1, [])


@pytest.mark.parametrize("fault", [Fault.SLOW_DOWN, Fault.TOO_MANY, Fault.CUT, Fault.SHORT, Fault.SILENT])
def test_a_listing_survives_a_server_that_is_busy_or_breaks_off(
    place: S3Prefix, bucket: S3Store, way: MisbehavingS3, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    quick = {"init_backoff": timedelta(milliseconds=10), "max_backoff": timedelta(milliseconds=50), "base": 2}
    monkeypatch.setattr(s3, "RETRIES", {**s3.RETRIES, "backoff": quick})
    obstore.put(bucket, "a.csv", b"x")
    way.list_faults.extend([fault, fault])
    assert [found.name for found in place.files()] == ["a.csv"]


def test_listing_has_the_waits_of_downloads() -> None:
    backoff = s3.RETRIES["backoff"]
    assert (s3.RETRIES["max_retries"], backoff["base"]) == (len(WAITS_S), 2)
    assert (backoff["init_backoff"], backoff["max_backoff"]) == (timedelta(seconds=1), timedelta(seconds=16))


@pytest.mark.usefixtures("way")
def test_an_object_of_no_bytes_is_no_bytes(place: S3Prefix, bucket: S3Store) -> None:
    assert place.content(stored(place, bucket, b"")) == b""


@pytest.mark.usefixtures("way")
def test_a_large_object_is_read_in_constant_memory(place: S3Prefix, bucket: S3Store) -> None:
    found = stored(place, bucket, bytes(8 * CHUNK_BYTES))
    tracemalloc.start()
    try:
        assert sum(map(len, place.chunks(found))) == found.size_bytes
        assert tracemalloc.get_traced_memory()[1] < 4 * CHUNK_BYTES
    finally:
        tracemalloc.stop()
