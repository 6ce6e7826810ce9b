"""What fraudsters do: campaigns whose amounts lie among normal ones, strange only for the account, place or hour.

Rows in the shape of `people.rows`, with a `fraud_kind`. Which of them a source has reported as fraud belongs to
the tenant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date

import numpy as np
import polars as pl

from etl_assets.simulator.people import Ints, Population, rows

Maker = Callable[[Population, date, np.random.Generator], pl.DataFrame]


@dataclass(frozen=True)
class Campaigns:
    """How many campaigns of each kind begin per day, on average."""

    card_testing: float
    account_takeover: float
    merchant_compromise: float
    large_payment: float


def frauds(people: Population, campaigns: Campaigns, on: date, rng: np.random.Generator) -> pl.DataFrame:
    """The rows of every campaign that begins on this day; some lie on the days after it."""
    parts = [
        MAKERS[kind](people, on, rng).with_columns(fraud_kind=pl.lit(kind))
        for kind, per_day in asdict(campaigns).items()
        for _ in range(rng.poisson(per_day))
    ]
    return pl.concat([_none(), *parts])


def _card_testing(people: Population, on: date, rng: np.random.Generator) -> pl.DataFrame:
    """A dozen small payments at one place within minutes, to find out whether a stolen card works."""
    count = int(rng.integers(8, 15))
    cheap = np.exp(np.quantile(people.log_price[~people.is_fixed], 0.1))
    minor = np.round(100 * cheap * rng.uniform(0.3, 1, count)).astype(np.int64)
    at = _at_hour(on, rng.uniform(0, 24)) + np.cumsum(rng.integers(15, 90, count)).astype("timedelta64[s]")
    return rows(_same(_anybody(people, rng), count), _same(_somewhere(people, 1, rng)[0], count), at, minor)


def _account_takeover(people: Population, on: date, rng: np.random.Generator) -> pl.DataFrame:
    """New places at night, at what bigger spenders pay every day, from an account that spends little."""
    count = int(rng.integers(3, 8))
    by_scale = np.argsort(people.log_scale)
    victim = rng.choice(by_scale[: len(by_scale) // 2])
    spenders = rng.choice(by_scale[-len(by_scale) // 10 :], count)
    place = _somewhere(people, count, rng)
    at = _at_hour(on, rng.uniform(1, 4)) + np.cumsum(rng.integers(300, 2400, count)).astype("timedelta64[s]")
    return rows(_same(victim, count), place, at, people.prices(spenders, place, rng))


def _merchant_compromise(people: Population, on: date, rng: np.random.Generator) -> pl.DataFrame:
    """Several accounts pay somewhat more than usual at one place, over some days, by day."""
    count = int(rng.integers(6, 14))
    place = _same(_somewhere(people, 1, rng)[0], count)
    account = rng.choice(len(people.rate), count, replace=False)
    days = rng.integers(0, 5, count).astype("timedelta64[D]")
    at = np.datetime64(on, "s") + days + rng.integers(8 * 3600, 21 * 3600, count).astype("timedelta64[s]")
    raised = people.prices(account, place, rng) * rng.uniform(1.5, 2.5, count)
    return rows(account, place, np.asarray(at), np.round(raised).astype(np.int64))


def _large_payment(people: Population, on: date, rng: np.random.Generator) -> pl.DataFrame:
    """One payment of many times what the account is used to."""
    account, place = _same(_anybody(people, rng), 1), _somewhere(people, 1, rng)
    minor = np.round(people.prices(account, place, rng) * rng.uniform(8, 20)).astype(np.int64)
    return rows(account, place, np.asarray([_at_hour(on, rng.uniform(7, 23))]), minor)


MAKERS: dict[str, Maker] = {
    "card_testing": _card_testing,
    "account_takeover": _account_takeover,
    "merchant_compromise": _merchant_compromise,
    "large_payment": _large_payment,
}


def _anybody(people: Population, rng: np.random.Generator) -> int:
    return int(rng.integers(len(people.rate)))


def _somewhere(people: Population, count: int, rng: np.random.Generator) -> Ints:
    return rng.choice(np.flatnonzero(~people.is_fixed), count)


def _same(value: int, count: int) -> Ints:
    return np.full(count, value, np.int64)


def _at_hour(on: date, hour: float) -> np.datetime64:
    return np.datetime64(on, "s") + np.timedelta64(int(hour * 3600), "s")


def _none() -> pl.DataFrame:
    nobody = np.empty(0, np.int64)
    return rows(nobody, nobody, nobody.astype("datetime64[s]"), nobody).with_columns(fraud_kind=pl.lit(None, pl.String))
