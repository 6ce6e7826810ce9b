"""The independent oracle of the features: each row joined with every row of its entity, then filtered and aggregated.

Written from the definition, with Polars and floats, and nothing of the platform's kernel. Quadratic; for small tables.
"""

from __future__ import annotations

import polars as pl

WINDOWS_S = {"1h": 3_600, "1d": 86_400, "7d": 604_800, "30d": 2_592_000}


def joined(rows: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Every row (`n`) beside each row that it may see (`then`, `other`, `age_s`)."""
    keyed = rows.select(
        "n",
        "business_date",
        *by,
        second=pl.col("event_at").dt.epoch("s"),
        spend=(-pl.col("amount").cast(pl.Float64)).clip(0),
    ).drop_nulls(by)
    pairs = keyed.join(keyed, on=by, suffix="_other")
    visible = (pl.col("second_other") < pl.col("second")) & (pl.col("business_date_other") <= pl.col("business_date"))
    return pairs.filter(visible).with_columns(age_s=pl.col("second") - pl.col("second_other"))


def windowed(rows: pl.DataFrame, entity: str) -> pl.DataFrame:
    """Per row `n`: count, sum, mean, std and max of spend in each window, and the age of the youngest row."""
    by = [f"{entity}_id", "currency"]
    pairs = joined(rows, by)
    result = rows.select("n", has_entity=pl.col(by[0]).is_not_null())
    for name, width in WINDOWS_S.items():
        spend = pl.col("spend_other")
        found = (
            pairs.filter(pl.col("age_s") <= width)
            .group_by("n")
            .agg(count=pl.len().cast(pl.Float64), sum=spend.sum(), mean=spend.mean(), std=spend.std(0), max=spend.max())
            .rename(lambda c, name=name: c if c == "n" else f"{entity}_{c}_{name}")
        )
        result = result.join(found, on="n", how="left")
        empty = pl.when(pl.col("has_entity")).then(0.0)
        result = result.with_columns(pl.col(f"{entity}_{c}_{name}").fill_null(empty) for c in ("count", "sum"))
    last = (
        pairs.filter(pl.col("age_s") <= WINDOWS_S["30d"])
        .group_by("n")
        .agg(pl.col("age_s").min().cast(pl.Float64).alias(f"{entity}_since_last"))
    )
    return result.join(last, on="n", how="left").drop("has_entity").sort("n")


def is_new(rows: pl.DataFrame) -> pl.Series:
    """Per row, in the order of `n`: 1.0 where the account paid the counterparty in none of the 30 days before."""
    by = ["account_id", "counterparty_id", "currency"]
    pairs = joined(rows, by).filter(pl.col("age_s") <= WINDOWS_S["30d"])
    known = rows.select("n", has_both=pl.all_horizontal(pl.col(by).is_not_null())).with_columns(
        counterparty_is_new=pl.when("has_both").then(
            (~pl.col("n").is_in(pairs["n"].unique().implode())).cast(pl.Float64)
        )
    )
    return known.sort("n")["counterparty_is_new"]
