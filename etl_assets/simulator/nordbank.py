"""Nordbank, a retail bank: German CSV, salaries and rents, transaction numbers that start again per account.

Only this tenant's people, accidents and text; the dialect is in `institutions/nordbank.yaml`.
"""

from __future__ import annotations

import polars as pl

from etl_assets.simulator.defects import Defect
from etl_assets.simulator.frauds import Campaigns
from etl_assets.simulator.people import Category, Shape
from etl_assets.simulator.tenant import Tenant

TRADES = (
    "Bäckerei",
    "Café",
    "Drogerie",
    "Gasthof „Zur Linde“",
    "Möbelhaus",
    "Reisebüro",
    "Stadtwerke",
    "Tankstelle",
    'Weinstube "Öhrle"',
)
NAMES = ("Müller", "Groß & Söhne", "Jäger", "Köhler; Filiale Süd", "Weiß", "Schütz", "Krüger", "Hansen", "Böhm", "Voß")
ROLES = {"salary": "Lohn und Gehalt", "rent": "Miete"}
CHANNELS = {"salary": "Gutschrift", "rent": "Dauerauftrag"}


def render(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` with the columns of the bank's export, in its order."""
    place, at = pl.col("place"), pl.col("at")
    names = [f"{trade} {name}" for trade in TRADES for name in NAMES]
    return rows.with_columns(
        (pl.lit("NB") + (10_000_019 + pl.col("account") * 7_919).cast(pl.String)).alias("Konto"),
        (at.dt.strftime("%Y-") + pl.col("number").cast(pl.String).str.zfill(6)).alias("Umsatznummer"),
        at.dt.strftime("%d.%m.%Y %H:%M:%S").alias("Buchungszeit"),
        at.dt.date().dt.add_business_days(1, roll="forward").dt.strftime("%d.%m.%Y").alias("Buchungstag"),
        pl.Series("Betrag", [german(-minor) for minor in rows["minor"]]),
        pl.lit("EUR").alias("Währung"),
        (pl.lit("GK") + (500_000 + place * 37).cast(pl.String)).alias("Gegenkonto"),
        pl.col("role").replace_strict(ROLES, default=_looked_up(names, place)).alias("Verwendungszweck"),
        pl.col("role").replace_strict(CHANNELS, default=_card_or_transfer(place)).alias("Kanal"),
    )


def german(minor: int) -> str:
    """`-1.234,56`: minor units with a decimal comma and dots between thousands."""
    return f"{minor / 100:,.2f}".translate(str.maketrans(",.", ".,"))


def _looked_up(names: list[str], place: pl.Expr) -> pl.Expr:
    return (place % len(names)).replace_strict(dict(enumerate(names)))


def _card_or_transfer(place: pl.Expr) -> pl.Expr:
    return pl.when(place % 6 == 0).then(pl.lit("Überweisung")).otherwise(pl.lit("Karte"))


NORDBANK = Tenant(
    name="nordbank",
    shape=Shape(
        accounts=480,
        places=700,
        payments_per_day=1.6,
        categories=(
            Category("groceries", 32, 0.4),
            Category("eating out", 18, 0.3),
            Category("fuel", 55, 0.1),
            Category("household", 70, 0.15),
            Category("travel", 240, 0.05),
        ),
        has_salaries=True,
    ),
    campaigns=Campaigns(card_testing=0.09, account_takeover=0.22, merchant_compromise=0.08, large_payment=0.4),
    plan=(
        Defect(3, "too_few_fields", 2),
        Defect(5, "too_many_fields", 2),
        Defect(8, "impossible_date", 2),
        Defect(9, "amount_is_nan"),
        Defect(10, "bad_byte"),
        Defect(11, "too_late", 2, lag_days=12),
        Defect(12, "amount_missing", 2),
        Defect(12, "id_missing"),
        Defect(14, "repeated", 4),
        Defect(16, "corrected", 6, lag_days=2, unchanged=2),
        Defect(16, "time_missing"),
        Defect(20, "late", 5, lag_days=3),
        Defect(22, "blank_line"),
        Defect(22, "trailing_blank_line"),
        Defect(24, "too_many_digits", 2),
        Defect(24, "redelivered"),
        Defect(27, "nonexistent_time", 2),
        Defect(29, "before_it_happened"),
        Defect(34, "header_only"),
        Defect(38, "no_file"),
        Defect(41, "impossible_date"),
        Defect(42, "repeated", 2),
    ),
    file_names={
        "first": "umsaetze_%Y%m%d.csv",
        "corrected": "umsaetze_%Y%m%d_korrektur.csv",
        "redelivered": "umsaetze_%Y%m%d_nachlieferung.csv",
    },
    render=render,
    line_end="\r\n",
    undecodable=b"\x81",
    respelled_day=21,
)
