"""What goes into the local Snowflake comes out of it equal: types, NULLs, names, sums and digests."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from snowflake.connector import SnowflakeConnection

from etl_assets_tests.snowflake_server import ask

TYPES: dict[str, tuple[str, pa.DataType]] = {
    "text": ("VARCHAR", pa.string()),
    "amount": ("NUMBER(24,4)", pa.decimal128(24, 4)),
    "order": ("NUMBER(38,0)", pa.int64()),
    "score": ("FLOAT", pa.float64()),
    "is_flagged": ("BOOLEAN", pa.bool_()),
    "booked_on": ("DATE", pa.date32()),
    "event_at": ("TIMESTAMP_TZ(6)", pa.timestamp("us", "UTC")),
    "local_at": ("TIMESTAMP_NTZ(6)", pa.timestamp("us")),
    "seen_at": ("TIMESTAMP_LTZ(6)", pa.timestamp("us", "UTC")),
    "digest": ("BINARY", pa.binary()),
}
INSTANTS = {"min_value": datetime(1, 1, 2), "max_value": datetime(9999, 12, 30)}  # noqa: DTZ001
VALUES: dict[str, st.SearchStrategy[object]] = {
    "text": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8),
    "amount": st.decimals(-(10**20) + 1, 10**20 - 1, places=4, allow_nan=False),
    "order": st.integers(-(2**63), 2**63 - 1),
    "score": st.floats(allow_nan=False),
    "is_flagged": st.booleans(),
    "booked_on": st.dates(),
    "event_at": st.datetimes(**INSTANTS, timezones=st.just(UTC)),
    "local_at": st.datetimes(**INSTANTS),
    "seen_at": st.datetimes(**INSTANTS, timezones=st.just(UTC)),
    "digest": st.binary(max_size=8),
}
VALUES = {name: st.none() | values for name, values in VALUES.items()}
SCHEMA = pa.schema([(name, arrow) for name, (_, arrow) in TYPES.items()])
NOTHING: dict[str, object] = dict.fromkeys(TYPES)
EXTREMES: dict[str, object] = {
    "text": "",
    "amount": Decimal("-99999999999999999999.9999"),
    "order": -(2**63),
    "score": 5e-324,
    "is_flagged": False,
    "booked_on": date(1, 1, 1),
    "event_at": datetime(1969, 12, 31, 23, 59, 59, 999999, UTC),
    "local_at": datetime(1969, 12, 31, 23, 59, 59, 999999),  # noqa: DTZ001
    "seen_at": datetime(9999, 12, 30, 23, 59, 59, 999999, UTC),
    "digest": b"",
}


def through_a_stage(connection: SnowflakeConnection, table: pa.Table, folder: Path) -> pa.Table:
    """The rows as they come back after Parquet, PUT, COPY INTO and Arrow."""
    name = f"t_{uuid4().hex[:8]}"
    pq.write_table(table, folder / f"{name}.parquet")
    columns = ", ".join(f'"{column}"' for column in TYPES)
    declared = ", ".join(f'"{column}" {kind}' for column, (kind, _) in TYPES.items())
    casts = ", ".join(f'$1:"{column}"::{kind}' for column, (kind, _) in TYPES.items())
    ask(
        connection,
        f'CREATE TRANSIENT TABLE "{name}" ({declared})',
        'CREATE STAGE IF NOT EXISTS "stage"',
        f"PUT 'file://{folder}/{name}.parquet' @\"stage\"/{name}/ AUTO_COMPRESS=FALSE OVERWRITE=TRUE",
        f'COPY INTO "{name}" ({columns}) FROM (SELECT {casts} FROM @"stage"/{name}/) FILE_FORMAT=(TYPE=PARQUET)',
    )
    cursor = connection.cursor()
    cursor.execute(f'SELECT {columns} FROM "{name}"')
    return cursor.fetch_arrow_all(force_return_table=True).cast(SCHEMA)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(rows=[NOTHING])
@example(rows=[NOTHING, EXTREMES, NOTHING])
@given(rows=st.lists(st.fixed_dictionaries(VALUES), min_size=1, max_size=4))
def test_every_type_comes_back_equal_with_its_nulls(
    snowflake_session: SnowflakeConnection, tmp_path: Path, rows: list[dict[str, object]]
) -> None:
    table = pa.Table.from_pylist(rows, SCHEMA)
    assert through_a_stage(snowflake_session, table, tmp_path).to_pylist() == table.to_pylist()


@pytest.mark.parametrize(("mode", "loaded"), [("CASE_SENSITIVE", [(1, None)]), ("CASE_INSENSITIVE", [(1, 2)])])
def test_columns_are_matched_by_name(
    snowflake_session: SnowflakeConnection, tmp_path: Path, mode: str, loaded: list[tuple[object, ...]]
) -> None:
    pq.write_table(pa.table({"n": [1], "M": [2]}), tmp_path / "rows.parquet")
    ask(snowflake_session, 'CREATE TABLE "paid" ("n" INT, "m" INT)', 'CREATE STAGE "stage"')
    ask(snowflake_session, f"PUT 'file://{tmp_path}/rows.parquet' @\"stage\"/run/ AUTO_COMPRESS=FALSE")
    ask(
        snowflake_session,
        f'COPY INTO "paid" FROM @"stage"/run/ FILE_FORMAT=(TYPE=PARQUET) MATCH_BY_COLUMN_NAME={mode}',
    )
    assert ask(snowflake_session, 'SELECT "n", "m" FROM "paid"') == loaded


def test_sums_of_money_are_exact_and_digests_are_those_of_snowflake(snowflake_session: SnowflakeConnection) -> None:
    """The number is the one in the documentation of MD5_NUMBER_LOWER64."""
    ask(snowflake_session, "CREATE TABLE paid AS SELECT 12345678901234567890.1234::NUMBER(24,4) AS n")
    assert ask(snowflake_session, "SELECT SUM(n), MD5_NUMBER_LOWER64('Snowflake') FROM paid") == [
        (Decimal("12345678901234567890.1234"), 9203306159527282910)
    ]
