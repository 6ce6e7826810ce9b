"""The whole chain on the handbook's card transactions: rows per second by stage, and how good the scores are.

    python bench/main_job.py [--days 40] [--data FOLDER] [--json FILE]

Starts its own PostgreSQL in a temporary folder. Rates are rows read over the stage's wall time, checks left out.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from time import monotonic

import dagster as dg
import polars as pl
from handbook_deliveries import write_deliveries
from rich.console import Console
from rich.table import Table
from sklearn.metrics import average_precision_score, roc_auc_score

from etl_assets import environment, report
from etl_assets.backfill import LayerRun, Request, backfill, planned
from etl_assets.definitions import build_definitions
from etl_assets.embedded import postgres as embedded_postgres
from etl_assets.embedded import snowflake as embedded_snowflake
from etl_assets.institution_spec import InstitutionSpec, load_spec
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse

HERE = Path(__file__).parent
DATA = Path(os.environ.get("ETL_SHARED_DATA") or HERE.parents[1] / "shared" / "data") / "handbook"
STAGES = ("raw_transactions", "cleaned_transactions", "featured_transactions", "autoencoder", "scored_transactions")


@dataclass(frozen=True)
class Measured:
    """What one run of the chain took and gave."""

    stage_s: Mapping[str, float]
    total_s: float
    account: Mapping[str, int]
    rows_scored: int
    published_amount: Decimal
    ranked: pl.DataFrame
    errors: list[str]

    def figures(self) -> dict[str, float]:
        """The figures under the names that others read them by."""
        read = self.account["records_read"]
        quarantined = sum(self.account[name] for name in ("invalid", "duplicate", "superseded"))
        rates = {f"rows_per_s_{stage}": read / seconds for stage, seconds in self.stage_s.items()}
        counts = {"rows_read": read, "rows_published": self.account["published"], "rows_quarantined": quarantined}
        counts["rows_scored"] = self.rows_scored
        return {**counts, "rows_per_s_total": read / self.total_s, **rates, **quality(self.ranked)}


def quality(ranked: pl.DataFrame) -> dict[str, float]:
    """Area under the ROC curve and average precision of scorer and baselines, on rows that a model scored."""
    is_fraud = ranked["is_fraud"].to_numpy()
    amount = -ranked["amount"].cast(pl.Float64).to_numpy()
    return {
        "scored_by_a_model": float(len(ranked)),
        "auc": float(roc_auc_score(is_fraud, ranked["score"])),
        "amount_only_auc": float(roc_auc_score(is_fraud, amount)),
        "zscore_auc": float(roc_auc_score(is_fraud, ranked["zscore_score"])),
        "average_precision": float(average_precision_score(is_fraud, ranked["score"])),
        "amount_only_ap": float(average_precision_score(is_fraud, amount)),
        "zscore_ap": float(average_precision_score(is_fraud, ranked["zscore_score"])),
    }


@contextmanager
def server() -> Iterator[Path]:
    """A working folder with a PostgreSQL of its own, gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        state, before = Path(folder), Path.cwd()
        os.chdir(state)
        try:
            os.environ.pop("ETL_POSTGRES_URL", None)
            environment.prepare(state)
            yield state
        finally:
            os.chdir(before)
            embedded_snowflake.destroy(state / "snowflake")
            embedded_postgres.destroy(state)


def measure(data: Path, days: int) -> Measured:
    """The first `days` of the handbook went through the whole chain."""
    with server() as state:
        folder = state / "deliveries" / "handbook_bank"
        write_deliveries(data / "transactions.parquet", folder, days)
        institutions = state / "institutions"
        institutions.mkdir()
        (institutions / "handbook_bank.yaml").write_text((HERE / "handbook_bank.yaml").read_text())
        spec = load_spec(institutions / "handbook_bank.yaml")
        began = monotonic()
        stage_s, runs = _run(institutions, spec, days)
        total_s = monotonic() - began
        warehouse = PostgresWarehouse(url=environment.variable("ETL_WAREHOUSE_URL"))
        errors = [str(run.error) for run in runs if run.error]
        scored = warehouse.fetch(
            "SELECT count(*) AS n, sum(amount)::text AS total FROM handbook_bank.scored_transactions"
        )
        return Measured(
            stage_s,
            total_s,
            report.row_account(warehouse, spec),
            scored["n"][0].as_py(),
            Decimal(scored["total"][0].as_py()),
            report.ranked(warehouse, spec),
            errors,
        )


def _run(institutions: Path, spec: InstitutionSpec, days: int) -> tuple[dict[str, float], list[LayerRun]]:
    request = Request(spec.institution, spec.start_date, spec.start_date + timedelta(days=days - 1))
    with dg.DagsterInstance.from_config(str(HERE.parent)) as instance:
        runs = list(backfill(planned(build_definitions(institutions), instance, request), instance, lambda _: None))
        seconds: dict[str, float] = {}
        for run in runs:
            for stats in instance.get_run_step_stats(run.run_id):
                stage = stats.step_key.removeprefix(f"{spec.institution}__")
                if stage in STAGES and stats.start_time and stats.end_time:
                    seconds[stage] = stats.end_time - stats.start_time
    return seconds, runs


def show(figures: Mapping[str, float]) -> None:
    table = Table("figure", "value", title="The main job on the handbook's deliveries")
    for name, value in figures.items():
        table.add_row(name, f"{value:,.4f}" if value < 1.5 else f"{value:,.0f}")
    Console(width=100).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=40)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    measured = measure(chosen.data.resolve(), chosen.days)
    show(measured.figures())
    if measured.errors:
        raise SystemExit("\n".join(measured.errors))
    if chosen.json:
        chosen.json.write_text(json.dumps(measured.figures(), indent=2))


if __name__ == "__main__":
    main()
