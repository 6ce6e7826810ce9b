"""What a warehouse backend may lack, and how a test says that it needs it."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

Test = TypeVar("Test", bound=Callable[..., Any])


class Ability(StrEnum):
    """The modes have the names of `targets.Mode`."""

    APPEND = "append"
    UPSERT = "upsert"
    REPLACE_TABLE = "replace_table"
    RECTANGLES = "slices of several dimensions"
    ANY_SCHEMA = "a schema of any name"
    WRITES_UNDER_READERS = "a write ends while a stranger's transaction has the table open"


def needs(ability: Ability) -> Callable[[Test], Test]:
    """The test is expected to fail, strictly, on a backend that declares that it cannot do this."""

    def marked(test: Test) -> Test:
        test.needs = ability  # type: ignore[attr-defined]
        return test

    return marked
