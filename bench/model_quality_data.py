"""Featured rows of the handbook, of Sparkov and of one IBM user, with their frauds: what the models are compared on.

All through the platform's own features. What is learnt from which rows is in `model_quality_protocol.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl_assets.assets.matrices import matrix
from etl_assets.feature_groups import FEATURES, Feature, Need, supported
from etl_assets.transforms.features import compute_features
from etl_assets.transforms.labels import SCHEMA, explained_by_amount
from models.calibration import Floats

DELAY = timedelta(days=7)
TRANSACTIONS: tuple[Need, ...] = ("account", "counterparty", "time_of_day")
WITHOUT_LABELS: tuple[Feature, ...] = supported(TRANSACTIONS)
WITH_LABELS: tuple[Feature, ...] = supported((*TRANSACTIONS, "labels"))


@dataclass(frozen=True)
class Featured:
    """Rows in time order, a column of `values` per feature of WITH_LABELS; `kind` is 0 where it is not known."""

    values: Floats
    day: NDArray[np.int64]
    card: NDArray[np.int64]
    is_fraud: NDArray[np.bool_]
    kind: NDArray[np.int64]

    def of(self, rows: NDArray[np.intp], features: Sequence[Feature]) -> Floats:
        """The values of `rows`, one column per feature."""
        names = [feature.name for feature in WITH_LABELS]
        return self.values[rows][:, [names.index(feature.name) for feature in features]]


def handbook(folder: Path, first: date, last: date) -> Featured:
    """The handbook's transactions of the days from `first` to `last`, seen with all the history that there is."""
    rows = pl.read_parquet(folder / "handbook" / "transactions.parquet")
    return featured(
        rows.select(
            event_at=pl.col("TX_DATETIME"),
            account=pl.col("CUSTOMER_ID").cast(pl.Int64),
            counterparty=pl.col("TERMINAL_ID").cast(pl.String),
            spent=pl.col("TX_AMOUNT"),
            is_fraud=pl.col("TX_FRAUD") == 1,
            kind=pl.col("TX_FRAUD_SCENARIO").cast(pl.Int64),
        ),
        first,
        last,
    )


def sparkov(folder: Path) -> Featured:
    """All 1,092 transactions of Sparkov's sample."""
    rows = pl.read_csv(folder / "sparkov" / "adults_50up_female_rural_000-099.csv", separator="|")
    return whole(
        rows.select(
            event_at=pl.from_epoch("unix_time"),
            account=pl.col("cc_num").cast(pl.Int64),
            counterparty="merchant",
            spent="amt",
            is_fraud=pl.col("is_fraud") == 1,
            kind=pl.lit(0, pl.Int64),
        )
    )


def ibm_user(folder: Path) -> Featured:
    """All 19,963 transactions of the IBM simulation's first user; each of the cards is an account."""
    rows = pl.read_csv(folder / "ibm_user0" / "User0_credit_card_transactions.csv", infer_schema_length=None)
    clock = pl.col("Time").str.split(":").list
    return whole(
        rows.select(
            event_at=pl.datetime("Year", "Month", "Day", clock.get(0).cast(pl.Int32), clock.get(1).cast(pl.Int32)),
            account=pl.col("Card").cast(pl.Int64),
            counterparty=pl.col("Merchant Name").cast(pl.String),
            spent=pl.col("Amount").str.strip_chars("$").cast(pl.Float64),
            is_fraud=pl.col("Is Fraud?") == "Yes",
            kind=pl.lit(0, pl.Int64),
        )
    )


def whole(rows: pl.DataFrame) -> Featured:
    """All of `rows`."""
    days = rows["event_at"].dt.date().sort().to_list()
    return featured(rows, days[0], days[-1])


def featured(rows: pl.DataFrame, first: date, last: date) -> Featured:
    """The asked days of `rows`; every label is known seven days after its event."""
    table = cleaned(rows)
    span = (table["business_date"][0].as_py(), last)
    strange = tuple(feature for feature in FEATURES if feature.name == "spend_robust_zscore_30d")
    labels = known(compute_features(table, strange, *span, "UTC"))
    found = compute_features(table, WITH_LABELS, first, last, "UTC", labels=labels)
    return Featured(
        matrix(found, WITH_LABELS, span[0]),
        found["business_date"].cast(pa.int32()).to_numpy().astype(np.int64),
        found["account_id"].cast(pa.int64()).to_numpy(),
        found["is_fraud"].to_numpy().astype(bool),
        found["kind"].to_numpy(),
    )


def cleaned(rows: pl.DataFrame) -> pa.Table:
    """`rows` as a bank's cleaned rows: times are UTC, what customers spend is negative."""
    event = pl.col("event_at").dt.cast_time_unit("us").dt.replace_time_zone("UTC")
    table = (
        rows.with_columns(event_at=event, business_date=event.dt.date(), account_id=pl.col("account").cast(pl.String))
        .rename({"counterparty": "counterparty_id"})
        .sort("event_at", maintain_order=True)
        .with_row_index("transaction_id")
        .with_columns(pl.col("transaction_id").cast(pl.String), amount=-pl.col("spent"), currency=pl.lit("USD"))
        .drop("account", "spent")
        .to_arrow()
    )
    amount = pc.round(table["amount"], 4).cast(pa.decimal128(24, 4), safe=False)
    return table.set_column(table.column_names.index("amount"), "amount", amount)


def known(rows: pa.Table) -> pa.Table:
    """A label per row, and when it arrived."""
    columns = {
        "account_id": rows["account_id"],
        "counterparty_id": rows["counterparty_id"],
        "known_at": pc.add(rows["event_at"], pa.scalar(DELAY, pa.duration("us"))),
        "is_fraud": rows["is_fraud"],
        "is_explained": explained_by_amount(rows),
    }
    return pa.table(columns).cast(SCHEMA)
