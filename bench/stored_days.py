"""An institution with a long published history, made in seconds: the tables are filled by SQL and hold no real runs."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import psycopg
from psycopg import sql

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.io_managers.postgres.connections import Connection
from etl_assets.io_managers.postgres.schema import NOTES, create
from etl_assets.io_managers.slices import daily_slice
from etl_assets.io_managers.targets import Target
from etl_assets.tables import QUARANTINED, cleaned_table, featured_table, raw_table, scored_table

DAY_ONE = date(2024, 1, 1)
COLUMNS = {
    "transaction_id": {"source": "id"},
    "account_id": {"source": "card"},
    "counterparty_id": {"source": "shop"},
    "event_at": {"source": "at"},
    "amount": {"source": "amount"},
    "currency": {"fixed": "EUR"},
}
RAW = """
    INSERT INTO {table} (business_date, _delivery_id, _row_number, _file, _delivered_at, id, card, shop, at, amount)
    SELECT day::date, 'f' || day::date, n, 'f', day + interval '26 hours', day::date || '-' || n, 'c' || n %% 500,
           's' || n %% 90, to_char(day + interval '10 hours', 'YYYY-MM-DD HH24:MI:SS'), '-1.0' || %(cents)s
    FROM generate_series(%(first)s::timestamp, %(last)s::timestamp, '1 day') day, generate_series(1, %(rows)s) n"""
CLEANED = """
    INSERT INTO {table} (business_date, transaction_id, account_id, counterparty_id, event_at, event_at_is_ambiguous,
                         amount, currency, _delivery_id, _row_number)
    SELECT business_date, id, card, shop, at::timestamptz, false, amount::numeric, 'EUR', _delivery_id, _row_number
    FROM {raw} WHERE business_date BETWEEN %(first)s AND %(last)s"""
WRITTEN = """
    INSERT INTO {notes} (table_name, partition_key, row_count, written_at, run_id)
    SELECT %(table)s, day::date::text, %(rows)s, now(), %(run)s
    FROM generate_series(%(first)s::timestamp, %(last)s::timestamp, '1 day') day
    ON CONFLICT (table_name, partition_key) DO UPDATE SET written_at = now(), run_id = excluded.run_id"""


def spec_of(institution: str, folder: str, **deliveries: Any) -> InstitutionSpec:
    """A bank whose days lie in `folder`."""
    return InstitutionSpec.model_validate(
        {
            "institution": institution,
            "description": "A bank of the benchmark.",
            "owners": ["team:benchmarks"],
            "start_date": str(DAY_ONE),
            "time_zone": "UTC",
            "deliveries": {"folder": folder, "file_name": r"tx_(?P<business_date>\d{8})_\d+\.csv", **deliveries},
            "columns": COLUMNS,
        }
    )


def fill(  # noqa: PLR0913  two ways to fill
    url: str, spec: InstitutionSpec, days: int, rows: int, *, first: date = DAY_ONE, cents: int = 0, since: str = "fill"
) -> None:
    """Raw and cleaned hold `rows` rows for each of the days, and all five tables say that the run `since` wrote them.

    Features and scores have no rows: restatement reads only when they were written.
    """
    told = {"first": first, "last": first + timedelta(days=days - 1), "rows": rows, "cents": cents, "run": since}
    raw, cleaned = raw_table(spec), cleaned_table(spec)
    tables = (raw, cleaned, QUARANTINED, featured_table(spec), scored_table(spec))
    with psycopg.connect(url) as connection:
        for table in tables:
            create(connection, Target(spec.institution, table), daily_slice("business_date", [first]))
        names = {table.name: sql.Identifier(spec.institution, table.name) for table in tables}
        for table, statement in ((raw, RAW), (cleaned, CLEANED)):
            gone = sql.SQL("DELETE FROM {} WHERE business_date BETWEEN %(first)s AND %(last)s")
            connection.execute(gone.format(names[table.name]), told)
            filled = sql.SQL(statement).format(table=names[table.name], raw=names[raw.name])
            connection.execute(filled, told)
        for table in tables[:3] if since != "fill" else tables:
            _note(connection, spec, told | {"table": table.name})
        connection.commit()
        connection.autocommit = True
        for table in (raw, cleaned):
            connection.execute(sql.SQL("ANALYZE {}").format(names[table.name]))


def _note(connection: Connection, spec: InstitutionSpec, told: dict[str, Any]) -> None:
    connection.execute(sql.SQL(WRITTEN).format(notes=sql.Identifier(spec.institution, NOTES)), told)
