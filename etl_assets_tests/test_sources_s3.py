"""Deliveries in S3 are those that a folder has, on a real server; its refusals are told, never an empty list."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path
from uuid import uuid4

import obstore
import pytest
from obstore.store import S3Store

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.sources import s3
from etl_assets.sources.listing import Delivery, Found, ListingFailed, ListingRefused, downloaded, listed
from etl_assets_tests import s3_server
from etl_assets_tests.bank import HEADER, Platform, line
from etl_assets_tests.conftest import fresh_platform
from etl_assets_tests.specs import minimal_spec

NAME = "transactions_20240101.csv"
MONDAY = date(2026, 3, 2)
LENIENT = {"max_quarantined_share": 1}


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3_server.running(tmp_path_factory.mktemp("s3")) as address:
        yield address


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> S3Store:
    for name, value in s3_server.variables(endpoint).items():
        monkeypatch.setenv(name, value)
    quick = {"init_backoff": timedelta(milliseconds=10), "max_backoff": timedelta(milliseconds=50), "base": 2}
    monkeypatch.setattr(s3, "RETRIES", {"max_retries": 2, "backoff": quick, "retry_timeout": timedelta(seconds=5)})
    name = f"bank-{uuid4().hex[:12]}"
    monkeypatch.setenv("BUCKET", name)
    return s3_server.bucket(endpoint, name)


@pytest.fixture
def spec() -> InstitutionSpec:
    return minimal_spec(deliveries={"folder": "s3://${BUCKET}/in/bank"})


def fetched(spec: InstitutionSpec, found: Iterable[Found]) -> list[tuple[Delivery, bytes]]:
    """Each delivery with its bytes."""
    got = []
    for delivery, file in downloaded(spec, found):
        with file:
            got.append((delivery, file.read()))
    return got


def test_objects_below_the_prefix_are_listed_and_fetched_by_their_relative_names(
    bucket: S3Store, spec: InstitutionSpec, tmp_path: Path
) -> None:
    for name in (NAME, f"late/a b%20ü/{NAME}", f".tmp/{NAME}", "readme.txt", f"../bank2/{NAME}".replace("../", "x")):
        obstore.put(bucket, f"in/bank/{name}" if "bank2" not in name else f"in/bank2/{NAME}", name.encode())
    got = {delivery.relative_path: (delivery, content) for delivery, content in fetched(spec, listed(spec))}
    assert {path: content for path, (_, content) in got.items()} == {
        NAME: NAME.encode(),
        f"late/a b%20ü/{NAME}": f"late/a b%20ü/{NAME}".encode(),
    }
    (tmp_path / NAME).write_bytes(NAME.encode())
    local = minimal_spec(deliveries={"folder": str(tmp_path)})
    ((same, _),) = fetched(local, listed(local))
    assert same.delivery_id == got[NAME][0].delivery_id


def test_all_of_many_pages_are_listed(bucket: S3Store, spec: InstitutionSpec) -> None:
    async def put() -> None:
        limit = asyncio.Semaphore(32)

        async def one(number: int) -> None:
            async with limit:
                await obstore.put_async(bucket, f"in/bank/{number:04}/{NAME}", b"x")

        await asyncio.gather(*(one(number) for number in range(2500)))

    asyncio.run(put())
    found = listed(spec)
    assert len({f.relative_path for f in found}) == 2500
    assert len(fetched(spec, found[:50])) == 50


@pytest.mark.parametrize("change", ["other", "gone"])
def test_an_object_that_changed_after_the_listing_is_not_read(
    bucket: S3Store, spec: InstitutionSpec, change: str
) -> None:
    obstore.put(bucket, f"in/bank/{NAME}", b"first")
    found = listed(spec)
    if change == "gone":
        obstore.delete(bucket, f"in/bank/{NAME}")
    else:
        obstore.put(bucket, f"in/bank/{NAME}", b"other")
    with pytest.raises(ListingFailed, match="list again"):
        fetched(spec, found)


def test_refused_credentials_are_told_without_them(
    bucket: S3Store, spec: InstitutionSpec, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    obstore.put(bucket, f"in/bank/{NAME}", b"x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-one")
    with pytest.raises(ListingRefused, match=r"bank_test: bucket bank-.*credentials are refused; set AWS_") as refused:
        listed(spec)
    assert not any(secret in str(refused.value) for secret in ("wrong-one", endpoint, "reader"))


@pytest.mark.usefixtures("bucket")
def test_a_missing_bucket_is_not_an_empty_one(spec: InstitutionSpec) -> None:
    with pytest.raises(ListingRefused, match=r"bucket bank-.*does not exist; create it"):
        listed(spec)


@pytest.mark.usefixtures("bucket")
def test_a_server_that_is_down_fails_the_listing(spec: InstitutionSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = s3_server.free_ports(1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    with pytest.raises(ListingFailed, match="does not answer"):
        listed(spec)


def test_a_bank_that_delivers_to_s3_has_the_row_account_of_one_with_a_folder(
    request: pytest.FixtureRequest, bucket: S3Store, tmp_path: Path
) -> None:
    content = HEADER + line(1, MONDAY) + line(2, MONDAY, amount="much") + line(1, MONDAY) + "half a record\n"
    banks = [fresh_platform(request, tmp_path / name, batch_rules=LENIENT) for name in ("folder", "none")]
    with banks[0] as local, banks[1] as remote:
        obstore.put(bucket, f"in/bank/{local.deliver(MONDAY, content).name}", content.encode())
        where = remote.spec.deliveries.model_copy(update={"folder": "s3://${BUCKET}/in/bank"})
        remote.spec = remote.spec.model_copy(update={"deliveries": where})
        accounts = [account(platform) for platform in (local, remote)]
    assert accounts[0] == accounts[1]
    assert accounts[1]["records_read"] == 5


def account(platform: Platform) -> dict[str, object]:
    """The row account of the bank's only delivery, after its day has run."""
    platform.run(MONDAY, layers=("daily",))
    (row,) = platform.table("row_account")
    return {name: row[name] for name in ("records_read", "published", "invalid", "duplicate", "control_lines")}
