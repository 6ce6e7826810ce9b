"""Ways to get one CSV file into PostgreSQL: ours with and without the raw table, COPY, pandas, dlt.

Ours runs its assets as a run does; checks of what was published are left out, since the others have none.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import dagster as dg
import pandas as pd
import psycopg
import pyarrow as pa
import sqlalchemy
import yaml
from io_contenders import DLT_QUIET, DLT_SCHEMA
from io_rounds import Way
from pyarrow import csv

from etl_assets.assets.cleaned import cleaned_transactions
from etl_assets.assets.raw import raw_transactions
from etl_assets.assets.tenant import Tenant
from etl_assets.deliveries.intake import taken_in
from etl_assets.institution_spec import InstitutionSpec
from etl_assets.io_managers.postgres.io_manager import PostgresIOManager
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.slices import daily_slice
from etl_assets.io_managers.targets import Target
from etl_assets.tables import cleaned_table
from etl_assets.verdicts import verdicts_on

DAY = date(2018, 9, 30)
COLUMNS = ("TRANSACTION_ID", "TX_DATETIME", "CUSTOMER_ID", "TERMINAL_ID", "TX_AMOUNT", "TX_FRAUD")
TEXT_TABLE, PANDAS_TABLE = "copied_as_text", "written_by_pandas"
PANDAS_ROWS = 50_000
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Bank:
    """The handbook's bank with all that it has in one delivery, and the database that takes it in."""

    url: str
    folder: Path

    @property
    def spec(self) -> InstitutionSpec:
        fields = yaml.safe_load((Path(__file__).parent / "handbook_bank.yaml").read_text(encoding="utf-8"))
        fields |= {"max_lateness_days": 366, "deliveries": fields["deliveries"] | {"folder": str(self.folder)}}
        return InstitutionSpec.model_validate(fields)

    @property
    def warehouse(self) -> PostgresWarehouse:
        return PostgresWarehouse(url=self.url)

    def file(self, day: date) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / f"transactions_{day:%Y%m%d}.csv"

    def dropped(self) -> list[str]:
        """The statements that leave nothing of the last round."""
        schemas = (f"DROP SCHEMA IF EXISTS {name} CASCADE" for name in (self.spec.institution, DLT_SCHEMA))
        return [*schemas, f"DROP TABLE IF EXISTS {TEXT_TABLE}", f"DROP TABLE IF EXISTS {PANDAS_TABLE}"]

    def verified(self) -> None:
        """The cleaned table holds every row of the file, and the sum of its amounts to the cent."""
        told = csv.read_csv(
            self.file(DAY), convert_options=csv.ConvertOptions(column_types={"TX_AMOUNT": pa.decimal128(18, 2)})
        )
        expected = told.num_rows, -pa.compute.sum(told["TX_AMOUNT"]).as_py()
        with psycopg.connect(self.url) as connection:
            found = connection.execute(
                "SELECT count(*), sum(amount) FROM handbook_bank.cleaned_transactions"
            ).fetchone()
        assert found == expected, f"{found} in the table, {expected} in the file"


def ours(bank: Bank) -> None:
    """Raw, cleaned, quarantined, row account and ledger, by the platform's own assets."""
    tenant = Tenant(bank.spec)
    result = dg.materialize(
        [raw_transactions(tenant), cleaned_transactions(tenant)],
        partition_key=DAY.isoformat(),
        resources={"warehouse": bank.warehouse, "warehouse_io": PostgresIOManager(url=bank.url)},
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    assert result.success


def straight(bank: Bank) -> None:
    """The same reading and judging, straight into the cleaned table: what keeping every record as delivered costs."""
    spec, count = bank.spec, 2_000_000
    target = Target(spec.institution, cleaned_table(spec))
    with taken_in(spec, [DAY]) as intake, verdicts_on(intake.rows.tables(), spec, [DAY], count) as verdicts:
        bank.warehouse.write(target, daily_slice("business_date", [DAY]), verdicts.published.reader(), "bench")


def copied_as_text(bank: Bank, key: str | None) -> None:
    """The server's COPY of the same file over the same connection; every column is text, nothing is judged."""
    columns = ", ".join(f'"{name}" text' for name in COLUMNS) + (f', PRIMARY KEY ("{key}")' if key else "")
    with psycopg.connect(bank.url) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {TEXT_TABLE} ({columns})")
        with bank.file(DAY).open("rb") as file, cursor.copy(f"COPY {TEXT_TABLE} FROM STDIN (FORMAT csv, HEADER)") as to:
            while chunk := file.read(CHUNK_BYTES):
                to.write(chunk)


def pandas_way(bank: Bank, before: Callable[[], object]) -> Way:
    """The reader and writer of pandas on the first rows: the whole file would take minutes."""

    def write() -> None:
        frame = pd.read_csv(bank.file(DAY), nrows=PANDAS_ROWS, parse_dates=["TX_DATETIME"])
        engine = sqlalchemy.create_engine(bank.url.replace("postgresql://", "postgresql+psycopg2://"))
        frame.to_sql(PANDAS_TABLE, engine, index=False)
        engine.dispose()

    return Way(f"pandas to_sql, first {PANDAS_ROWS:,}", PANDAS_ROWS, write, before)


def dlt_way(bank: Bank, count: int, before: Callable[[], object]) -> Sequence[Way]:
    """Typed Arrow tables and Parquet load files, the fastest way of dlt here; nothing where it is not installed."""
    if find_spec("dlt") is None:
        print("dlt is left out: pip install --no-deps -r locks/bench.txt")
        return []
    os.environ.update(DLT_QUIET)
    import dlt  # noqa: PLC0415  an extra, and its settings are read at import

    def load() -> None:
        name, folder = "bench_deliveries", str(bank.folder.parent / "dlt")
        made = dlt.pipeline(
            name, pipelines_dir=folder, destination=dlt.destinations.postgres(bank.url), dataset_name=DLT_SCHEMA
        )
        reader = csv.open_csv(bank.file(DAY), csv.ReadOptions(block_size=16 << 20))
        tables = (pa.Table.from_batches([batch]) for batch in reader)
        how = {"write_disposition": "replace", "loader_file_format": "parquet"}
        made.run(tables, table_name="transactions", **how).raise_on_failed_jobs()

    return [Way("dlt parquet", count, load, before)]
