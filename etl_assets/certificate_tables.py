"""The table of what was found when both warehouses were compared, as data."""

from __future__ import annotations

import pyarrow as pa

from etl_assets.contracts import Column, Table

TEXT, INSTANT, COUNT = pa.string(), pa.timestamp("us", "UTC"), pa.int64()

MIRROR_CERTIFICATES = Table(
    name="mirror_certificates",
    description="The latest certificate of each day of each mirrored table: whether Snowflake has PostgreSQL's rows.",
    columns=(
        Column("business_date", pa.date32(), "The day.", required=True),
        Column("table_name", TEXT, "The table.", required=True),
        Column(
            "verdict",
            TEXT,
            "equal; different; missing_in_snowflake or missing_in_postgres (the table, or all rows of the day); "
            "changed_meanwhile (written while it was compared).",
            required=True,
        ),
        Column("rows_in_postgres", COUNT, "Rows of the day.", required=True, unit="rows"),
        Column("rows_in_snowflake", COUNT, "Rows of the day.", required=True, unit="rows"),
        Column("hash_in_postgres", TEXT, "Sum of the hashes of the rows, whatever their order.", required=True),
        Column("hash_in_snowflake", TEXT, "The same sum, computed there.", required=True),
        Column("sums", TEXT, "JSON: exact sum of each numeric column in `postgres` and in `snowflake`.", required=True),
        Column("rows_missing", COUNT, "In PostgreSQL and not in Snowflake.", required=True, unit="rows"),
        Column("rows_extra", COUNT, "In Snowflake and not in PostgreSQL.", required=True, unit="rows"),
        Column("rows_changed", COUNT, "In both under one key, and not the same.", required=True, unit="rows"),
        Column("rows_not_compared", COUNT, "0: the counts are exact. Else rows that were not read.", True, "rows"),
        Column("columns_differ", TEXT, "Columns in which rows differ, separated by commas.", required=True),
        Column("differing_keys", TEXT, "JSON: the keys of the first rows that differ.", required=True),
        Column("times_different", pa.int32(), "Comparisons in a row of this write that were not equal.", required=True),
        Column("source_written_at", INSTANT, "The write of PostgreSQL's rows that was compared."),
        Column("checked_at", INSTANT, "When it was compared.", required=True),
        Column("run_id", TEXT, "The Dagster run that compared it.", required=True),
        Column("snowflake", TEXT, "Account and database that were compared."),
    ),
    key=("business_date", "table_name"),
    partition_column="business_date",
)
