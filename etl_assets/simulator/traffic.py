"""All transactions of one institution over the simulated days, as they really happened.

Normal payments, salaries, refunds and frauds in one frame; nothing is late, lost or broken yet, see `defects.py`.
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from etl_assets.simulator.frauds import frauds
from etl_assets.simulator.people import Population, payments, salaries_and_rents
from etl_assets.simulator.tenant import Tenant

ROWS_PER_DAY = 1_000_000


def traffic(tenant: Tenant, days: int, seed: list[int]) -> pl.DataFrame:
    """Every transaction of the window in order of time, with local `at`; a refund `reverses` another row's `uid`.

    `number` counts the transactions of an account from 1.
    Each day draws from a generator of its own: a shorter simulation is a prefix of a longer one.
    """
    people = Population.of(tenant.shape, np.random.default_rng(seed))
    first = tenant.spec.start_date
    drawn = pl.concat(_day(tenant, people, first, day, np.random.default_rng([*seed, day])) for day in range(days))
    happened = _existing_times(drawn, tenant.spec.time_zone)
    in_window = happened.filter(pl.col("at").dt.date() < first + timedelta(days=days)).sort("at", "account", "uid")
    return in_window.with_columns(
        category=pl.col("place").replace_strict(dict(enumerate(people.category.tolist())), default=None),
        number=1 + pl.int_range(pl.len()).over("account"),
    )


def _day(tenant: Tenant, people: Population, first: date, day: int, rng: np.random.Generator) -> pl.DataFrame:
    on = first + timedelta(days=day)
    normal = [payments(people, on, rng), salaries_and_rents(people, on, rng)]
    begun = frauds(people, tenant.campaigns, on, rng)
    rows = pl.concat([*normal, begun], how="diagonal").with_row_index("uid", offset=day * ROWS_PER_DAY)
    rows = rows.with_columns(pl.col("uid").cast(pl.Int64), reverses=pl.lit(None, pl.Int64))
    return pl.concat([rows, _refunds(rows, tenant.refund_share, rng)])


def _refunds(rows: pl.DataFrame, share: float, rng: np.random.Generator) -> pl.DataFrame:
    """Some purchases come back some days later, with the sign turned."""
    is_refunded = pl.Series(rng.random(len(rows)) < share)
    purchases = rows.filter(is_refunded & (pl.col("role") == "purchase") & pl.col("fraud_kind").is_null())
    return purchases.with_columns(
        reverses="uid",
        uid=pl.col("uid") + ROWS_PER_DAY // 2,
        at=purchases["at"]
        + pl.Series(rng.integers(1, 5, len(purchases)).astype("timedelta64[D]").astype("timedelta64[us]")),
        minor=-pl.col("minor"),
        role=pl.lit("refund"),
    )


def _existing_times(rows: pl.DataFrame, zone: str) -> pl.DataFrame:
    """Nobody pays in the hour that the clocks skip: such a time becomes the same minute of the next hour."""
    skipped = pl.col("at").dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").is_null()
    return rows.with_columns(at=pl.when(skipped).then(pl.col("at").dt.offset_by("1h")).otherwise("at"))
