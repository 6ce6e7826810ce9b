"""Kartenhaus, a card processor: tokens, merchants, several currencies, refunds, frauds reported so far.

Only this tenant's people, accidents and text; the dialect is in `institutions/kartenhaus.yaml`.
"""

from __future__ import annotations

import hashlib

import polars as pl

from etl_assets.simulator.defects import Defect
from etl_assets.simulator.frauds import Campaigns
from etl_assets.simulator.people import Category, Shape
from etl_assets.simulator.tenant import Tenant

CARDS, MERCHANTS = 1_100, 1_500
CATEGORIES = (
    Category("5411", 28, 0.3),
    Category("5812", 24, 0.18),
    Category("5814", 9, 0.17),
    Category("4111", 3.5, 0.08),
    Category("5541", 52, 0.1),
    Category("5912", 17, 0.07),
    Category("5732", 120, 0.06),
    Category("4722", 260, 0.04),
)
MERCHANT_NAMES = ("Kaffeehaus Löwe, Wien", "Trafik Novak", 'Buchhandlung "Zum Falken"', "Crêperie Étoile", "Sport Ötz")
ABROAD = {0: ("CH", "CHF"), 1: ("GB", "GBP"), 2: ("DE", "EUR"), 3: ("IT", "EUR")}
REPORTED_OF_FIVE = 3


def render(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` with the columns of the processor's settlement file, in its order."""
    place = pl.col("place")
    tokens = {card: _token(card) for card in range(CARDS)}
    names = dict(enumerate(MERCHANT_NAMES))
    return rows.with_columns(
        id=_id(pl.col("uid")),
        card_token=pl.col("account").replace_strict(tokens),
        merchant_id=pl.lit("m_") + place.cast(pl.String).str.zfill(6),
        merchant_name=(place % len(names)).replace_strict(names),
        occurred_at=pl.col("at").dt.replace_time_zone("Europe/Vienna").dt.strftime("%Y-%m-%dT%H:%M:%S%:z"),
        amount=pl.Series([f"{minor / 100:.2f}" for minor in rows["minor"]]),
        currency=_abroad(place, 1, "EUR"),
        mcc=pl.col("category").replace_strict(dict(enumerate(c.name for c in CATEGORIES))),
        country=_abroad(place, 0, "AT"),
        entry_mode=pl.when(place % 4 == 0).then(pl.lit("online")).otherwise(pl.lit("contactless")),
        refund_of=_id(pl.col("reverses")),
        acquirer=pl.lit("acq") + (place % 3).cast(pl.String),
        fraud_reported=pl.when(_is_reported()).then(pl.lit("1")),
    )


def _token(card: int) -> str:
    return "tok_" + hashlib.blake2s(f"kartenhaus {card}".encode(), digest_size=8).hexdigest()


def _id(uid: pl.Expr) -> pl.Expr:
    return pl.lit("kh") + uid.cast(pl.String).str.zfill(10)


def _abroad(place: pl.Expr, part: int, at_home: str) -> pl.Expr:
    return (place % 60).replace_strict({n: pair[part] for n, pair in ABROAD.items()}, default=at_home)


def _is_reported() -> pl.Expr:
    """Most frauds have been reported by a customer; nobody reports a payment of his own."""
    return pl.col("fraud_kind").is_not_null() & (pl.col("uid") % 5 < REPORTED_OF_FIVE)


KARTENHAUS = Tenant(
    name="kartenhaus",
    shape=Shape(accounts=CARDS, places=MERCHANTS, payments_per_day=1.7, categories=CATEGORIES),
    campaigns=Campaigns(card_testing=0.25, account_takeover=0.7, merchant_compromise=0.3, large_payment=0.9),
    plan=(
        Defect(4, "too_many_fields", 3),
        Defect(6, "impossible_date", 2),
        Defect(7, "amount_is_nan", 2),
        Defect(9, "repeated", 5),
        Defect(11, "bad_byte", 2),
        Defect(13, "unknown_currency", 3),
        Defect(13, "unknown_category", 2),
        Defect(15, "repeated_next_day", 6),
        Defect(17, "amount_missing", 2),
        Defect(17, "blank_line"),
        Defect(19, "redelivered", lag_days=2),
        Defect(21, "no_file"),
        Defect(25, "too_late", 2, lag_days=11),
        Defect(26, "late", 8, lag_days=2),
        Defect(30, "corrected", 9, lag_days=3, unchanged=3),
        Defect(32, "id_missing"),
        Defect(32, "trailing_blank_line"),
        Defect(37, "too_few_fields", 3),
        Defect(40, "too_many_digits", 2),
        Defect(43, "repeated", 3),
    ),
    file_names={
        "first": "settlement-%Y-%m-%d.csv",
        "corrected": "settlement-%Y-%m-%d.corrected.csv",
        "redelivered": "settlement-%Y-%m-%d.resent.csv",
    },
    render=render,
    refund_share=0.006,
)
