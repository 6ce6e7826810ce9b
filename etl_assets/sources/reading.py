"""Reading one delivered file, whatever its format, so that every record of it is accounted for.

The door to this room: formats belong to `csv_reading.py` and `parquet.py`, folders to `listing.py`.
"""

from __future__ import annotations

from pathlib import Path

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.sources.csv_reading import read_csv
from etl_assets.sources.layout import DeliveryRejected, Reading
from etl_assets.sources.parquet import read_parquet

__all__ = ["DeliveryRejected", "Reading", "read_delivery"]


def read_delivery(path: Path, spec: InstitutionSpec) -> Reading:
    """Every record of the file is a row or a counted control line; nothing is trimmed, replaced or skipped.

    Rows have lineage first, then one text column per declared source column. A record that cannot be split
    is a row with its problem and its bytes, because a skipped record is a payment that nobody misses.

    Raises: DeliveryRejected, naming the file, what is wrong with it as a whole and what would help;
    OSError where the file cannot be opened, which may pass.
    """
    read = read_parquet if spec.deliveries.format == "parquet" else read_csv
    content = path.read_bytes()
    if not content:
        raise DeliveryRejected(f"{path.name}: it has 0 bytes; the upload was cut off. Ask for the file again")
    try:
        return read(content, spec)
    except DeliveryRejected as error:
        raise DeliveryRejected(f"{path.name}: {error}") from error
