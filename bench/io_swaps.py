"""Replace a slice of a million rows among others, by swap and by DELETE and COPY.

The table holds four such slices and has a key that begins with the account, as the platform's tables have; so the
index is large and a day's rows lie all over it. Both ways find the table filled, vacuumed and checkpointed.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial
from statistics import median

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from io_contenders import execute, named, write_ours
from io_rounds import Way, in_turns
from io_rows import contract, slice_of, total

from etl_assets.io_managers.targets import Layout, Target

ROWS, SLICES = 1_000_000, 4
KEY = ("account_id", "transaction_id", "day")
WAYS = {"swap": Layout.PARTITIONED, "delete and copy": Layout.PLAIN}


def swaps(url: str, rows: pa.Table, rounds: int) -> dict[str, float]:
    """The share of the time of DELETE and COPY that a swap takes."""
    first = rows["day"][0].as_py()
    slices = [_slice(rows, first + timedelta(days=n)) for n in range(SLICES)]
    after = _dearer(slices[1])
    ways = []
    for name, layout in WAYS.items():
        target = Target(f"swapped_{layout}", contract("payments", rows.schema, KEY), layout=layout)
        for day in slices:
            write_ours(url, target, slice_of(day), day)
        table = named(target.schema, target.table.name)
        work = partial(write_ours, url, target, slice_of(after), after)
        rest = partial(execute, url, f"VACUUM ANALYZE {table}", "CHECKPOINT")
        ways.append(Way(name, after.num_rows, work, rest, partial(_verified, url, table, after)))
    timed = in_turns(f"Replace one of {SLICES} slices, key {', '.join(KEY)}", ways, rounds)
    timed.show("swap")
    return {"postgres_swap_vs_delete_copy_1m": median(timed.seconds["swap"]) / median(timed.seconds["delete and copy"])}


def _slice(rows: pa.Table, day: date) -> pa.Table:
    few = rows.slice(0, ROWS)
    return few.set_column(0, "day", pa.chunked_array([pa.repeat(pa.scalar(day), few.num_rows)]))


def _dearer(rows: pa.Table) -> pa.Table:
    at = rows.column_names.index("amount")
    return rows.set_column(at, "amount", pc.add(rows["amount"], 1.0))


def _verified(url: str, table: str, rows: pa.Table) -> None:
    """The slice holds the new rows, and the others are as many as before."""
    asked = f"SELECT day = %s, count(*), sum(amount::numeric(24,4)) FROM {table} GROUP BY 1 ORDER BY 1 DESC"  # noqa: S608
    with psycopg.connect(url) as connection:
        here, others = connection.execute(asked, [rows["day"][0].as_py()]).fetchall()
    found, expected = (*here[1:], others[1]), (rows.num_rows, total(rows), (SLICES - 1) * rows.num_rows)
    assert found == expected, f"{found} in {table}, {expected} expected"
