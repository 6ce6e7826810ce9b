"""A delivery in an archive reads as the file inside it, or is refused by name with what would help."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_assets.sources.compression import expanded
from etl_assets.sources.layout import DeliveryRejected
from etl_assets.sources.reading import read_delivery
from etl_assets.spec.formats import Archives
from etl_assets_tests.specs import minimal_spec

CSV = b"transaction_id,account_id,counterparty_id,event_at,amount\n1,a,b,2024-01-01 00:00:00,5\n2,a\n"
JSONL = b'{"transaction_id":1,"account_id":"a","counterparty_id":"b","event_at":"2024-01-01","amount":1.10}\n'


def zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return bytes(sink.getvalue().to_pybytes())


def zipped(members: Mapping[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return archive.getvalue()


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "zip": lambda content: zipped({"a.csv": content}),
    "zst": zstd,
}


def read(name: str, content: bytes, **deliveries: Any) -> Any:
    return read_delivery(name, content, minimal_spec(deliveries=deliveries))


@given(content=st.binary(max_size=5_000), suffix=st.sampled_from(sorted(PACKED)))
def test_what_was_packed_comes_out(content: bytes, suffix: str) -> None:
    assert expanded(f"A.{suffix.upper()}", PACKED[suffix](content), Archives()) == content


@given(content=st.binary(min_size=1, max_size=2_000), suffix=st.sampled_from(sorted(PACKED)), data=st.data())
def test_an_archive_that_was_cut_off_is_never_read_as_a_shorter_file(
    content: bytes, suffix: str, data: st.DataObject
) -> None:
    packed = PACKED[suffix](content)
    end = data.draw(st.integers(1, len(packed) - 1))
    with pytest.raises(DeliveryRejected, match=r"no complete \w+ file .*; ask for the file again"):
        expanded(f"a.{suffix}", packed[:end], Archives())


@pytest.mark.parametrize("suffix", sorted(PACKED))
def test_every_record_of_a_packed_file_is_accounted_for(suffix: str) -> None:
    reading = read(f"t.csv.{suffix}", PACKED[suffix](CSV))
    assert reading.records_read == 3
    assert [row["_problem"] for row in reading.rows.to_pylist()] == [None, "2 fields where the header has 5"]
    assert read(f"t.jsonl.{suffix}", PACKED[suffix](JSONL), format="jsonl").rows.num_rows == 1


@pytest.mark.parametrize("suffix", sorted(PACKED))
def test_a_file_that_expands_beyond_the_limit_is_refused(suffix: str) -> None:
    bomb = PACKED[suffix](bytes(9 << 20))
    assert len(bomb) < 1 << 20
    with pytest.raises(DeliveryRejected, match=rf"t\.{suffix}: it expands to more than 8 MiB; .*max_expanded_mb"):
        read(f"t.{suffix}", bomb, archives={"max_expanded_mb": 8})


def test_of_several_members_only_a_named_one_is_read() -> None:
    archive = zipped({"README.txt": b"hello", "in/a.csv": CSV, "__MACOSX/in/._a.csv": b"mac"})
    with pytest.raises(DeliveryRejected, match=r"holds 2 files \('README.txt', 'in/a.csv'\); .*zip_member, or ask"):
        read("t.zip", archive)
    with pytest.raises(DeliveryRejected, match="2 of which match"):
        read("t.zip", archive, archives={"zip_member": ".*"})
    assert read("t.zip", archive, archives={"zip_member": r".*\.csv"}).records_read == 3


def test_an_encrypted_member_is_refused_by_name() -> None:
    archive = bytearray(zipped({"a.csv": CSV}))
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        archive[archive.index(header) + flags] |= 1
    with pytest.raises(DeliveryRejected, match=r"t\.zip: its member 'a.csv' is encrypted; ask for it without"):
        read("t.zip", bytes(archive))


def test_what_is_no_archive_by_its_name_is_left_alone() -> None:
    assert expanded("a.csv", gzip.compress(b"x"), Archives()) == gzip.compress(b"x")


def test_a_damaged_archive_is_refused() -> None:
    packed = bytearray(gzip.compress(CSV))
    packed[-6] ^= 0xFF
    with pytest.raises(DeliveryRejected, match=r"no complete gzip file .*CRC"):
        read("t.gz", bytes(packed))
    for suffix in PACKED:
        with pytest.raises(DeliveryRejected, match="no complete"):
            read(f"t.{suffix}", b"not an archive")
