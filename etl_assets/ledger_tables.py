"""The tables of what was delivered and decided, the same for every institution, as data."""

from __future__ import annotations

import pyarrow as pa

from etl_assets.contracts import Column, Table

TEXT, DAY, INSTANT = pa.string(), pa.date32(), pa.timestamp("us", "UTC")

DELIVERY_STATES = (
    "read; late; corrected (other rows under a known path); resaved (the same rows under a known path in other bytes); "
    "redelivered (rows or bytes of an earlier one under another path); empty; partial; rejected."
)

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
        Column("state", TEXT, DELIVERY_STATES, required=True),
        Column("problem", TEXT, "Why the file as a whole was rejected; null where it was read."),
        Column("attempt", pa.int32(), "How many runs have read it.", required=True),
        Column("run_id", TEXT, "The Dagster run that read it last.", required=True),
        Column("read_at", INSTANT, "When it was read last.", required=True),
        Column("records_read", pa.int64(), "Records in the file, control lines included.", required=True),
        Column("control_lines", pa.int64(), "Header, preamble, footer and blank lines.", required=True),
        Column("content_digest", TEXT, "Hash of its rows' values: a file that was only saved again keeps it."),
        Column("stated_rows", pa.int64(), "Records that its manifest or footer states.", unit="records"),
        Column("due_at", INSTANT, "From when a delivery for its date is late."),
        Column("is_late", pa.bool_(), "It arrived after that, or after other deliveries of its date had been read."),
        Column("first_read_at", INSTANT, "When it was read first."),
        Column("source", TEXT, "Address of the place where it was found, without secrets."),
        Column("code_version", TEXT, "The code that read it last."),
        Column("duration_s", pa.float64(), "How long reading it took.", unit="second"),
        Column("titles", TEXT, "Its header as a JSON object: each title with the type that the format gives it."),
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

CORRECTIONS = Table(
    name="corrections",
    description="What people said a record should have been. Raw keeps its first form; the latest correction holds.",
    columns=(
        Column("_delivery_id", TEXT, "The delivery of the record; joins `raw_transactions`.", required=True),
        Column("_row_number", pa.int64(), "The record's line in it.", required=True),
        Column("business_date", DAY, "The day the delivery is for.", required=True),
        Column("fields", TEXT, "Source columns that change and their new text, as JSON; null withdraws."),
        Column("reason", TEXT, "Why, in the words of who corrected it.", required=True),
        Column("who", TEXT, "Who corrected it.", required=True),
        Column("corrected_at", INSTANT, "When; of several corrections of a record the latest holds.", required=True),
        Column("replay_id", TEXT, "The replay that it came with; joins `replays`.", required=True),
    ),
    key=("_delivery_id", "_row_number", "corrected_at"),
)

REPLAYS = Table(
    name="replays",
    description="The audit trail of repairs: who replayed what, when and why, and what came of it.",
    columns=(
        Column("replay_id", TEXT, "The replay.", required=True),
        Column("who", TEXT, "Who asked for it.", required=True),
        Column("why", TEXT, "Why, in their words.", required=True),
        Column("began_at", INSTANT, "When it was asked for.", required=True),
        Column("ended_at", INSTANT, "When it ended; null while it runs, and for ever if it was killed."),
        Column("asked", TEXT, "The filter, the corrections file or the withdrawn row.", required=True),
        Column("file_sha256", TEXT, "Hash of the corrections file."),
        Column("business_dates", TEXT, "Business dates that were cleaned again, separated by commas.", required=True),
        Column("rows_asked", pa.int64(), "Rows that were asked for.", required=True, unit="rows"),
        Column("corrections", pa.int64(), "Corrections and withdrawals that were stored.", required=True, unit="rows"),
        Column("rows_published", pa.int64(), "How many of them are published at its end.", unit="rows"),
        Column("run_ids", TEXT, "Dagster runs, separated by commas.", required=True),
        Column("outcome", TEXT, "started, done or failed.", required=True),
        Column("problem", TEXT, "What failed, in words."),
    ),
    key=("replay_id",),
)

SCHEMA_EVENTS = Table(
    name="schema_events",
    description="What each delivery's header has otherwise than that of the delivery before, by date and arrival.",
    columns=(
        Column("_delivery_id", TEXT, "The delivery with the new header; joins `deliveries`.", required=True),
        Column("business_date", DAY, "The day it is for.", required=True),
        Column("kind", TEXT, "renamed, added, removed or retyped.", required=True),
        Column("column", TEXT, "The declared name of the column, or its title where there is none.", required=True),
        Column("was", TEXT, "Its title before, or its type; null where it is new."),
        Column("is", TEXT, "Its title now, or its type; null where it is gone."),
        Column("seen_at", INSTANT, "When this was first noticed.", required=True),
        Column("run_id", TEXT, "The Dagster run that noticed it.", required=True),
    ),
    key=("_delivery_id", "kind", "column"),
)
