"""Reading one delivered file, whatever its format, so that every record of it is accounted for.

The door to this room: formats belong to files named after them,
archives to `compression.py`, folders to `listing.py`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import BinaryIO

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.sources.compression import opened
from etl_assets.sources.csv_reading import csv_parts
from etl_assets.sources.cutting import Stream
from etl_assets.sources.excel import read_excel
from etl_assets.sources.fixed_width import read_fixed_width
from etl_assets.sources.json_reading import read_json, read_jsonl
from etl_assets.sources.layout import DeliveryRejected, Reading, joined
from etl_assets.sources.parquet import parquet_parts, read_parquet

__all__ = ["DeliveryRejected", "Reading", "read_delivery", "read_parts"]
WHOLE: dict[str, Callable[[bytes, InstitutionSpec], Reading]] = {
    "excel": read_excel,
    "fixed_width": read_fixed_width,
    "json": read_json,
    "jsonl": read_jsonl,
    "parquet": read_parquet,
}


def read_delivery(name: str, content: bytes, spec: InstitutionSpec) -> Reading:
    """Every record of the file is a row or a counted control line; nothing is trimmed, replaced or skipped.

    Rows have lineage first, then one text column per declared source column. A record that cannot be split
    is a row with its problem and its bytes, because a skipped record is a payment that nobody misses.

    Raises: DeliveryRejected, naming the file, what is wrong with it as a whole and what would help.
    """
    return joined(list(read_parts(name, io.BytesIO(content), spec)))


def read_parts(name: str, file: BinaryIO, spec: InstitutionSpec) -> Iterator[Reading]:
    """The same part by part, as far as the format allows: CSV and Parquet need the memory of one part.

    Nothing of it may be published before the last part is there: that a file is cut off shows only at its end.
    """
    try:
        _refuse_empty(file)
        yield from _parts(file, opened(name, file, spec.deliveries.archives), spec)
    except DeliveryRejected as error:
        said = error.withheld if spec.personal_data.is_named else error
        raise DeliveryRejected(f"{name}: {said}") from None


def _refuse_empty(file: BinaryIO) -> None:
    if not file.read(1):
        raise DeliveryRejected("it has 0 bytes; the upload was cut off. Ask for the file again")
    file.seek(0)


def _parts(file: BinaryIO, stream: Stream, spec: InstitutionSpec) -> Iterator[Reading]:
    if spec.deliveries.format == "csv":
        return csv_parts(stream, spec)
    if spec.deliveries.format == "parquet" and stream is file:
        return parquet_parts(file, spec)
    return iter([WHOLE[spec.deliveries.format](stream.read(), spec)])
