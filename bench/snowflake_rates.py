"""Rows per second into Snowflake, step by step, beside `write_pandas`; statements per publish; memory of the client.

The handbook's transactions as the table of cleaned transactions has them, keyed. Ours writes a range of daily
partitions through the real connector over HTTP into the local stand-in, each row checked against contract, slice and
key. What `write_pandas` is spared stands in `snowflake_contenders.py`. In turns, medians. `stage` is all of a write
that is not its transaction: typing, Parquet, PUT, COPY INTO, the count and what is asked before; `put_s` goes on while
the next file is written.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import pyarrow as pa
import pyarrow.compute as pc
from io_managers import show
from io_rounds import Way, in_turns
from snowflake_contenders import Ours, WritePandas, server, target
from snowflake_memory import peak_mb
from snowflake_rows import cleaned, spooled

from etl_assets.io_managers.frames import rows_of
from etl_assets.io_managers.slices import daily_slice
from etl_assets.io_managers.snowflake.parquet import written_while
from etl_assets.io_managers.snowflake.values import as_sent

sys.path.append(str(Path(__file__).parents[1]))  # the recorder is the tests'
from etl_assets_tests.statements import Statements, recorded

SHARED_DATA = Path(os.environ.get("ETL_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
MANY_ROWS = 5_000_000
OURS, THEIRS = "ours, over HTTP", "write_pandas, in process"


@dataclass
class Steps:
    """What our writes said, and how long each of their steps took."""

    rows: int
    seconds: dict[str, list[float]] = field(default_factory=dict)
    statements: int = 0
    inside: int = 0
    ddl_inside: int = 0

    def heard(self, work: Callable[[], None]) -> None:
        began = perf_counter()
        with recorded() as said:
            work()
        self._take(said, perf_counter() - began)

    def _take(self, said: Statements, wall_s: float) -> None:
        publish = [*said.of("BEGIN"), *(statement for statement in said.said if statement.in_transaction)]
        steps = {"PUT": said.of("PUT"), "COPY INTO": said.of("COPY"), "counted": said.of("SELECT", "COUNT(*)")}
        took = {name: sum(one.duration_s for one in some) for name, some in {**steps, "publish": publish}.items()}
        for name, seconds in {**took, "stage": wall_s - took["publish"]}.items():
            self.seconds.setdefault(name, []).append(seconds)
        self.statements, self.inside = len(said.said), len(publish)
        self.ddl_inside += len(said.ddl_inside_transactions())

    def median_s(self, name: str) -> float:
        return median(self.seconds[name])

    def figures(self) -> dict[str, float]:
        return {
            "stage_rows_per_s": self.rows / self.median_s("stage"),
            "publish_rows_per_s": self.rows / self.median_s("publish"),
            "stage_s": self.median_s("stage"),
            "put_s": self.median_s("PUT"),
            "copy_into_s": self.median_s("COPY INTO"),
            "count_check_s": self.median_s("counted"),
            "publish_s": self.median_s("publish"),
            "statements_per_write": self.statements,
            "statements_per_publish": self.inside,
            "ddl_inside_transaction": self.ddl_inside,
        }


def parquet_s(rows: pa.Table, folder: Path) -> float:
    """The rows were typed and written as files, which went nowhere. In a write PUTs are underway at the same time."""
    began = perf_counter()
    written_while(lambda _: None, map(as_sent, rows_of(rows).batches()), folder)
    return perf_counter() - began


def rates(ours: Ours, theirs: WritePandas, rows: pa.Table, rounds: int) -> dict[str, float]:
    """Everybody wrote the whole table into an empty one that was there before."""
    steps = Steps(rows.num_rows)

    def write() -> None:
        steps.heard(partial(ours.write, rows))

    ways = (
        Way(OURS, rows.num_rows, write, ours.empty, partial(ours.verify, rows)),
        Way(THEIRS, rows.num_rows, theirs.write, theirs.ready, theirs.verify),
    )
    timed = in_turns("Write into Snowflake's stand-ins: the whole table", ways, rounds)
    timed.show(OURS)
    return {"vs_write_pandas": timed.rate(OURS) / timed.rate(THEIRS), **steps.figures()}


def measured(data: Path, limit: int | None, rounds: int) -> dict[str, float]:
    """All figures, under the names that others read them by."""
    rows = cleaned(data, limit)
    slice_ = daily_slice("business_date", pc.unique(rows["business_date"]).to_pylist())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        spool = spooled(rows, folder)
        ours, theirs = Ours(stack.enter_context(server()), slice_, target()), WritePandas(spool)
        stack.callback(theirs.end)
        figures = {"parquet_s": parquet_s(rows, folder)} | rates(ours, theirs, rows, rounds)
        for name, number in (("whole_table", rows.num_rows), ("5m_rows", MANY_ROWS)):
            figures[f"peak_rss_mb_{name}"] = peak_mb(ours, spool, number)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, help="only the first rows; all 1,754,155 otherwise")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=Path, default=SHARED_DATA, help="folder with handbook/transactions.parquet")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    chosen = parser.parse_args()
    figures = measured(chosen.data.resolve(), chosen.rows, chosen.rounds)
    show(figures)
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
