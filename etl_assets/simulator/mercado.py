"""Mercado, a prepaid wallet: Parquet, days without time of day, neither ids nor counterparties, identical fares.

Only this tenant's people, accidents and values; the columns are mapped in `institutions/mercado.yaml`.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from etl_assets.simulator.defects import Defect
from etl_assets.simulator.frauds import Campaigns
from etl_assets.simulator.people import Category, Shape
from etl_assets.simulator.tenant import Tenant

CATEGORIES = (
    Category("metro", 5, 0.2, is_fixed=True),
    Category("metrobus", 6, 0.15, is_fixed=True),
    Category("mercado", 140, 0.35),
    Category("comida", 85, 0.2),
    Category("servicios", 380, 0.1),
)


def render(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` with the columns of the wallet's export, in its order."""
    return rows.with_columns(
        monedero=pl.lit("W") + (70_000 + pl.col("account") * 13).cast(pl.String),
        fecha=pl.col("at").dt.strftime("%Y-%m-%d"),
        importe=pl.Series([f"{-minor / 100:.2f}" for minor in rows["minor"]]),
        rubro=pl.col("category").replace_strict(dict(enumerate(c.name for c in CATEGORIES))),
        medio=pl.when(pl.col("role") == "fare").then(pl.lit("torniquete")).otherwise(pl.lit("qr")),
    )


MERCADO = Tenant(
    name="mercado",
    shape=Shape(accounts=380, places=300, payments_per_day=1.5, categories=CATEGORIES),
    campaigns=Campaigns(card_testing=0.12, account_takeover=0.35, merchant_compromise=0.0, large_payment=0.25),
    plan=(
        Defect(6, "amount_is_nan"),
        Defect(10, "time_missing", 2),
        Defect(13, "redelivered", lag_days=3),
        Defect(16, "amount_missing", 2),
        Defect(18, "late", 6, lag_days=4),
        Defect(23, "unknown_category", 3),
        Defect(26, "too_late", 2, lag_days=10),
        Defect(29, "no_file"),
        Defect(33, "before_it_happened", 2),
        Defect(36, "header_only"),
        Defect(40, "amount_is_nan", 2),
    ),
    file_names={
        "first": "operaciones_%Y%m%d.parquet",
        "redelivered": "operaciones_%Y%m%d_bis.parquet",
    },
    render=render,
    parquet_schema=pa.schema(
        {
            "monedero": pa.string(),
            "fecha": pa.date32(),
            "importe": pa.float64(),
            "rubro": pa.string(),
            "medio": pa.string(),
        }
    ),
)
