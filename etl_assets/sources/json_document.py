"""The records of one JSON document, each with the bytes that it was written in.

Where the array is and where its elements begin and end; what is in an element belongs to `json_reading.py`.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from etl_assets.sources.json_values import Parser
from etl_assets.sources.layout import DeliveryRejected

SPACE = re.compile(r"[ \t\n\r]*")


@dataclass(frozen=True)
class Element:
    """A record as found: its number from 1, its place and bytes, its value, and what is wrong with its JSON."""

    number: int
    offset: int
    content: bytes
    value: Any
    problems: Sequence[str]


def elements(original: bytes, path: str | None, parser: Parser) -> Iterator[Element]:
    """Every element of the array at the dotted `path`, or of the array that the document is.

    Raises: DeliveryRejected, if the document ends early, is no JSON, or has no array there.
    """
    mark = codecs.BOM_UTF8 if original.startswith(codecs.BOM_UTF8) else b""
    text = original[len(mark) :].decode("utf-8", "surrogateescape")
    walk = _Walk(text, parser)
    offset, before = len(mark), 0
    try:
        for number, (start, end, value, problems) in enumerate(walk.document(path.split(".") if path else []), start=1):
            offset += len(_bytes(text[before:start]))
            before = start
            yield Element(number, offset, _bytes(text[start:end]), value, problems)
    except json.JSONDecodeError as error:
        raise DeliveryRejected(
            f"it is no complete JSON document (line {error.lineno}, column {error.colno}: {error.msg}); "
            "ask for the file again, or set deliveries.format to jsonl if each line is an object"
        ) from error


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


Found = tuple[int, int, Any, Sequence[str]]


@dataclass
class _Walk:
    """A way through the text that only builds the values that it must."""

    text: str
    parser: Parser

    def document(self, path: Sequence[str]) -> Generator[Found, None, None]:
        end = yield from self._at(0, path, [])
        if self._skipped(end) != len(self.text):
            raise json.JSONDecodeError("Extra data", self.text, self._skipped(end))

    def _at(self, at: int, path: Sequence[str], above: Sequence[str]) -> Generator[Found, None, int]:
        at = self._skipped(at)
        if not path:
            return (yield from self._array(at, ".".join(above)))
        return (yield from self._object(at, path, above))

    def _array(self, at: int, place: str) -> Generator[Found, None, int]:
        if self._next(at) != "[":
            self.parser.value(self.text, at)
            where = f"at {place!r}" if place else "at its top"
            raise DeliveryRejected(f"there is no array {where}; correct deliveries.json_records")
        at = self._skipped(at + 1)
        if self._next(at) == "]":
            return at + 1
        while True:
            value, end = self.parser.value(self.text, at)
            yield at, end, value, list(self.parser.problems)
            at, is_last = self._after(end, "]")
            if is_last:
                return at

    def _object(self, at: int, path: Sequence[str], above: Sequence[str]) -> Generator[Found, None, int]:
        wanted, keys = path[0], list[str]()
        place = ".".join([*above, wanted])
        is_last = self._next(at) != "{" or self._next(self._skipped(at + 1)) == "}"
        end = self.parser.value(self.text, at)[1] if is_last else at
        at = at if is_last else self._skipped(at + 1)
        while not is_last:
            key, at = self._key(at)
            if key in keys and key == wanted:
                raise DeliveryRejected(f"{place!r} stands there twice; ask for a corrected file")
            keys.append(key)
            if key == wanted:
                end = yield from self._at(at, path[1:], [*above, key])
            else:
                end = self.parser.value(self.text, self._skipped(at))[1]
            at, is_last = self._after(end, "}")
            end = at
        if wanted not in keys:
            raise DeliveryRejected(f"there is no {place!r}, only ", keys, "; correct deliveries.json_records")
        return end

    def _key(self, at: int) -> tuple[str, int]:
        if self._next(at) != '"':
            raise json.JSONDecodeError("Expecting property name", self.text, at)
        key, end = self.parser.value(self.text, at)
        end = self._skipped(end)
        if self._next(end) != ":":
            raise json.JSONDecodeError("Expecting ':' delimiter", self.text, end)
        return str(key), end + 1

    def _after(self, end: int, closing: str) -> tuple[int, bool]:
        """Where to go on after a value, and whether it was the last."""
        at = self._skipped(end)
        if self._next(at) == closing:
            return at + 1, True
        if self._next(at) != ",":
            raise json.JSONDecodeError("Expecting ',' delimiter", self.text, at)
        return self._skipped(at + 1), False

    def _next(self, at: int) -> str:
        return self.text[at : at + 1]

    def _skipped(self, at: int) -> int:
        found = SPACE.match(self.text, at)
        return found.end() if found else at
