"""Deliveries of three institutions in a folder, and the truth about them.

Puts the other modules together, day by day; what a tenant is like, how rows are damaged and how bytes are written
belong to those.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from etl_assets.simulator.defects import WHOLE_FILE, Defect, planned
from etl_assets.simulator.files import Dialect, csv_bytes, deliver, parquet_bytes
from etl_assets.simulator.kartenhaus import KARTENHAUS
from etl_assets.simulator.mercado import MERCADO
from etl_assets.simulator.nordbank import NORDBANK
from etl_assets.simulator.spoiling import spoiled_cells
from etl_assets.simulator.tenant import Part, Tenant
from etl_assets.simulator.traffic import traffic
from etl_assets.simulator.truth import InstitutionTruth, RowAccount, Truth, frauds_as_cleaned

TENANTS = (NORDBANK, KARTENHAUS, MERCADO)


@dataclass(frozen=True)
class Delivery:
    """One file to be: its name, its bytes, when it arrives, and what must become of its records."""

    name: str
    content: bytes
    delivered_at: datetime
    account: RowAccount


def simulate(folder: Path, days: int = 45, seed: int = 7) -> Truth:
    """`folder/<institution>/` holds the deliveries of `days` business dates, `folder/truth/` the frauds in them.

    The same arguments give the same bytes and modification times, and a second run touches nothing: a file that
    is merely rewritten is a new delivery to whoever watches the folder.
    """
    numbered = enumerate(TENANTS)
    return Truth({tenant.name: _institution(folder, tenant, days, [seed, number]) for number, tenant in numbered})


def _institution(folder: Path, tenant: Tenant, days: int, seed: list[int]) -> InstitutionTruth:
    first = tenant.spec.start_date
    rows = planned(traffic(tenant, days, seed), _plan_within(tenant, days), first, seed)
    rows = rows.filter(pl.col("file_on") < first + timedelta(days=days))
    cells = spoiled_cells(tenant.render(rows), tenant.spec)
    accounts = {}
    for delivery in _deliveries(tenant, cells, days):
        deliver(folder / tenant.name / delivery.name, delivery.content, delivery.delivered_at)
        accounts[delivery.name] = delivery.account
    frauds = frauds_as_cleaned(cells, tenant.spec)
    deliver(
        folder / "truth" / f"{tenant.name}.csv", frauds.write_csv().encode(), _arrival(tenant, first, "first", days)
    )
    return InstitutionTruth(accounts, _defects(cells, tenant, days), len(frauds))


def _deliveries(tenant: Tenant, cells: pl.DataFrame, days: int) -> Iterator[Delivery]:
    files = cells.partition_by("file_on", "part", as_dict=True)
    for day in range(days):
        on = tenant.spec.start_date + timedelta(days=day)
        accidents = {defect.kind: defect for defect in tenant.plan if defect.day == day}
        if "no_file" in accidents:
            continue
        first = _delivery(tenant, files.get((on, "first"), cells.clear()), on, "first", 0)
        yield first
        if "corrected" in accidents:
            lag_days = accidents["corrected"].lag_days
            yield _delivery(tenant, files[on, "corrected"], on, "corrected", lag_days)
        if "redelivered" in accidents:
            again, lag_days = first.account.delivered_again(), accidents["redelivered"].lag_days
            arrival = _arrival(tenant, on, "redelivered", lag_days)
            yield Delivery(on.strftime(tenant.file_names["redelivered"]), first.content, arrival, again)


def _delivery(tenant: Tenant, cells: pl.DataFrame, on: date, part: Part, lag_days: int) -> Delivery:
    content, control_lines = _content(tenant, cells, on, part)
    account = RowAccount.of(cells["fate"], control_lines)
    return Delivery(on.strftime(tenant.file_names[part]), content, _arrival(tenant, on, part, lag_days), account)


def _content(tenant: Tenant, cells: pl.DataFrame, on: date, part: Part) -> tuple[bytes, int]:
    """The file's bytes, and how many of its lines are not transactions."""
    if tenant.parquet_schema is not None:
        return parquet_bytes(cells, tenant.parquet_schema), 0
    day = (on - tenant.spec.start_date).days
    spelling = 0 if day >= tenant.respelled_day else -1
    header = {source: spellings[spelling] for source, spellings in _in_file_order(tenant, cells).items()}
    blank = [d.kind for d in tenant.plan if d.day == day and d.kind.endswith("blank_line") and part == "first"]
    dialect = Dialect(tenant.spec.deliveries.csv, tenant.line_end, tenant.undecodable)
    return csv_bytes(cells, header, dialect, blank), 1 + len(blank)


def _in_file_order(tenant: Tenant, cells: pl.DataFrame) -> dict[str, tuple[str, ...]]:
    declared = tenant.spec.declared
    return {name: declared[name] for name in cells.columns if name in declared}


def _arrival(tenant: Tenant, on: date, part: Part, lag_days: int) -> datetime:
    """About two at night after the business date; corrections and repetitions in office hours, days later."""
    minute = (7 * on.toordinal()) % 25
    at = {"first": time(2, minute), "corrected": time(10, 15), "redelivered": time(8, 40)}[part]
    return datetime.combine(on + timedelta(days=1 + lag_days), at, tzinfo=ZoneInfo(tenant.spec.time_zone))


def _plan_within(tenant: Tenant, days: int) -> tuple[Defect, ...]:
    return tuple(defect for defect in tenant.plan if defect.day < days)


def _defects(cells: pl.DataFrame, tenant: Tenant, days: int) -> dict[str, int]:
    """Records hit, by kind of defect; a defect of a whole file counts once."""
    hit = Counter(kind for kind in cells["defect"] if kind not in (None, "spared"))
    return dict(hit + Counter(d.kind for d in _plan_within(tenant, days) if d.kind in WHOLE_FILE))
