"""The platform's tables, as data. A table that depends on the tenant is a function of its spec.

No code paths: how rows get into these shapes belongs to `sources/`, `transforms/` and `models/`.
"""

from __future__ import annotations

import pyarrow as pa

from etl_assets.contracts import Column, Table
from etl_assets.feature_groups import Need, supported
from etl_assets.institution_spec import CANONICAL_TEXT, InstitutionSpec
from etl_assets.spec.privacy import fates

TEXT, DAY, INSTANT = pa.string(), pa.date32(), pa.timestamp("us", "UTC")
MONEY = pa.decimal128(24, 4)

BUSINESS_DATE = Column("business_date", DAY, "The day the delivery is for, in the institution's time zone.", True)
LINEAGE = (
    Column("_delivery_id", TEXT, "The delivery that the row came in; joins `deliveries`.", required=True),
    Column("_row_number", pa.int64(), "Physical line of the record's first byte in the file, from 1.", required=True),
)
RAW_LINEAGE = (
    *LINEAGE,
    Column("_byte_offset", pa.int64(), "First byte of the record in the file.", unit="byte"),
    Column("_file", TEXT, "Name of the delivered file.", required=True),
    Column("_delivered_at", INSTANT, "Modification time of the file: which of two deliveries is the later one.", True),
    Column("_problem", TEXT, "Why the record could not be split into fields; null where it could."),
    Column("_record", pa.binary(), "The bytes of a record that could not be split, encrypted if they may be personal."),
    Column("_extra", TEXT, "Columns that the spec does not declare, as a JSON object, without personal ones."),
)

TEXT_MEANINGS = {
    "transaction_id": "The institution's id, or a content hash with its occurrence number where there is none.",
    "account_id": "The account or card token that paid or was paid.",
    "counterparty_id": "Merchant, terminal or account on the other side.",
    "reverses_id": "The transaction that this one reverses.",
    "direction": "As delivered, where the source states it beside the sign.",
    "channel": "How it was paid: card present, online, transfer.",
    "category": "Merchant category code where there is one.",
    "country": "ISO 3166 country of the counterparty.",
    "description": "Free text of the booking.",
    "status": "pending or posted.",
}
FATE_MEANINGS = {
    "kept": "As delivered.",
    "token": "A token of the delivered value: the same for the same value, which nobody can have back.",
    "dropped": "Personal; always null.",
}


def raw_table(spec: InstitutionSpec) -> Table:
    """Every record as delivered: declared source columns as text under their first spelling, then lineage."""
    sources = (Column(name, TEXT, FATE_MEANINGS[fate]) for name, fate in fates(spec).items())
    return Table(
        name="raw_transactions",
        description=f"Every record that {spec.institution} delivered, nothing repaired.",
        columns=(BUSINESS_DATE, *RAW_LINEAGE, *sources),
        key=("business_date", "_delivery_id", "_row_number"),
        partition_column="business_date",
    )


def cleaned_table(spec: InstitutionSpec) -> Table:
    """One row per valid transaction of the day's deliveries, in canonical form."""
    present = [name for name in CANONICAL_TEXT if getattr(spec.columns, name) or name == "transaction_id"]
    columns = (
        BUSINESS_DATE,
        *(Column(name, TEXT, TEXT_MEANINGS[name], required=name == "transaction_id") for name in present),
        Column("event_at", INSTANT, "When the customer paid, not when we heard of it.", required=True),
        Column("event_at_is_ambiguous", pa.bool_(), "Local time occurred twice (clock change); the first is taken."),
        Column("booked_on", DAY, "Booking day."),
        Column("amount", MONEY, "Negative when money leaves the account.", required=True, unit="currency"),
        Column("currency", TEXT, "ISO 4217.", required=True),
        Column("is_fraud", pa.bool_(), "Confirmed label; null where none was delivered. Never a model input."),
        *(Column(name, TEXT, "Passed through as delivered.") for name in spec.pass_through),
        Column("warnings", TEXT, "Rules that the row breaks and that only warn, by name, separated by commas."),
        *LINEAGE,
    )
    return Table(
        name="cleaned_transactions",
        description="One row per valid transaction of the day's deliveries, in canonical form.",
        columns=columns,
        key=("business_date", *spec.identity),
        partition_column="business_date",
    )


QUARANTINED = Table(
    name="quarantined_transactions",
    description="Every record that is not published, with what is wrong with it and where it stands.",
    columns=(
        BUSINESS_DATE,
        *LINEAGE,
        Column("disposition", TEXT, "invalid, duplicate or superseded.", required=True),
        Column("reasons", TEXT, "Every rule that the record breaks, by name, separated by commas.", required=True),
        Column("column_name", TEXT, "Source column of the first reason, where one column is to blame."),
        Column("value", TEXT, "The delivered value in that column."),
        Column("file", TEXT, "Name of the delivered file.", required=True),
        Column("repeats_delivery_id", TEXT, "Delivery of the row that this one repeats, or that supersedes it."),
        Column("repeats_row_number", pa.int64(), "Line of that row."),
        Column("record", TEXT, "The record as raw has it: fields as JSON, or escaped bytes where it has none."),
    ),
    key=("business_date", "_delivery_id", "_row_number"),
    partition_column="business_date",
)

ROW_ACCOUNT = Table(
    name="row_account",
    description="Per delivery: records read = published + quarantined + control lines.",
    columns=(
        BUSINESS_DATE,
        Column("_delivery_id", TEXT, "The delivery; joins `deliveries`.", required=True),
        Column("file", TEXT, "Name of the delivered file.", required=True),
        *(
            Column(name, pa.int64(), meaning, required=True, unit="records")
            for name, meaning in (
                ("records_read", "Records in the file, control lines included."),
                ("published", "Rows of it in cleaned_transactions."),
                ("invalid", "Rows in quarantine that break a rule."),
                ("duplicate", "Rows in quarantine that repeat an earlier row."),
                ("superseded", "Rows in quarantine that a later delivery corrected."),
                ("control_lines", "Header, preamble, footer and blank lines."),
            )
        ),
        Column("published_amount", pa.decimal128(38, 4), "Exact sum of the published amounts, signed.", required=True),
    ),
    key=("business_date", "_delivery_id"),
    partition_column="business_date",
)


def available_inputs(spec: InstitutionSpec) -> tuple[Need, ...]:
    """What the source delivers that features may need."""
    have: dict[Need, bool] = {
        "account": spec.columns.account_id is not None,
        "counterparty": spec.columns.counterparty_id is not None,
        "time_of_day": spec.event_precision == "second",
        "labels": spec.labels is not None,
    }
    return tuple(need for need, is_there in have.items() if is_there)


def parties(spec: InstitutionSpec) -> tuple[str, ...]:
    """The columns of those who paid and were paid, as far as the source has them."""
    return tuple(name for name in ("account_id", "counterparty_id") if getattr(spec.columns, name))


def _carried(spec: InstitutionSpec) -> tuple[str, ...]:
    """Columns that later tables take over: who, when and how much, so that a score can be read without a join."""
    return tuple(dict.fromkeys((*spec.identity, *parties(spec), "event_at", "amount", "currency", "is_fraud")))


def featured_table(spec: InstitutionSpec) -> Table:
    """Keys of the cleaned rows with the model's inputs; null where an entity has no history yet."""
    cleaned = {column.name: column for column in cleaned_table(spec).columns}
    keys = _carried(spec)
    features = (Column(f.name, pa.float64(), f.description, unit=f.unit) for f in supported(available_inputs(spec)))
    return Table(
        name="featured_transactions",
        description="Model inputs of every cleaned transaction, from what was known before it.",
        columns=(BUSINESS_DATE, *(cleaned[name] for name in keys), *features),
        key=("business_date", *spec.identity),
        partition_column="business_date",
    )


def scored_table(spec: InstitutionSpec) -> Table:
    """A score for every featured row, what made it, and which model."""
    featured = {column.name: column for column in featured_table(spec).columns}
    keys = _carried(spec)
    scores = (
        Column("score", pa.float64(), "Share of normal traffic that is less strange than this row.", True, "0..1"),
        Column("is_flagged", pa.bool_(), "Whether the score reaches the threshold.", required=True),
        Column("threshold", pa.float64(), "Score from which the alert budget is used.", required=True, unit="0..1"),
        Column("zscore_score", pa.float64(), "The baseline's score beside it: one-sided z-scores.", True, "0..1"),
        Column("reasons", TEXT, "Top three as JSON: feature, value, expected, surprise.", required=True),
        Column("model_version", TEXT, "Registered version, or cold_start before the first.", required=True),
        Column("model_run_id", TEXT, "MLflow run that trained it; null at cold start."),
    )
    return Table(
        name="scored_transactions",
        description="Anomaly score, flag, reasons and model version of every transaction.",
        columns=(BUSINESS_DATE, *(featured[name] for name in keys), *scores),
        key=("business_date", *spec.identity),
        partition_column="business_date",
    )
