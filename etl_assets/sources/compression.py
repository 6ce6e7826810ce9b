"""The file inside a `.gz`, `.zip` or `.zst`, told by the name: a stream of bytes, never more than the spec allows.

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
from typing import BinaryIO

import pyarrow as pa

from etl_assets.sources.cutting import Stream
from etl_assets.sources.layout import DeliveryRejected
from etl_assets.spec.formats import Archives

CHUNK_BYTES = 1 << 22
SHOWN_NAMES = 5
ENCRYPTED = 0x1
BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError, pa.ArrowException)


class Expanded:
    """The bytes of an archive's file, as they are read.

    Raises: DeliveryRejected, at the read that shows that the archive is cut off or larger than the spec allows.
    """

    def __init__(self, kind: str, stream: Stream, archives: Archives) -> None:
        self._kind, self._stream, self._archives = kind, stream, archives
        self._size_bytes = 0

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes; all that is left where it is negative."""
        if size < 0:
            return b"".join(iter(lambda: self.read(CHUNK_BYTES), b""))
        with _whole(self._kind):
            chunk = self._stream.read(size)
        self._size_bytes += len(chunk)
        if self._size_bytes > self._archives.max_expanded_bytes:
            raise DeliveryRejected(
                f"it expands to more than {self._archives.max_expanded_mb} MiB; ask for smaller files, "
                "or raise deliveries.archives.max_expanded_mb if this one is genuine"
            )
        return chunk


def opened(name: str, file: BinaryIO, archives: Archives) -> Stream:
    """The delivery that `file` is, or holds if `name` says that it is an archive.

    Raises: DeliveryRejected, if it is encrypted, holds several files or is no archive at all.
    """
    suffix = "." + name.lower().rpartition(".")[2]
    return OPENERS[suffix](file, archives) if suffix in OPENERS else file


def expanded(name: str, content: bytes, archives: Archives) -> bytes:
    """The same, all of it at once."""
    return opened(name, io.BytesIO(content), archives).read()


def _gzip(file: BinaryIO, archives: Archives) -> Stream:
    return Expanded("gzip", gzip.GzipFile(fileobj=file, mode="rb"), archives)


def _zstd(file: BinaryIO, archives: Archives) -> Stream:
    return Expanded("zstd", pa.CompressedInputStream(pa.PythonFile(file, "r"), "zstd"), archives)


def _zip(file: BinaryIO, archives: Archives) -> Stream:
    with _whole("zip"):
        archive = zipfile.ZipFile(file)
        member = _member(archive, archives)
        if member.flag_bits & ENCRYPTED:
            name = repr(member.filename)
            raise DeliveryRejected("its member ", name, " is encrypted; ask for it without a password")
        return Expanded("zip", archive.open(member), archives)


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
        f"the zip archive holds {len(files)} files (",
        f"{names}{more}",
        f"){which}; expected one. Name it under deliveries.archives.zip_member, or ask for one file per archive",
    )


@contextmanager
def _whole(kind: str) -> Iterator[None]:
    """What the libraries say of a broken archive is said as a rejection."""
    try:
        yield
    except BROKEN as error:
        raise DeliveryRejected(f"it is no complete {kind} file (", error, "); ask for the file again") from error


OPENERS: dict[str, Callable[[BinaryIO, Archives], Stream]] = {".gz": _gzip, ".zip": _zip, ".zst": _zstd}
