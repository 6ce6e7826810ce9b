"""JSON without loss: numbers stay the text that they were, and what a parser would quietly put right is noted.

One value at a time; which values are records belongs to `json_reading.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any


class Number(str):
    """The digits of a number as written, so that 1.10 stays 1.10 and no id is rounded."""

    __slots__ = ()


KINDS: Mapping[type, str] = {str: "string", Number: "number", dict: "object", list: "array", bool: "boolean"}
"""What JSON calls the types that we read; null is a value of any."""


class Parser:
    """A JSON parser that remembers what was wrong with the value that it read last; `quote` says how to tell a key."""

    def __init__(self, quote: Callable[[str], str] = repr) -> None:
        self.problems: list[str] = []
        self._quote = quote
        decoder = json.JSONDecoder(
            object_pairs_hook=self._object, parse_float=Number, parse_int=Number, parse_constant=self._constant
        )
        self._scan = decoder.raw_decode

    def value(self, text: str, at: int = 0) -> tuple[Any, int]:
        """The value that begins at `at`, and where it ends.

        Raises: json.JSONDecodeError; also for what is nested too deeply.
        """
        self.problems.clear()
        try:
            return self._scan(text, at)
        except RecursionError:
            raise json.JSONDecodeError("Nested too deeply", text, at) from None

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            repeated = next(key for key in keys if keys.count(key) > 1)
            self.problems.append(f"key {self._quote(repeated)} stands there twice")
        return found

    def _constant(self, name: str) -> Number:
        self.problems.append(f"{name} is no JSON value")
        return Number(name)


def as_text(value: Any) -> str | None:
    """The value as a text column holds it: text as it is, numbers as written, what is nested as compact JSON."""
    if value is None or type(value) is str:
        return value
    return compact(value)


def compact(value: Any) -> str:
    """The value as JSON without spaces, numbers as written."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{_quoted(key)}:{compact(held)}" for key, held in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(compact, value)) + "]"
    return _quoted(value)


def _quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
