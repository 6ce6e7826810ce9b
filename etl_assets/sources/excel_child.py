"""The process in which a workbook is opened: workbook in, pickled cells or a refusal out, nothing of ours imported.

The reader makes room for as many cells as a damaged file claims, and ends its process where there is none.
"""

from __future__ import annotations

import io
import pickle
import resource
import sys
from contextlib import suppress

import python_calamine as calamine

MAX_BYTES = 4 << 30
MAX_CELLS = 50_000_000


def answer(content: bytes, sheet: str) -> tuple[str, object]:
    """What was found (`cells`, `sheets`, `encrypted` or `broken`) and the particulars of it."""
    try:
        with calamine.load_workbook(io.BytesIO(content)) as workbook:
            if sheet not in workbook.sheet_names:
                return "sheets", workbook.sheet_names
            found = workbook.get_sheet_by_name(sheet)
            rows, columns = found.end or (0, 0)
            if (rows + 1) * (columns + 1) > MAX_CELLS:
                return "broken", f"it reaches to row {rows + 1} and column {columns + 1}"
            return "cells", found.to_python(skip_empty_area=False)
    except calamine.PasswordError:
        return "encrypted", None
    except calamine.CalamineError as error:
        return "broken", str(error)


if __name__ == "__main__":
    with suppress(ValueError, OSError):  # a lower limit may be set already
        resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))
    pickle.dump(answer(sys.stdin.buffer.read(), sys.argv[1]), sys.stdout.buffer)
