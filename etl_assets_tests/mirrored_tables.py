"""A table in a real PostgreSQL and its mirror in the local Snowflake, as the tests of the reconciliation make them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest

from etl_assets.contracts import Table
from etl_assets.embedded import snowflake as embedded_snowflake
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.slices import Slice, daily_slice
from etl_assets.io_managers.snowflake.names import sql_name
from etl_assets.io_managers.snowflake.warehouse import SnowflakeWarehouse
from etl_assets.io_managers.targets import Target
from etl_assets.reconciliation.certificates import Certificate, certify
from etl_assets.reconciliation.drilldown import Bounds
from etl_assets_tests.backends import a_suite_database  # noqa: F401
from etl_assets_tests.payments import MONDAY, PAYMENTS

THE_DAY = daily_slice("day", [MONDAY])


@dataclass
class Watched:
    """A warehouse whose answers are counted; `before` is done before each question."""

    warehouse: Any
    rows: int = 0
    questions: list[str] = field(default_factory=list)
    before: Callable[[str], object] = len

    def fetch(self, sql: str, values: Sequence[Any] = ()) -> pa.Table:
        self.before(sql)
        self.questions.append(sql)
        found = self.warehouse.fetch(sql, values)
        self.rows += found.num_rows
        return found

    def exists(self, schema: str, name: str) -> bool:
        return bool(self.warehouse.exists(schema, name))


@dataclass
class Mirrored:
    """One target in both warehouses."""

    postgres: Watched
    snowflake: Watched
    at: Target

    def of(self, table: Table) -> Mirrored:
        """Another table, in a schema that nobody has used."""
        return replace(self, at=Target(f"bank_{uuid4().hex[:8]}", table))

    def write(self, rows: pa.Table, slice_: Slice = THE_DAY) -> None:
        """Both hold the rows."""
        self.postgres.warehouse.write(self.at, slice_, rows, "run")
        self.mirror(rows, slice_)

    def mirror(self, rows: pa.Table, slice_: Slice = THE_DAY) -> None:
        """Snowflake holds the rows, whatever PostgreSQL does."""
        self.snowflake.warehouse.write(self.at, slice_, rows, "run")

    def by_hand(self, statement: str) -> None:
        """The statement is done in Snowflake; `{table}` is the mirror."""
        said = statement.format(table=sql_name(self.at))
        self.snowflake.warehouse.connections.run(lambda session: session.cursor().execute(said))

    def certificates(self, slice_: Slice = THE_DAY, bounds: Bounds | None = None) -> list[Certificate]:
        return certify(self.postgres, self.snowflake, self.at, self.at, slice_, bounds or Bounds())

    def certificate(self, bounds: Bounds | None = None) -> Certificate:
        (certificate,) = self.certificates(bounds=bounds)
        return certificate


def on(day: date, rows: pa.Table) -> pa.Table:
    """The rows as those of another day."""
    return rows.set_column(0, "day", pa.array([day] * len(rows), pa.date32()))


def found(certificate: Certificate) -> tuple[str, int, int, int, tuple[str, ...]]:
    """What a certificate says of rows and columns, in short."""
    counts = (certificate.rows_missing, certificate.rows_extra, certificate.rows_changed)
    assert certificate.rows_not_compared == 0
    return (certificate.verdict.value, *counts, certificate.columns_differ)


@pytest.fixture(scope="module", name="mirrored")
def a_mirrored_table(suite_database: str, snowflake_server: embedded_snowflake.Server) -> Mirrored:
    """Payments in both warehouses; nothing is written yet."""
    postgres = PostgresWarehouse(url=suite_database)
    snowflake = SnowflakeWarehouse(**snowflake_server.parameters, allow_password=True)
    return Mirrored(Watched(postgres), Watched(snowflake), Target(f"bank_{uuid4().hex[:8]}", PAYMENTS))
