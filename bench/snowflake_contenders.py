"""Two ways into Snowflake: our warehouse over HTTP to the local stand-in, and `write_pandas` inside one process.

fakesnow replaces the connector where it runs in process, so `write_pandas` has a process of its own. It inserts the
frame into DuckDB directly: no Parquet, no stage, no network and no server, which the real `write_pandas` all has. Both
databases are DuckDB files on the same disk.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from io_rows import total
from snowflake_rows import contract

from etl_assets.embedded import snowflake as embedded_snowflake
from etl_assets.embedded.snowflake import Server
from etl_assets.io_managers.slices import Slice
from etl_assets.io_managers.snowflake.connections import close_all
from etl_assets.io_managers.snowflake.names import sql_name, stored
from etl_assets.io_managers.snowflake.sql import say
from etl_assets.io_managers.snowflake.types import sql_type
from etl_assets.io_managers.snowflake.warehouse import SnowflakeWarehouse
from etl_assets.io_managers.targets import Target

_here: dict[str, Any] = {}


@contextmanager
def server() -> Iterator[Server]:
    """A server of this benchmark's own, gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            yield embedded_snowflake.start(Path(folder))
        finally:
            close_all()
            embedded_snowflake.destroy(Path(folder))


def warehouse(at: Server) -> SnowflakeWarehouse:
    return SnowflakeWarehouse(**at.parameters, allow_password=True)


def target() -> Target:
    return Target("bench", contract())


@dataclass(frozen=True)
class Ours:
    """Our warehouse and the table that it writes."""

    server: Server
    slice: Slice
    target: Target

    def empty(self) -> None:
        """The table is there, as ours makes it, without a row."""
        warehouse_ = warehouse(self.server)
        if warehouse_.exists(self.target.schema, self.target.table.name):
            warehouse_.connections.run(lambda session: say(session, f"DROP SCHEMA {stored('bench').upper()} CASCADE"))
        self.write(self.target.table.schema.empty_table())

    def write(self, rows: pa.Table | pa.RecordBatchReader) -> None:
        warehouse(self.server).write(self.target, self.slice, rows, "bench")

    def verify(self, rows: pa.Table) -> None:
        """The table holds the rows: as many, with the same exact sum of amounts."""
        asked = f"SELECT COUNT(*) AS N, SUM(AMOUNT) AS TOTAL FROM {sql_name(self.target)}"  # noqa: S608
        (found,) = warehouse(self.server).fetch(asked).to_pylist()
        assert (found["N"], found["TOTAL"]) == (rows.num_rows, total(rows)), f"{found} was written"


class WritePandas:
    """`write_pandas` in a process of its own, in which the connector is fakesnow's; it has the rows already."""

    def __init__(self, rows: Path) -> None:
        self._process = ProcessPoolExecutor(1, get_context("spawn"), _begin, (rows,))

    def ready(self) -> None:
        """The frame is made, and the table is empty."""
        self._process.submit(_ready).result()

    def write(self) -> None:
        self._process.submit(_write).result()

    def verify(self) -> None:
        self._process.submit(_verify).result()

    def end(self) -> None:
        self._process.shutdown()


def _begin(rows: Path) -> None:
    """The connector of this process is fakesnow's; it is imported here and nowhere else."""
    warnings.simplefilter("ignore")
    import fakesnow  # noqa: PLC0415
    import snowflake.connector.pandas_tools  # noqa: PLC0415

    folder = tempfile.TemporaryDirectory()
    patch = fakesnow.patch(db_path=folder.name)
    _here["kept"] = folder, patch
    patch.__enter__()
    with rows.open("rb") as file:
        _here["rows"] = pa.ipc.open_stream(file).read_all()
    _here["connection"] = snowflake.connector.connect(database="THEIRS", schema="BENCH")


def _say(statement: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] = _here["connection"].cursor().execute(statement).fetchone()
    return row


def _ready() -> None:
    """A frame of Arrow's types: as fast as numpy's, whose Python decimals DuckDB takes for too short and refuses."""
    rows: pa.Table = _here["rows"]
    columns = ", ".join(f'"{field.name}" {sql_type(field.type)}' for field in rows.schema)
    _say(f"CREATE OR REPLACE TABLE CLEANED ({columns})")
    _here["frame"] = rows.to_pandas(types_mapper=pd.ArrowDtype)


def _write() -> None:
    from snowflake.connector.pandas_tools import write_pandas  # noqa: PLC0415

    write_pandas(_here["connection"], _here["frame"], "CLEANED")


def _verify() -> None:
    """As many rows, with the same sum of amounts; fakesnow sums in floats."""
    number, summed = _say('SELECT COUNT(*), SUM("amount") FROM CLEANED')
    assert number == _here["rows"].num_rows
    assert round(summed, 2) == float(total(_here["rows"])), f"{summed} was written"
