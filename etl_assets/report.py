"""What the warehouse says about one institution: its row account, its models, its strangest transactions.

Reads only. How it is printed belongs to `cli.py` and `demo.py`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import polars as pl

from etl_assets.feature_groups import FEATURES
from etl_assets.institution_spec import InstitutionSpec
from etl_assets.io_managers.postgres.schema import qualified
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.slices import WHOLE
from etl_assets.io_managers.targets import Target
from etl_assets.tables import scored_table
from models.explanation import sentence

COUNTS = ("records_read", "published", "invalid", "duplicate", "superseded", "control_lines")


@dataclass(frozen=True)
class Strange:
    """One transaction that stands out, with its reasons in words."""

    institution: str
    event_at: str
    amount: str
    score: float
    reasons: tuple[str, ...]


def row_account(warehouse: PostgresWarehouse, spec: InstitutionSpec) -> dict[str, int]:
    """Records of all deliveries together, by what became of them."""
    sums = ", ".join(f"coalesce(sum({name}), 0)::bigint AS {name}" for name in COUNTS)
    found = warehouse.fetch(f"SELECT {sums} FROM {qualified(spec.institution, 'row_account')}")
    return {name: int(found[name][0].as_py()) for name in COUNTS}


def latest_version(warehouse: PostgresWarehouse, spec: InstitutionSpec) -> str:
    """The model version that scored the newest business date."""
    scored = qualified(spec.institution, "scored_transactions")
    found = warehouse.fetch(f"SELECT model_version FROM {scored} ORDER BY business_date DESC LIMIT 1")
    return str(found["model_version"][0].as_py()) if found.num_rows else "none"


def ranked(warehouse: PostgresWarehouse, spec: InstitutionSpec) -> pl.DataFrame:
    """The rows that a registered model has scored, strangest first."""
    target = Target(spec.institution, scored_table(spec))
    rows = pl.DataFrame(pl.from_arrow(warehouse.read_slice(target, WHOLE)))
    by_model = rows.filter(pl.col("model_version") != "cold_start")
    return by_model.sort(
        "score", "business_date", *spec.identity, descending=[True, *[False] * (len(spec.identity) + 1)]
    )


def strangest(rows: pl.DataFrame, spec: InstitutionSpec, count: int) -> list[Strange]:
    """The first `count` rows, each with its reasons as sentences."""
    return [
        Strange(
            spec.institution,
            f"{row['event_at']:%Y-%m-%d %H:%M}",
            f"{float(row['amount']):,.2f} {row['currency']}",
            row["score"],
            tuple(sentence(reason, FEATURES) for reason in json.loads(row["reasons"])),
        )
        for row in rows.head(count).iter_rows(named=True)
    ]
