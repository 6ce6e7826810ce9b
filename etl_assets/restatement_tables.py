"""The table in which restatement remembers what it has looked at, as data."""

from __future__ import annotations

import pyarrow as pa

from etl_assets.contracts import Column, Table

TEXT, INSTANT = pa.string(), pa.timestamp("us", "UTC")

DAY_CONTENTS = Table(
    name="day_contents",
    description="What restatement has seen of each business date: its cleaned rows, and the raw ones they agree with.",
    columns=(
        Column("business_date", pa.date32(), "The day.", required=True),
        Column(
            "digest", TEXT, "Digest of its cleaned rows, lineage apart, whatever their order; null before the first."
        ),
        Column("written_at", INSTANT, "When the rows that the digest is of were written."),
        Column("changed_at", INSTANT, "When they last became other rows."),
        Column("changed_by", TEXT, "The Dagster run that changed them."),
        Column("compared_at", INSTANT, "Write of its raw rows that the cleaned days around it were compared with."),
    ),
    key=("business_date",),
)
