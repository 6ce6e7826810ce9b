"""The values of a reference list, read once for each state of its file.

Which rule uses which list is said in `spec/rules.py`; judging rows by it belongs to `transforms/rules.py`.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet

from etl_assets.spec.rules import Reference, ReferenceUnusable

KEPT_LISTS = 64


def listed(reference: Reference) -> pa.Array:
    """The list's values as text without padding, for `is_in`.

    Raises: ReferenceUnusable where the file or the column is not there or nothing is in it: every row would break
    the rule, and a day of good rows would lie in quarantine for a path that is spelt wrong.
    """
    path = reference.path
    try:
        state = path.stat()
        return _read(path, reference.column, state.st_mtime_ns, state.st_size)
    except (OSError, pa.ArrowException, KeyError) as error:
        what = f"column {reference.column!r} of reference.file {reference.file!r} ({path})"
        raise ReferenceUnusable(f"{what} cannot be read; put the list there or correct the rule: {error}") from error


@lru_cache(maxsize=KEPT_LISTS)
def _read(path: Path, column: str, mtime_ns: int, size: int) -> pa.Array:  # noqa: ARG001  a changed file is another key
    if path.suffix == ".parquet":
        found = parquet.read_table(path, columns=[column])[column]
    else:
        options = csv.ConvertOptions(include_columns=[column], column_types={column: pa.string()})
        found = csv.read_csv(path, convert_options=options)[column]
    if not (pa.types.is_string(found.type) or pa.types.is_large_string(found.type) or pa.types.is_integer(found.type)):
        raise pa.ArrowInvalid(f"it holds {found.type}; expected text or whole numbers")
    values = pc.unique(pc.ascii_trim(found.cast(pa.string()), characters=" "))
    values = values.filter(pc.greater(pc.fill_null(pc.binary_length(values), 0), 0))
    if not len(values):
        raise pa.ArrowInvalid("it lists nothing")
    return values
