"""The file inside a `.gz`, `.zip` or `.zst`, told by the name: bytes in, bytes out, never more than the spec allows.

What the bytes mean belongs to the formats.
"""

from __future__ import annotations

import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import pyarrow as pa

from etl_assets.institution_formats import Archives
from etl_assets.sources.layout import DeliveryRejected

CHUNK_BYTES = 1 << 22
SHOWN_NAMES = 5
ENCRYPTED = 0x1
BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError, pa.ArrowException)


class _Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


def expanded(name: str, content: bytes, archives: Archives) -> bytes:
    """The delivery that `content` is, or holds if `name` says that it is an archive.

    Raises: DeliveryRejected, if it is cut off, encrypted, holds several files or is larger than the spec allows.
    """
    suffix = "." + name.lower().rpartition(".")[2]
    return READERS[suffix](content, archives) if suffix in READERS else content


def _gzip(content: bytes, archives: Archives) -> bytes:
    with _whole("gzip"), gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
        return _bounded(stream, archives)


def _zstd(content: bytes, archives: Archives) -> bytes:
    with _whole("zstd"), pa.CompressedInputStream(pa.BufferReader(content), "zstd") as stream:
        return _bounded(stream, archives)


def _zip(content: bytes, archives: Archives) -> bytes:
    with _whole("zip"), zipfile.ZipFile(io.BytesIO(content)) as archive:
        member = _member(archive, archives)
        if member.flag_bits & ENCRYPTED:
            raise DeliveryRejected(f"its member {member.filename!r} is encrypted; ask for it without a password")
        with archive.open(member) as stream:
            return _bounded(stream, archives)


def _member(archive: zipfile.ZipFile, archives: Archives) -> zipfile.ZipInfo:
    """The only file in the archive, or the only one that the spec asks for; what macOS adds is none."""
    files = [info for info in archive.infolist() if not info.is_dir() and not info.filename.startswith("__MACOSX/")]
    wanted = archives.zip_member
    found = files if wanted is None else [info for info in files if re.fullmatch(wanted, info.filename)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(repr(info.filename) for info in files[:SHOWN_NAMES])
    more = f" and {len(files) - SHOWN_NAMES} more" if len(files) > SHOWN_NAMES else ""
    which = "" if wanted is None else f", {len(found)} of which match deliveries.archives.zip_member"
    raise DeliveryRejected(
        f"the zip archive holds {len(files)} files ({names}{more}){which}; expected one. "
        "Name it under deliveries.archives.zip_member, or ask for one file per archive"
    )


def _bounded(stream: _Stream, archives: Archives) -> bytes:
    chunks, size = [], 0
    while chunk := stream.read(CHUNK_BYTES):
        chunks.append(chunk)
        size += len(chunk)
        if size > archives.max_expanded_bytes:
            raise DeliveryRejected(
                f"it expands to more than {archives.max_expanded_mb} MiB; ask for smaller files, "
                "or raise deliveries.archives.max_expanded_mb if this one is genuine"
            )
    return b"".join(chunks)


@contextmanager
def _whole(kind: str) -> Iterator[None]:
    """What the libraries say of a broken archive is said as a rejection."""
    try:
        yield
    except BROKEN as error:
        raise DeliveryRejected(f"it is no complete {kind} file ({error}); ask for the file again") from error


READERS: dict[str, Callable[[bytes, Archives], bytes]] = {".gz": _gzip, ".zip": _zip, ".zst": _zstd}
