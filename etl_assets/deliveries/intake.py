"""The deliveries of some business dates -> their records as raw rows, and what the ledger must know of each file.

What a file is and how it is read belongs to `sources/`, what was delivered before to `ledger.py`. No Dagster.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from time import monotonic
from types import TracebackType
from typing import BinaryIO, Self

import pyarrow as pa

from etl_assets.deliveries.ledger import Read
from etl_assets.deliveries.provenance import code_version, due_at, public
from etl_assets.deliveries.schema_log import as_json
from etl_assets.institution_spec import InstitutionSpec
from etl_assets.sources.announcements import announcements, files_beside
from etl_assets.sources.listing import Delivery, downloaded, listed
from etl_assets.sources.manifests import (
    Announced,
    DeliveryPartial,
    no_records,
    promises_nothing,
    refuse_other_bytes,
    refuse_other_rows,
)
from etl_assets.sources.protection import Protection, protection_of
from etl_assets.sources.reading import DeliveryRejected, Reading, read_parts
from etl_assets.sources.row_digest import RowsDigest
from etl_assets.sources.totals import Tally
from etl_assets.spool import Spool
from etl_assets.tables import raw_table

PIECE_BYTES = 1 << 20


@dataclass
class Intake:
    """What the deliveries hold. The rows of a `refused` date may be there too: who writes leaves them out."""

    spec: InstitutionSpec
    protection: Protection
    rows: Spool
    reads: list[Read] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.rows.close()

    def take(self, delivery: Delivery, file: BinaryIO, announced: Announced | None) -> None:
        """Every record of the file is in `rows`, or none, since what is wrong with a file can show at its end."""
        began, read = monotonic(), _identity(self.spec, delivery, announced)
        with Spool(self.rows.schema) as rows:
            try:
                read = self._read(read, delivery, file, announced, rows)
            except DeliveryRejected as error:
                problem = str(error) if delivery.name in str(error) else f"{delivery.name}: {error}"
                read = replace(read, problem=problem, is_partial=isinstance(error, DeliveryPartial))
                day = delivery.business_date.isoformat()
                self.refused[day] = "; ".join(filter(None, [self.refused.get(day), problem]))
            else:
                self.rows.absorb(rows)
        self.reads.append(replace(read, duration_s=monotonic() - began))

    def _read(self, read: Read, delivery: Delivery, file: BinaryIO, announced: Announced | None, rows: Spool) -> Read:
        digest, tally = RowsDigest(), Tally(self.spec.columns.amount)
        if announced is not None:
            refuse_other_bytes(announced, delivery.size_bytes, delivery.content_sha256, _chunks(file))
        is_nothing = promises_nothing(announced, delivery.size_bytes, self.spec.columns.amount)
        for part in [no_records(self.spec)] if is_nothing else self._parts(delivery, file):
            digest.add(part.rows)
            if announced is not None:
                tally.add(part.rows)
            rows.add(_with_lineage(self.protection.applied(part.rows), delivery, rows.schema))
            read = replace(
                read,
                records_read=read.records_read + part.records_read,
                control_lines=read.control_lines + part.control_lines,
                titles=as_json(part.titles),
                stated_rows=part.stated_rows if read.stated_rows is None else read.stated_rows,
            )
        if announced is not None:
            refuse_other_rows(announced, tally)
        return replace(read, content_digest=digest.value())

    def _parts(self, delivery: Delivery, file: BinaryIO) -> Iterator[Reading]:
        with self.protection.withheld():
            yield from read_parts(delivery.name, file, self.spec)


def taken_in(spec: InstitutionSpec, days: Sequence[date]) -> Intake:
    """Every delivery for `days` that lies complete in the institution's folder has been read.

    A date of which a file is not complete yet is refused as a whole, and nothing of it is read.

    Raises: ListingFailed, ListingRefused; SpecRefused where the folder or the key for personal data is not set.
    """
    intake = Intake(spec, protection_of(spec), Spool(raw_table(spec).schema))
    there, found, now = files_beside(spec), listed(spec), datetime.now(UTC)
    here = [one for one in found if one.business_date in {*days}]
    said = announcements(spec, found, there, now, {*days})
    intake.refused.update(said.refused_dates(here))
    complete = [one for one in here if one.business_date.isoformat() not in intake.refused]
    for delivery, file in downloaded(spec, complete):
        intake.take(delivery, file, said.stated.get(delivery.relative_path))
    return intake


def _identity(spec: InstitutionSpec, delivery: Delivery, announced: Announced | None) -> Read:
    return Read(
        delivery_id=delivery.delivery_id,
        business_date=delivery.business_date,
        path=delivery.relative_path,
        size_bytes=delivery.size_bytes,
        content_sha256=delivery.content_sha256,
        delivered_at=delivery.delivered_at,
        records_read=0,
        control_lines=0,
        stated_rows=None if announced is None else announced.stated_rows(spec.columns.amount),
        due_at=due_at(delivery.business_date, spec.time_zone, spec.deliveries.late_after_days),
        source=public(spec.deliveries.address),
        code_version=code_version(),
    )


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    yield from iter(lambda: file.read(PIECE_BYTES), b"")
    file.seek(0)


def _with_lineage(rows: pa.Table, delivery: Delivery, schema: pa.Schema) -> pa.Table:
    constants = {
        "business_date": delivery.business_date,
        "_delivery_id": delivery.delivery_id,
        "_file": delivery.name,
        "_delivered_at": delivery.delivered_at,
    }
    for name, value in constants.items():
        rows = rows.append_column(name, pa.repeat(pa.scalar(value, schema.field(name).type), rows.num_rows))
    return rows.select(schema.names).cast(schema)
