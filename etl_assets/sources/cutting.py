"""A stream of bytes as pieces of whole lines, each in memory for itself.

Where a record ends is not known here: whoever reads a piece says how much of it is used up.
"""

from __future__ import annotations

from typing import Protocol

PIECE_BYTES = 8 << 20
END_BYTES = 64 << 10
READ_BYTES = 8 << 20


class Stream(Protocol):
    """What a file, an archive's member or a spooled download has in common."""

    def read(self, size: int = -1, /) -> bytes: ...


class Cutter:
    """The stream from the first byte that is not used up: `content`, and whether the stream ends with it.

    The last piece has at least `END_BYTES` (or all), so that a footer stands in one piece with the records before it.
    """

    def __init__(self, stream: Stream, piece_bytes: int = PIECE_BYTES) -> None:
        self._stream, self._piece_bytes = stream, piece_bytes
        self._buffer, self._ahead = b"", self._next()
        self.more()

    @property
    def is_last(self) -> bool:
        return not self._ahead

    @property
    def content(self) -> bytes:
        """Whole lines only, unless the stream ends here."""
        return self._buffer if self.is_last else self._buffer[: _end_of_last_line(self._buffer)]

    def more(self) -> None:
        """Another piece of the stream is in `content`."""
        self._buffer, self._ahead = self._buffer + self._ahead, self._next()
        if len(self._ahead) < min(END_BYTES, self._piece_bytes):
            self._buffer, self._ahead = self._buffer + self._ahead, b""

    def use(self, count: int) -> None:
        """The first `count` bytes are done with."""
        self._buffer = self._buffer[count:]

    def _next(self) -> bytes:
        """Asked for bit by bit: files and archives make room for all that they are asked for before they read."""
        parts, missing = [], self._piece_bytes
        while missing and (part := self._stream.read(min(missing, READ_BYTES))):
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)


def _end_of_last_line(buffer: bytes) -> int:
    """After the last line feed; where there is none, after a carriage return that no line feed can follow."""
    if end := buffer.rfind(b"\n") + 1:
        return end
    return buffer.rfind(b"\r", 0, -1) + 1
