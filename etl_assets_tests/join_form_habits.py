"""The independent oracle of habits, velocity, calendar and labels: joins, age filters and plain aggregates.

Written from the definition, with Polars and floats, and nothing of the platform's kernels. Quadratic.
"""

from __future__ import annotations

import math
from datetime import datetime
from zoneinfo import ZoneInfo

import polars as pl

from etl_assets_tests.join_form import WINDOWS_S

DAY_S, MONTH_S = WINDOWS_S["1d"], WINDOWS_S["30d"]
BY = ["account_id", "currency"]


def prepared(rows: pl.DataFrame, zone: str) -> pl.DataFrame:
    local = pl.col("event_at").dt.convert_time_zone(zone)
    return rows.select(
        "n",
        "business_date",
        *BY,
        "counterparty_id",
        second=pl.col("event_at").dt.epoch("s"),
        spend=(-pl.col("amount").cast(pl.Float64)).clip(0),
        hour=local.dt.hour().cast(pl.Int64),
        weekday=local.dt.weekday(),
    )


def habits(rows: pl.DataFrame, zone: str) -> pl.DataFrame:
    """Per row `n`: spend against its account's own quartiles, shares of hour and weekday, counterparties of a day."""
    keyed = prepared(rows, zone)
    pairs = keyed.join(keyed, on=BY, suffix="_other").filter(
        pl.col("second_other") < pl.col("second"),
        pl.col("business_date_other") <= pl.col("business_date"),
        pl.col("second") - pl.col("second_other") <= MONTH_S,
    )
    apart = (pl.col("hour") - pl.col("hour_other")).abs()
    other = pl.col("spend_other")
    found = pairs.group_by("n").agg(
        median=other.median(),
        iqr=other.quantile(0.75, "linear") - other.quantile(0.25, "linear"),
        count=pl.len(),
        count_1h=(pl.col("second") - pl.col("second_other") <= WINDOWS_S["1h"]).sum(),
        count_1d=(pl.col("second") - pl.col("second_other") <= DAY_S).sum(),
        account_hour_share_30d=pl.min_horizontal(apart, 24 - apart).le(1).mean(),
        account_weekday_share_30d=(pl.col("weekday") == pl.col("weekday_other")).mean(),
        distinct=pl.col("counterparty_id_other")
        .filter(pl.col("second") - pl.col("second_other") <= DAY_S)
        .drop_nulls()
        .n_unique()
        .cast(pl.Float64),
    )
    has_account, has_both = pl.col("account_id").is_not_null(), pl.col("counterparty_id").is_not_null()
    has_history = pl.col("median").is_not_null()
    count = pl.col("count").fill_null(0)
    assumed = 5 * pl.max_horizontal("median", 1.0) ** 2
    spread = ((count * (pl.col("iqr") / 1.349) ** 2 + assumed) / (count + 5)).sqrt()
    return (
        keyed.join(found, on="n", how="left")
        .sort("n")
        .select(
            "account_hour_share_30d",
            "account_weekday_share_30d",
            spend_to_median_30d=pl.when(has_history).then(pl.col("spend") / pl.max_horizontal("median", 1.0)),
            spend_robust_zscore_30d=pl.when(has_history).then((pl.col("spend") - pl.col("median")) / spread),
            account_distinct_counterparties_1d=pl.when(has_account & has_both).then(pl.col("distinct").fill_null(0.0)),
            account_count_1h_to_habit=pl.when(has_account).then(
                (pl.col("count_1h").fill_null(0) + 1) / (count * WINDOWS_S["1h"] / MONTH_S + 1)
            ),
            account_count_1d_to_habit=pl.when(has_account).then(
                (pl.col("count_1d").fill_null(0) + 1) / (count * DAY_S / MONTH_S + 1)
            ),
        )
    )


def known_frauds(rows: pl.DataFrame, labels: pl.DataFrame, entity: str) -> pl.DataFrame:
    """Per row `n`: frauds among the labels of its entity that arrived in each window before its second."""
    key = f"{entity}_id"
    asked = rows.select("n", key, at=pl.col("event_at").dt.truncate("1s"))
    pairs = asked.join(labels.drop_nulls([key, "is_fraud"]), on=key).filter(pl.col("known_at") < pl.col("at"))
    result = asked
    for name in ("1d", "7d", "30d"):
        fraud, explained = pl.col("is_fraud"), pl.col("is_explained").fill_null(value=False)
        found = (
            pairs.filter(pl.col("known_at") >= pl.col("at") - pl.duration(seconds=WINDOWS_S[name]))
            .group_by("n")
            .agg(
                fraud.sum().cast(pl.Float64).alias(f"{entity}_frauds_{name}"),
                fraud.mean().alias(f"{entity}_fraud_share_{name}"),
                (fraud & ~explained).sum().cast(pl.Float64).alias(f"{entity}_unexplained_frauds_{name}"),
                (fraud & ~explained).mean().alias(f"{entity}_unexplained_fraud_share_{name}"),
            )
        )
        none = pl.when(pl.col(key).is_not_null()).then(0.0)
        counts = [f"{entity}_frauds_{name}", f"{entity}_unexplained_frauds_{name}"]
        result = result.join(found, on="n", how="left").with_columns(pl.col(c).fill_null(none) for c in counts)
    return result.sort("n").drop("n", key, "at")


def calendar(at: datetime, zone: str) -> dict[str, float]:
    """The terms of one instant, by the standard library."""
    local = at.astimezone(ZoneInfo(zone))
    after = local.replace(day=28).date().toordinal() + 4
    next_month = type(local.date()).fromordinal(after).replace(day=1)
    length = (next_month - local.date().replace(day=1)).days
    shares = {
        "hour": (local.hour + local.minute / 60) / 24,
        "weekday": local.weekday() / 7,
        "month": (local.day - 1) / length,
    }
    circle = {
        f"{name}_{side}": turn(2 * math.pi * share)
        for name, share in shares.items()
        for side, turn in (("sin", math.sin), ("cos", math.cos))
    }
    return circle | {"is_weekend": float(local.weekday() > 4), "is_night": float(local.hour < 6)}
