"""What counts as a delivery, and when two of them are the same one."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.sources.listing import Delivery, ListingFailed, downloaded, listed
from etl_assets_tests.specs import minimal_spec


@pytest.fixture
def spec(tmp_path: Path) -> InstitutionSpec:
    return minimal_spec(deliveries={"folder": str(tmp_path)})


def deliver(path: Path, content: bytes, delivered_at: datetime) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (delivered_at.timestamp(), delivered_at.timestamp()))


def versions(spec: InstitutionSpec) -> list[Delivery]:
    return [delivery for delivery, _ in downloaded(spec, listed(spec))]


def test_deliveries_come_by_business_date_then_arrival(spec: InstitutionSpec) -> None:
    deliver(spec.folder / "transactions_20240102.csv", b"xy", datetime(2024, 1, 1, 5, tzinfo=UTC))
    deliver(spec.folder / "transactions_20240101_b.csv", b"", datetime(2024, 1, 1, 3, tzinfo=UTC))
    deliver(spec.folder / "late" / "transactions_20240101.csv", b"", datetime(2024, 1, 9, 4, tzinfo=UTC))
    found = listed(spec)
    assert [f.relative_path for f in found] == [
        "transactions_20240101_b.csv",
        "late/transactions_20240101.csv",
        "transactions_20240102.csv",
    ]
    assert (found[2].business_date, found[2].size_bytes) == (date(2024, 1, 2), 2)
    assert found[2].delivered_at == datetime(2024, 1, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "name",
    [
        "transactions_20240101.csv.tmp",
        "transactions_20240101.csv.part",
        ".transactions_20240101.csv",
        "transactions_20241301.csv",
        "readme.txt",
        ".snapshot/transactions_20240101.csv",
    ],
)
def test_other_files_are_no_deliveries(spec: InstitutionSpec, name: str) -> None:
    deliver(spec.folder / name, b"", datetime(2024, 1, 1, tzinfo=UTC))
    assert listed(spec) == []


def test_a_missing_folder_is_not_an_empty_one(tmp_path: Path) -> None:
    spec = minimal_spec(deliveries={"folder": str(tmp_path / "gone")})
    with pytest.raises(ListingFailed, match=r"bank_test: the delivery folder .*gone .*mount"):
        listed(spec)


def test_the_same_path_and_bytes_are_the_same_delivery_whenever_they_arrive(spec: InstitutionSpec) -> None:
    path = spec.folder / "transactions_20240101.csv"
    ids = []
    for content, day in ((b"a", 1), (b"a", 2), (b"b", 2)):
        deliver(path, content, datetime(2024, 1, day, tzinfo=UTC))
        ids.append(versions(spec)[0].delivery_id)
    assert ids[0] == ids[1] != ids[2]
    deliver(spec.folder / "transactions_20240101_copy.csv", b"b", datetime(2024, 1, 3, tzinfo=UTC))
    original, copy = versions(spec)
    assert original.content_sha256 == copy.content_sha256
    assert original.delivery_id != copy.delivery_id
    assert len(copy.delivery_id) == 16


def test_a_file_that_went_away_after_the_listing_fails_the_listing(spec: InstitutionSpec) -> None:
    deliver(spec.folder / "transactions_20240101.csv", b"a", datetime(2024, 1, 1, tzinfo=UTC))
    (found,) = listed(spec)
    (spec.folder / found.relative_path).unlink()
    with pytest.raises(ListingFailed, match="list again"):
        list(downloaded(spec, [found]))


def test_a_file_that_was_replaced_after_the_listing_is_not_read_under_its_old_name(spec: InstitutionSpec) -> None:
    deliver(spec.folder / "transactions_20240101.csv", b"a", datetime(2024, 1, 1, tzinfo=UTC))
    found = listed(spec)
    deliver(spec.folder / "transactions_20240101.csv", b"b", datetime(2024, 1, 2, tzinfo=UTC))
    with pytest.raises(ListingFailed, match="changed after it was listed"):
        list(downloaded(spec, found))
