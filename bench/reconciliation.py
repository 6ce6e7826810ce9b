"""Certify a million rows in PostgreSQL and in the local Snowflake, then change one cent and find it.

    python bench/reconciliation.py [--rows 1000000] [--rounds 3] [--json PATH]

One day of a table like `cleaned_transactions` (20 columns) in a PostgreSQL of its own with the platform's ordinary
settings and in a local Snowflake of its own. `reconcile_1m_s` is the median time of the call that finds the cent, for
a million rows; `rows_read` are the rows that left both databases in it. Both run on this machine's processors at the
same time; in production only PostgreSQL does.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.contracts import Column, Table
from etl_assets.embedded import postgres as embedded_postgres
from etl_assets.embedded import snowflake as embedded_snowflake
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.slices import daily_slice
from etl_assets.io_managers.snowflake.names import sql_name
from etl_assets.io_managers.snowflake.warehouse import SnowflakeWarehouse
from etl_assets.io_managers.targets import Target
from etl_assets.reconciliation.certificates import Certificate, certify

DAY = date(2026, 3, 2)
THE_DAY = daily_slice("business_date", [DAY])
KEY = ("business_date", "transaction_id")
WORDS = {
    "direction": ["debit", "credit"],
    "channel": ["card_present", "online", "transfer"],
    "category": ["5411", "5812", "4111", "5999"],
    "country": ["DE", "FR", "IT", "MX"],
    "status": ["posted", "pending"],
    "currency": ["EUR"],
}


@dataclass
class Timed:
    """A warehouse whose questions are timed and whose answers' rows are counted."""

    warehouse: Any
    rows: int = 0
    seconds: list[float] = field(default_factory=list)

    def fetch(self, sql: str, values: Sequence[Any] = ()) -> pa.Table:
        began = perf_counter()
        found = self.warehouse.fetch(sql, values)
        self.seconds.append(perf_counter() - began)
        self.rows += found.num_rows
        return found

    def exists(self, schema: str, name: str) -> bool:
        return bool(self.warehouse.exists(schema, name))


def payments(count: int) -> pa.Table:
    """Rows like those of cleaned_transactions."""
    draw, numbers = np.random.default_rng(7), pa.array(np.arange(count)).cast(pa.string())
    midnight = int(np.datetime64(DAY, "us").astype(np.int64))
    cents = pa.array(draw.integers(-500_000, 100_000, count)).cast(pa.decimal128(19, 0))
    columns: dict[str, pa.Array] = {
        "business_date": pa.repeat(pa.scalar(DAY), count),
        "transaction_id": _said("tx-2026-03-02-", numbers),
        "account_id": _said("account-", _numbers(draw, 50_000, count)),
        "counterparty_id": _said("terminal-", _numbers(draw, 10_000, count)),
        "reverses_id": pa.nulls(count, pa.string()),
        **{name: pa.array(words).take(draw.integers(0, len(words), count)) for name, words in WORDS.items()},
        "description": _said("card payment at terminal ", _numbers(draw, 10_000, count), ", 02.03. 12:30"),
        "event_at": pa.array(midnight + draw.integers(0, 86_400 * 10**6, count)).cast(pa.timestamp("us", "UTC")),
        "event_at_is_ambiguous": pa.repeat(pa.scalar(value=False), count),
        "booked_on": pa.repeat(pa.scalar(DAY + timedelta(days=1)), count),
        "amount": pc.multiply(cents, pa.scalar(Decimal("0.01"))).cast(pa.decimal128(24, 4)),
        "is_fraud": pa.array(draw.random(count) < 0.01),
        "warnings": pa.nulls(count, pa.string()),
        "_delivery_id": pa.repeat(pa.scalar("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"), count),
        "_row_number": pa.array(np.arange(count) + 2),
    }
    return pa.table(columns)


def _numbers(draw: np.random.Generator, below: int, count: int) -> pa.Array:
    return pa.array(draw.integers(0, below, count)).cast(pa.string())


def _said(*parts: Any) -> pa.Array:
    return pc.binary_join_element_wise(*parts, "")


@contextmanager
def warehouses() -> Iterator[tuple[Timed, Timed]]:
    """Both, empty, gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        here, there = Path(folder, "postgres"), Path(folder, "snowflake")
        try:
            server = embedded_postgres.start(here)
            embedded_postgres.databases(server.url("postgres"), ["bench"])
            account = embedded_snowflake.start(there).parameters
            yield (
                Timed(PostgresWarehouse(url=server.url("bench"))),
                Timed(SnowflakeWarehouse(**account, allow_password=True)),
            )
        finally:
            embedded_postgres.destroy(here)
            embedded_snowflake.destroy(there)


def measured(count: int, rounds: int) -> dict[str, float]:
    """The figures, under the names that others read them by."""
    rows = payments(count)
    table = Table("payments", "", tuple(Column(f.name, f.type, "", f.name in KEY) for f in rows.schema), KEY, KEY[0])
    target = Target("bench", table)
    with warehouses() as (postgres, snowflake):
        for side in (postgres, snowflake):
            side.warehouse.write(target, THE_DAY, rows, "bench")
        _ = [certified("equal", postgres, snowflake, target) for _ in range(rounds)]
        at = count // 3
        more = f"UPDATE {sql_name(target)} SET AMOUNT = AMOUNT + 0.01 WHERE TRANSACTION_ID = 'tx-2026-03-02-{at}'"  # noqa: S608
        snowflake.warehouse.connections.run(lambda session: session.cursor().execute(more))
        runs = [certified("one cent", postgres, snowflake, target) for _ in range(rounds)]
    certificate = runs[-1][1]
    is_found = certificate.differing_keys == ({"business_date": str(DAY), "transaction_id": f"tx-2026-03-02-{at}"},)
    is_found &= certificate.rows_changed == 1 and certificate.columns_differ == ("amount",)
    seconds = median(seconds for seconds, _ in runs) * 1_000_000 / count
    return {
        "reconcile_1m_s": seconds,
        "cent_found": int(is_found),
        "rows_read": (postgres.rows + snowflake.rows) / (2 * rounds),
    }


def certified(name: str, postgres: Timed, snowflake: Timed, target: Target) -> tuple[float, Certificate]:
    """The certificate of the day and how long it took; each side's questions are shown."""
    asked = [len(side.seconds) for side in (postgres, snowflake)]
    began = perf_counter()
    (certificate,) = certify(postgres, snowflake, target, target, THE_DAY)
    took = perf_counter() - began
    sides = zip(("PostgreSQL", "Snowflake"), (postgres, snowflake), asked, strict=True)
    said = "; ".join(f"{who} {' + '.join(f'{s:.2f}' for s in side.seconds[n:] if s >= 0.1)}" for who, side, n in sides)
    print(f"{name:10} {took:6.2f} s  {certificate.verdict:10} {said}")
    return took, certificate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    chosen = parser.parse_args()
    figures = measured(chosen.rows, chosen.rounds)
    for name, value in figures.items():
        print(f"{name:40}{value:>12,.3f}")
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
