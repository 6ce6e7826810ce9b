"""People with habits and the places where they pay: normal traffic that a model can learn.

Amounts are integer minor units, positive when money leaves the account; times are local wall time. What
fraudsters do belongs to `frauds.py`, what files look like to the tenants' modules.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

FAVOURITES = 8
LOYALTY = 0.93
NIGHT_WORKERS = 0.04
HOURS_AROUND_HABIT = 1.1
EMPLOYERS, LANDLORDS = 500, 300


@dataclass(frozen=True)
class Category:
    """A kind of place. `price` is what people typically pay there; a fixed price is a fare, the same for all."""

    name: str
    price: float
    share: float
    is_fixed: bool = False


@dataclass(frozen=True)
class Shape:
    """The dials of one institution's population: how many, how busy, how dear."""

    accounts: int
    places: int
    payments_per_day: float
    categories: tuple[Category, ...]
    has_salaries: bool = False


@dataclass(frozen=True)
class Population:
    """One array entry per account, or per place: the habits from which every day is drawn."""

    rate: Floats
    weekday: Floats
    habitual_hour: Floats
    log_scale: Floats
    spread: Floats
    favourites: Ints
    category: Ints
    log_price: Floats
    is_fixed: NDArray[np.bool_]
    salary_minor: Ints

    @classmethod
    def of(cls, shape: Shape, rng: np.random.Generator) -> Population:
        """A population with the given dials; who they are depends on `rng` alone."""
        people, places = shape.accounts, shape.places
        shares = np.array([c.share for c in shape.categories])
        category = rng.choice(len(shares), places, p=shares / shares.sum())
        is_fixed = np.array([c.is_fixed for c in shape.categories])[category]
        log_price = np.log([c.price for c in shape.categories])[category]
        return cls(
            rate=shape.payments_per_day * rng.gamma(4, 1 / 4, people),
            weekday=rng.gamma(6, 1 / 6, (people, 7)),
            habitual_hour=_habitual_hours(people, rng),
            log_scale=rng.normal(0, 0.4, people),
            spread=rng.uniform(0.15, 0.4, people),
            favourites=rng.integers(0, places, (people, FAVOURITES)),
            category=category,
            log_price=np.where(is_fixed, log_price, log_price + rng.normal(0, 0.2, places)),
            is_fixed=is_fixed,
            salary_minor=np.round(np.exp(rng.normal(7.9, 0.35, people)) * shape.has_salaries, 2).astype(np.int64) * 100,
        )

    def prices(self, account: Ints, place: Ints, rng: np.random.Generator) -> Ints:
        """What each account would normally pay at each place: log-normal about its own level, fares exactly."""
        own = self.log_scale[account] + self.spread[account] * rng.standard_normal(len(account))
        log_amount = self.log_price[place] + np.where(self.is_fixed[place], 0.0, own)
        return np.maximum(np.round(100 * np.exp(log_amount)), 50).astype(np.int64)


def _habitual_hours(people: int, rng: np.random.Generator) -> Floats:
    morning, evening = rng.normal(9, 1.2, people), rng.normal(17.5, 1.5, people)
    night = 12 * (rng.random(people) < NIGHT_WORKERS)
    return np.asarray((np.stack([morning, evening], axis=1) + night[:, None]) % 24)


def rows(account: Ints, place: Ints, at: NDArray[np.datetime64], minor: Ints, role: str = "purchase") -> pl.DataFrame:
    """Transactions as a frame; `role` says what kind of booking they are."""
    return pl.DataFrame(
        {"account": account, "place": place, "at": at.astype("datetime64[us]"), "minor": minor},
        schema={"account": pl.Int64, "place": pl.Int64, "at": pl.Datetime("us"), "minor": pl.Int64},
    ).with_columns(role=pl.lit(role))


def payments(people: Population, on: date, rng: np.random.Generator) -> pl.DataFrame:
    """What everybody pays on a normal day: mostly at favourite places, at habitual hours."""
    counts = rng.poisson(people.rate * people.weekday[:, on.weekday()])
    account = np.repeat(np.arange(len(counts)), counts)
    place = _places(people, account, rng)
    traffic = rows(account, place, _times(people, account, on, rng), people.prices(account, place, rng))
    fixed = pl.Series(people.is_fixed[place])
    return traffic.with_columns(role=pl.when(fixed).then(pl.lit("fare")).otherwise("role"))


def _places(people: Population, account: Ints, rng: np.random.Generator) -> Ints:
    liking = 1 / np.arange(1, FAVOURITES + 1)
    favourite = people.favourites[account, rng.choice(FAVOURITES, len(account), p=liking / liking.sum())]
    anywhere = rng.integers(0, len(people.category), len(account))
    return np.where(rng.random(len(account)) < LOYALTY, favourite, anywhere)


def _times(people: Population, account: Ints, on: date, rng: np.random.Generator) -> NDArray[np.datetime64]:
    habit = people.habitual_hour[account, rng.integers(0, 2, len(account))]
    hour = (habit + HOURS_AROUND_HABIT * rng.standard_normal(len(account))) % 24
    return np.asarray(np.datetime64(on, "s") + (hour * 3600).astype("timedelta64[s]"))


def salaries_and_rents(people: Population, on: date, rng: np.random.Generator) -> pl.DataFrame:
    """The monthly bookings due on this day: salaries come in (negative minor units), rents go out.

    Each account has its own day of the month and its own amount, the same every month.
    """
    account = np.flatnonzero(people.salary_minor)
    paid = account[25 + account % 4 == on.day]
    due = account[1 + account % 3 == on.day]
    places = len(people.category)
    early = np.datetime64(on, "s") + np.timedelta64(6, "h")
    return pl.concat(
        [
            rows(
                paid,
                places + paid % EMPLOYERS,
                early + _within_an_hour(paid, rng),
                -people.salary_minor[paid],
                "salary",
            ),
            rows(
                due, places + EMPLOYERS + due % LANDLORDS, early + _within_an_hour(due, rng), _rent(people, due), "rent"
            ),
        ]
    )


def _rent(people: Population, account: Ints) -> Ints:
    return np.asarray(people.salary_minor[account] * 3 // 1000 * 100)


def _within_an_hour(account: Ints, rng: np.random.Generator) -> NDArray[np.timedelta64]:
    return rng.integers(0, 3600, len(account)).astype("timedelta64[s]")
