"""The certificates that were given, in a table of PostgreSQL: the latest of each day of each table."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import asdict
from datetime import date
from typing import Any

import pyarrow as pa

from etl_assets.certificate_tables import MIRROR_CERTIFICATES
from etl_assets.io_managers.errors import Permanent
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.slices import WHOLE, Slice, daily_slice
from etl_assets.io_managers.targets import Drift, Mode, Target
from etl_assets.reconciliation.certificates import Certificate, Verdict

Stored = dict[str, Any]
Place = tuple[date, str]
COMPARED = ("source_written_at", "snowflake")


def remember(
    warehouse: PostgresWarehouse, schema: str, certificates: Collection[Certificate], run_id: str, snowflake: str
) -> None:
    """The log holds these certificates, all or none; of two of one day and table, the one that was checked last.

    `snowflake` names account and database: a certificate says nothing of another one. One run writes after the other,
    or a slow one that read before would put its older certificate in the place of a newer one.

    Raises: Permanent for a certificate that is not of a day.
    """
    days = {_day(certificate) for certificate in certificates}
    if not days:
        return
    with warehouse.transaction() as alone:
        alone.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{schema} certificates"])
        slice_ = daily_slice("business_date", days)
        known = {_place(row): row for row in latest(warehouse, schema, slice_).to_pylist()}
        found = _newest(certificates, {"run_id": run_id, "snowflake": snowflake})
        rows = [row for place, row in found.items() if _is_newer(row, known.get(place))]
        for row in rows:
            row["times_different"] = _times_different(row, known.get(_place(row)))
        table = pa.Table.from_pylist(rows, schema=MIRROR_CERTIFICATES.schema)
        warehouse.write(_at(schema), slice_, table, run_id, mode=Mode.UPSERT)


def latest(warehouse: PostgresWarehouse, schema: str, slice_: Slice = WHOLE) -> pa.Table:
    """The certificates of the slice, by day and table; none where nothing was ever certified."""
    return warehouse.read_slice(_at(schema), slice_, must_exist=False)


def _at(schema: str) -> Target:
    return Target(schema, MIRROR_CERTIFICATES, drift=Drift.ADD)


def _newest(certificates: Iterable[Certificate], said: Stored) -> dict[Place, Stored]:
    ordered = sorted(certificates, key=lambda certificate: certificate.checked_at)
    return {_place(row): row for row in (_row(one) | said for one in ordered)}


def _place(row: Stored) -> Place:
    return row["business_date"], row["table_name"]


def _row(certificate: Certificate) -> Stored:
    row = asdict(certificate) | {"business_date": _day(certificate)}
    del row["partition_key"]
    return row | {
        "verdict": certificate.verdict.value,
        "columns_differ": ",".join(certificate.columns_differ),
        "differing_keys": json.dumps(certificate.differing_keys, ensure_ascii=False),
    }


def _is_newer(row: Stored, before: Stored | None) -> bool:
    return before is None or bool(before["checked_at"] <= row["checked_at"])


def _times_different(row: Stored, before: Stored | None) -> int:
    """How often in a row this write of PostgreSQL was found to be another in Snowflake; none if it is equal now."""
    if row["verdict"] == Verdict.EQUAL:
        return 0
    is_again = before is not None and all(before[name] == row[name] for name in COMPARED)
    times = int(before["times_different"]) if before is not None and is_again else 0
    return times + int(row["verdict"] != Verdict.CHANGED_MEANWHILE)


def _day(certificate: Certificate) -> date:
    try:
        return date.fromisoformat(certificate.partition_key)
    except ValueError:
        raise Permanent(
            f"{certificate.table_name}: the log of certificates is by day; {certificate.partition_key!r} is none"
        ) from None
