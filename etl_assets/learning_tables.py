"""The tables of what people confirmed and what they were told: labels in, alerts out, as data."""

from __future__ import annotations

import pyarrow as pa

from etl_assets.contracts import Column, Table
from etl_assets.institution_spec import InstitutionSpec
from etl_assets.tables import BUSINESS_DATE, cleaned_table, featured_table, parties

TEXT, DAY, INSTANT = pa.string(), pa.date32(), pa.timestamp("us", "UTC")


def confirmed_labels_table(spec: InstitutionSpec) -> Table:
    """What was confirmed about a transaction, on the day on which that was known and not on that of the payment."""
    cleaned = {column.name: column for column in cleaned_table(spec).columns}
    names = dict.fromkeys((*spec.identity, *parties(spec), "event_at", "currency"))
    return Table(
        name="confirmed_labels",
        description="Confirmed labels by the day on which they were known: fraud or genuine, and who was concerned.",
        columns=(
            Column("business_date", DAY, "The day on which the label was known.", required=True),
            Column("transaction_date", DAY, "The business date of the transaction.", required=True),
            *(cleaned[name] for name in names),
            Column("known_at", INSTANT, "When the label was known; no feature before it sees it.", required=True),
            Column("is_fraud", pa.bool_(), "Confirmed as fraud; false is confirmed as genuine.", required=True),
            Column("is_explained", pa.bool_(), "A fraud whose amount alone was strange for the account.", True),
        ),
        key=("business_date", "transaction_date", *spec.identity),
        partition_column="business_date",
    )


def alerts_table(spec: InstitutionSpec) -> Table:
    """What people were told, as they were told it. Rows are added and never changed."""
    featured = {column.name: column for column in featured_table(spec).columns}
    names = dict.fromkeys((*spec.identity, *parties(spec), "event_at", "amount", "currency"))
    return Table(
        name="alerts",
        description="Alerts as issued. A score that is restated later changes no alert; the database refuses to.",
        columns=(
            BUSINESS_DATE,
            *(featured[name] for name in names),
            Column("issued_at", INSTANT, "When the alert was issued.", required=True),
            Column("score", pa.float64(), "The score as it was then.", required=True, unit="0..1"),
            Column("threshold", pa.float64(), "The threshold as it was then.", required=True, unit="0..1"),
            Column("reasons", TEXT, "The reasons as they were then, as JSON.", required=True),
            Column("sentence", TEXT, "The alert in one sentence for people.", required=True),
            Column("model_version", TEXT, "The version that scored it, or cold_start.", required=True),
            Column("model_run_id", TEXT, "MLflow run that trained the version; null at cold start."),
            Column("code_version", TEXT, "The code that computed features and score.", required=True),
            Column("run_id", TEXT, "The Dagster run that issued it.", required=True),
        ),
        key=("business_date", *spec.identity),
        partition_column="business_date",
    )
