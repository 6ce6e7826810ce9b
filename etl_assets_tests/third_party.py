"""Deliveries that others made, as their institutions in `institutions/` take them in, and a second reading of them.

The second reading is that of the standard library: csv, calamine and Decimal, a sum per file and nothing clever.
What must come out is in the tests.
"""

from __future__ import annotations

import csv
import io
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, LiteralString

import dagster as dg
import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from python_calamine import load_workbook

from etl_assets.assets.tenant import Tenant
from etl_assets.audit import PROMISES, violations
from etl_assets.backfill import QUIET
from etl_assets.institution import definitions_of
from etl_assets.institution_spec import InstitutionSpec, load_spec
from etl_assets.io_managers.postgres.io_manager import PostgresIOManager
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.resources import snowflake_resources

INSTITUTIONS = Path(__file__).parent / "institutions"
TAKEN_IN = ("raw_transactions", "cleaned_transactions", "quarantined_transactions", "row_account")
BIRMINGHAM = {
    "20140507_purchasecardtransactionsapril2014.xls": "APR 2014",
    "20170105_publish-spend-december-2016.xls": "Sheet1",
    "20170907_cusersfinainmndesktoppublish-spend-august-2017-all-directorates.xls": "Sheet1",
}
AMOUNTS = {
    "leeds": ("NetAmount", "Net Amount"),
    "oxford": ("Value", "FIN.TRANSACTION AMOUNT"),
    "trafford": ("Amount",),
    "birmingham": ("BILLING GROSS AMT", "ORIGINAL GROSS AMT"),
    "sparkov": ("amt",),
    "ibm": ("Amount",),
    "amlsim": ("TXN_AMOUNT_ORIG",),
}
Row = Mapping[str, str]


def files(name: str, data: Path) -> dict[str, bytes]:
    """What the institution delivers: under its own names, or with the day of the download put into them."""
    return dict(_found(name, data))


def _found(name: str, data: Path) -> Iterator[tuple[str, bytes]]:
    if name == "leeds":
        yield from ((path.name, path.read_bytes()) for path in sorted((data / "leeds_spend").glob("*.raw.csv")))
    if name == "oxford":
        yield from ((path.name, path.read_bytes()) for path in sorted((data / "oxford_gpc").glob("*.csv")))
    if name == "trafford":
        (path,) = (data / "trafford_gpc").glob("*.csv")
        yield from ((f"{path.stem}_{on}.csv", path.read_bytes()) for on in ("20260601", "20260701"))
    if name == "birmingham":
        yield from ((file, (data / "birmingham_pcards" / file[9:]).read_bytes()) for file in BIRMINGHAM)
    if name == "sparkov":
        yield from _by_year(data / "sparkov" / "adults_50up_female_rural_000-099.csv", "adults_50up_female_rural", "|")
    if name == "ibm":
        yield from _by_year(data / "ibm_user0" / "User0_credit_card_transactions.csv")
    if name == "amlsim":
        yield from (
            (f"{stem}_20170219.csv", (data / "amlsim" / f"{stem}.csv").read_bytes()) for stem in ("tx", "cash_tx")
        )


def _by_year(path: Path, stem: str = "", separator: str = ",") -> Iterator[tuple[str, bytes]]:
    """The file as one for each year, cut between the lines as they stand: no event may be older than a year."""
    header, *lines = path.read_bytes().splitlines(keepends=True)
    years = defaultdict(list)
    for line, row in zip(lines, _of_csv(path.read_bytes(), "utf-8", separator), strict=True):
        years[row.get("Year") or row["trans_date"][:4]].append(line)
    for year in sorted(years):
        yield f"{stem or path.stem}_{year}.csv", header + b"".join(years[year])


def rows_of(name: str, file: str, content: bytes) -> list[Row]:
    """The rows of a delivery as the standard library and calamine read them, without the footer of Leeds."""
    if name == "birmingham":
        header, *cells = load_workbook(io.BytesIO(content)).get_sheet_by_name(BIRMINGHAM[file]).to_python()
        return [dict(zip(map(str, header), map(str, row), strict=True)) for row in cells]
    rows = _of_csv(content, "cp1252" if name == "leeds" else "utf-8-sig", "|" if name == "sparkov" else ",")
    return [row for row in rows if name != "leeds" or row.get("Body")]


def _of_csv(content: bytes, encoding: str, separator: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(encoding), newline=""), delimiter=separator))


def paid(name: str, row: Row) -> Decimal:
    """The amount as the platform signs it: negative when money leaves."""
    text = next(row[title] for title in AMOUNTS[name] if title in row)
    amount = Decimal(text.replace(",", "").replace("$", ""))
    return amount if row.get("TXN_SOURCE_TYPE_CODE") == "CASH-IN" else -amount


@dataclass(frozen=True)
class TakenIn:
    """One institution after raw and cleaned have run for all its deliveries, date by date."""

    spec: InstitutionSpec
    warehouse: PostgresWarehouse
    delivered: Mapping[str, bytes]
    failed_checks: set[tuple[str, str]]

    @property
    def days(self) -> list[date]:
        return sorted({self.day(file) for file in self.delivered})

    def day(self, file: str) -> date:
        """The business date of a delivery, which its name must state."""
        found = self.spec.deliveries.business_date(file)
        assert found is not None, file
        return found

    def ask(self, query: LiteralString, *values: object, table: str = "cleaned_transactions") -> list[tuple[Any, ...]]:
        """The rows that the query gives; {t} in it is the table, {d} the ledger of deliveries."""
        return [tuple(row.values()) for row in self.rows(query, *values, table=table)]

    def rows(self, query: LiteralString, *values: object, table: str = "cleaned_transactions") -> list[dict[str, Any]]:
        """The same with the names of the columns; by another client than the platform's own."""
        at, ledger = (sql.Identifier(self.spec.institution, name) for name in (table, "deliveries"))
        with psycopg.connect(self.warehouse.url, row_factory=dict_row) as connection:
            return connection.execute(sql.SQL(query).format(t=at, d=ledger), values).fetchall()

    def broken_promises(self) -> set[tuple[str, str]]:
        """Name and business date of each promise about the tables of raw and cleaned that the database breaks."""
        asked = [promise for promise in PROMISES if promise.table in TAKEN_IN]
        assert len(asked) == 9
        counts = {promise.name: violations(self.warehouse, self.spec, promise, self.days) for promise in asked}
        return {(name, day.isoformat()) for name, days in counts.items() for day, count in days.items() if count}


def institution(name: str) -> InstitutionSpec:
    """The YAML as it lies in `institutions/`."""
    return load_spec(INSTITUTIONS / f"{name}.yaml")


def taken_in(spec: InstitutionSpec, delivered: Mapping[str, bytes], url: str, instance: dg.DagsterInstance) -> TakenIn:
    """Every file lies in the folder of its institution and has gone through the platform's assets and checks."""
    found = TakenIn(spec, PostgresWarehouse(url=url), delivered, set())
    spec.folder.mkdir(parents=True)
    for file, content in delivered.items():
        (spec.folder / file).write_bytes(content)
        at = datetime.combine(found.day(file) + timedelta(days=1), datetime.min.time(), UTC).timestamp()
        os.utime(spec.folder / file, (at, at))
    job = _job(spec, found.warehouse)
    for day in found.days:
        found.failed_checks.update(_failed(job, day, instance))
    return found


def _job(spec: InstitutionSpec, warehouse: PostgresWarehouse) -> dg.JobDefinition:
    keys = [Tenant(spec).key(table) for table in TAKEN_IN]
    job = dg.define_asset_job("taken_in", selection=dg.AssetSelection.assets(*keys))
    stores = {"warehouse": warehouse, "warehouse_io": PostgresIOManager(**warehouse.model_dump())}
    resources = {**stores, **snowflake_resources(), "registry": None}
    here = dg.Definitions(jobs=[job], resources=resources, executor=dg.in_process_executor)
    return dg.Definitions.merge(definitions_of(spec), here).resolve_job_def("taken_in")


def _failed(job: dg.JobDefinition, day: date, instance: dg.DagsterInstance) -> Iterator[tuple[str, str]]:
    """The checks that failed in the run of this business date; the run itself must not."""
    result = job.execute_in_process(run_config=QUIET, instance=instance, partition_key=day.isoformat())
    evaluations = result.get_asset_check_evaluations()
    assert len(evaluations) == 12
    yield from ((found.check_name, day.isoformat()) for found in evaluations if not found.passed)
