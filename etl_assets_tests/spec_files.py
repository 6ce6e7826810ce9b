"""Tenant files with one thing wrong, and what is said about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from etl_assets.institution_spec import SpecRefused, load_spec
from etl_assets_tests.specs import MINIMAL
from etl_assets_tests.specs import _merged as merged

REMOVED = object()


def refusal(folder: Path, content: str | bytes) -> str:
    path = folder / "bank.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SpecRefused) as refused:
        load_spec(path)
    assert str(refused.value).startswith(f"{path}:")
    return str(refused.value).removeprefix(f"{path}:")


def changed(path: str, value: Any) -> str:
    """The minimal spec as YAML, with one field set or removed."""
    *parents, last = path.split(".")
    override: Any = {last: value}
    for parent in reversed(parents):
        override = {parent: override}
    content = merged(MINIMAL, override)
    if value is REMOVED:
        inner = content
        for parent in parents:
            inner = inner[parent]
        del inner[last]
    return yaml.safe_dump(content)
