"""Write, swap and read the handbook's transactions with our I/O manager and with everything else there is.

    python bench/io_managers.py [--rows N] [--rounds 5] [--data DIR] [--json PATH]

A PostgreSQL of its own with the platform's ordinary settings (fsync on), every way in turns, medians; ratios come from
one run. "ours" in a ratio is the write of a whole pyarrow.Table as a range of daily partitions, the same object that
ADBC is given; dlt and to_sql stand for the faster of their two ways. to_sql writes 50,000 rows and its rate stands
for all. Needs the extra `bench` for dlt, which is left out otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psycopg
from adbc_driver_postgresql import dbapi as adbc
from io_contenders import DLT_SCHEMA, Place, contenders, emptied, execute, verified, write_ours
from io_memory import consumed, growths_mb
from io_rounds import Timed, Way, in_turns
from io_rows import KEY, contract, handbook, slice_of, with_money
from io_swaps import swaps

from etl_assets.contracts import quoted
from etl_assets.embedded import postgres as embedded_postgres
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.targets import Target

SHARED_DATA = Path(os.environ.get("ETL_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
OURS = "ours, table"


@contextmanager
def server() -> Iterator[tuple[str, Path]]:
    """The URL of an empty database and a folder that client and server can use, all gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            started = embedded_postgres.start(Path(folder))
            embedded_postgres.databases(started.url("postgres"), ["bench"])
            yield started.url("bench"), exchange(started.url("bench"))
        finally:
            embedded_postgres.destroy(Path(folder))


def exchange(url: str) -> Path:
    """A folder beside the server's data: its account may enter there, and root's temporary folders are closed to it."""
    with psycopg.connect(url) as connection:
        data = connection.execute("SHOW data_directory").fetchone()
    assert data
    folder = Path(data[0]).parent / "exchange"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


def writes(title: str, place: Place, rounds: int) -> Timed:
    """Every contender wrote the whole table into an empty one that was there before."""
    ways = [
        Way(c.name, c.rows.num_rows, c.write, partial(emptied, place), partial(verified, place, c))
        for c in contenders(place)
    ]
    timed = in_turns(title, ways, rounds)
    timed.show(OURS)
    return timed


def write_ratios(timed: Timed) -> dict[str, float]:
    """How many times the rows per second of the others ours has; what was left out has no figure."""
    names = {"copy_binary": "COPY binary", "adbc": "ADBC", "dlt": "dlt", "to_sql": "to_sql"}
    others = {name: timed.fastest(prefix) for name, prefix in names.items()}
    ours = timed.rate(OURS)
    return {f"postgres_write_vs_{name}": ours / timed.rate(other) for name, other in others.items() if other}


def reads(title: str, place: Place, rounds: int) -> dict[str, float]:
    """The whole table in key order, as ours reads it and as ADBC does by itself."""
    emptied(place)
    slice_, target = slice_of(place.rows), place.target
    write_ours(place.url, target, slice_, place.rows)
    execute(place.url, f"ANALYZE {place.sql}", "CHECKPOINT")
    warehouse = PostgresWarehouse(url=place.url)
    select = f"SELECT {', '.join(map(quoted, place.rows.column_names))} FROM {place.sql}"  # noqa: S608
    ordered = f"{select} ORDER BY {', '.join(map(quoted, KEY))}"
    works = {
        "read_slice": lambda: warehouse.read_slice(target, slice_).num_rows,
        "read_batches": lambda: consumed(warehouse.read_batches(target, slice_)),
        "ADBC, same order": lambda: fetched(place.url, ordered),
        "ADBC, any order": lambda: fetched(place.url, select),
    }
    assert {work() for work in works.values()} == {place.rows.num_rows}
    timed = in_turns(title, [Way(name, place.rows.num_rows, work) for name, work in works.items()], rounds)
    timed.show("read_slice")
    return {"postgres_read_vs_adbc": timed.rate("read_slice") / timed.rate("ADBC, same order")}


def fetched(url: str, statement: str) -> int:
    with adbc.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return int(cursor.fetch_arrow_table().num_rows)


def memory(*places: Place) -> dict[str, float]:
    """The largest growth, of writing and of reading any of the tables."""
    grown: list[float] = []
    for place in places:
        emptied(place)
        growths = growths_mb(place.url, place.target, place.rows, place.files)
        said = ", ".join(f"{mb:.0f} MB by the {name}" for name, mb in growths.items())
        print(f"Client memory grows, table {place.target.table.name}: {said}")
        grown.extend(growths.values())
    return {"client_memory_growth_mb": max(grown)}


def dagster_overhead() -> dict[str, float]:
    try:
        from dagster_overhead import overhead_ms_per_partition  # noqa: PLC0415  a benchmark of its own
    except ImportError as problem:
        print(f"Dagster's overhead is left out: {problem}")
        return {}
    return {"dagster_overhead_ms_per_partition": overhead_ms_per_partition()}


def measured(data: Path, limit: int | None, rounds: int) -> dict[str, float]:
    """All figures, under the names that others read them by."""
    rows = handbook(data, limit)
    with server() as (url, files):
        plain = Place(url, Target("bench", contract("plain", rows.schema, ())), rows, files)
        keyed = Place(url, Target("bench", contract("keyed", rows.schema, KEY)), rows, files)
        exact_rows = with_money(rows)
        exact = Place(url, Target("bench", contract("exact", exact_rows.schema, KEY)), exact_rows, files)
        figures = write_ratios(writes("Write: double amounts, no key", plain, rounds))
        writes("Write: decimal(24,4) amounts, primary key", exact, rounds)
        execute(url, f"DROP SCHEMA IF EXISTS {quoted(DLT_SCHEMA)} CASCADE")
        figures |= swaps(url, rows, rounds)
        figures |= reads("Read: double amounts, in key order", keyed, rounds)
        reads("Read: decimal(24,4) amounts, in key order", exact, rounds)
        figures |= memory(plain, exact)
    return figures | dagster_overhead()


def show(figures: Mapping[str, float]) -> None:
    for name, value in figures.items():
        print(f"{name:40}{value:>12,.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, help="only the first rows; all 1,754,155 otherwise")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data", type=Path, default=SHARED_DATA, help="folder with handbook/transactions.parquet")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    chosen = parser.parse_args()
    figures = measured(chosen.data.resolve(), chosen.rows, chosen.rounds)
    show(figures)
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
