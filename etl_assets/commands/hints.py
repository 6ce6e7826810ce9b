"""How a person calls the program again: what stands in a hint can be copied and works."""

from __future__ import annotations

import sys
from pathlib import Path
from shutil import which

NAME = "etl-assets"


def program() -> str:
    """Its name, or the path by which it was called where the shell does not find the name."""
    is_called_by_path = Path(sys.argv[0]).name == NAME and which(NAME) is None
    return sys.argv[0] if is_called_by_path else NAME
