"""A folder with numbers (safetensors) and words (JSON) that is read back exactly as written, or refused.

No pickle: an artefact store that somebody can write to must not become a place to run code from.
What the numbers mean belongs to the callers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

ARRAYS, MANIFEST, DIGEST = "arrays.safetensors", "manifest.json", "content_sha256"
Numbers = NDArray[np.generic]


class ArtefactRefused(ValueError):  # noqa: N818  the refusal is the fact
    """The folder does not hold what was written to it, or it was written for something else. Permanent."""


def write(folder: Path, arrays: Mapping[str, Numbers], words: Mapping[str, Any]) -> str:
    """`folder` holds `arrays` and `words`; the hash of both is returned and stands in the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    content = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    digest = _digest(content, words)
    (folder / ARRAYS).write_bytes(content)
    (folder / MANIFEST).write_text(json.dumps({**words, DIGEST: digest}, indent=2) + "\n", encoding="utf-8")
    return digest


def read(folder: Path, digest: str | None = None) -> tuple[dict[str, Numbers], dict[str, Any]]:
    """The arrays and words that `write` was given.

    Raises: ArtefactRefused for a missing or unreadable file, and for content whose hash is not the manifest's or
    not `digest`: whoever changes the files can change the manifest beside them, but not the registry's record.
    """
    try:
        content = (folder / ARRAYS).read_bytes()
        words = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        expected = words.pop(DIGEST)
        arrays = load(content)
    except (OSError, ValueError, KeyError, AttributeError, TypeError, SafetensorError) as error:
        raise ArtefactRefused(f"{folder}: not a readable artefact: {error!r}") from error
    if (found := _digest(content, words)) != expected:
        raise ArtefactRefused(f"{folder}: content hash {found}, but the manifest says {expected}: somebody changed it")
    if digest not in (None, found):
        raise ArtefactRefused(f"{folder}: content hash {found}, but {digest} was registered")
    return arrays, words


def _digest(content: bytes, words: Mapping[str, Any]) -> str:
    text = json.dumps(words, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content + text.encode()).hexdigest()


def prefixed(prefix: str, arrays: Mapping[str, Numbers]) -> dict[str, Numbers]:
    """`arrays` under names that begin with `prefix` and a dot."""
    return {f"{prefix}.{name}": array for name, array in arrays.items()}


def under(prefix: str, arrays: Mapping[str, Numbers]) -> dict[str, Numbers]:
    """The arrays that `prefixed` named so, under their own names."""
    return {name.removeprefix(prefix + "."): a for name, a in arrays.items() if name.startswith(prefix + ".")}
