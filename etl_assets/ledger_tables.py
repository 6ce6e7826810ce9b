"""The tables of what was delivered and decided, the same for every institution, as data."""

from __future__ import annotations

import pyarrow as pa

from etl_assets.contracts import Column, Table

TEXT, DAY, INSTANT = pa.string(), pa.date32(), pa.timestamp("us", "UTC")

DELIVERIES = Table(
    name="deliveries",
    description="The ledger: every delivery that was read, and how often.",
    columns=(
        Column("_delivery_id", TEXT, "Hash of path and content: the same file version is the same delivery.", True),
        Column("business_date", DAY, "The day it is for.", required=True),
        Column("path", TEXT, "Where it was found, relative to the delivery folder.", required=True),
        Column("size_bytes", pa.int64(), "Its size.", required=True, unit="byte"),
        Column("content_sha256", TEXT, "Hash of its bytes.", required=True),
        Column("delivered_at", INSTANT, "Modification time of the file.", required=True),
        Column("state", TEXT, "read, redelivered (same bytes as an earlier one) or rejected.", required=True),
        Column("problem", TEXT, "Why the file as a whole was rejected; null where it was read."),
        Column("attempt", pa.int32(), "How often it was read.", required=True),
        Column("run_id", TEXT, "The Dagster run that read it last.", required=True),
        Column("read_at", INSTANT, "When it was read last.", required=True),
        Column("records_read", pa.int64(), "Records in the file, control lines included.", required=True),
        Column("control_lines", pa.int64(), "Header, preamble, footer and blank lines.", required=True),
    ),
    key=("_delivery_id",),
)

PROMOTIONS = Table(
    name="promotions",
    description="Which model version is in force from which business date, and what was refused, with the reason.",
    columns=(
        Column("in_force_from", DAY, "First business date that it scores.", required=True),
        Column("model_version", TEXT, "Registered version; null where none was trained."),
        Column("model_run_id", TEXT, "MLflow run that trained it."),
        Column("outcome", TEXT, "promoted or refused.", required=True),
        Column("reason", TEXT, "In words.", required=True),
        Column("decided_at", INSTANT, "When it was decided.", required=True),
        Column("run_id", TEXT, "The Dagster run that decided.", required=True),
    ),
    key=("in_force_from", "decided_at"),
)
