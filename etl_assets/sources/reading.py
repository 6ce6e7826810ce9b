"""Reading one delivered file, whatever its format, so that every record of it is accounted for.

The door to this room: formats belong to files named after them,
archives to `compression.py`, folders to `listing.py`.
"""

from __future__ import annotations

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.sources.compression import expanded
from etl_assets.sources.csv_reading import read_csv
from etl_assets.sources.excel import read_excel
from etl_assets.sources.fixed_width import read_fixed_width
from etl_assets.sources.json_reading import read_json, read_jsonl
from etl_assets.sources.layout import DeliveryRejected, Reading
from etl_assets.sources.parquet import read_parquet

__all__ = ["DeliveryRejected", "Reading", "read_delivery"]
READERS = {
    "csv": read_csv,
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
    read = READERS[spec.deliveries.format]
    if not content:
        raise DeliveryRejected(f"{name}: it has 0 bytes; the upload was cut off. Ask for the file again")
    try:
        return read(expanded(name, content, spec.deliveries.archives), spec)
    except DeliveryRejected as error:
        raise DeliveryRejected(f"{name}: {error}") from error
