"""What the tables say about a mirror: when PostgreSQL wrote each day, and which write of it the last certificate saw.

SQL over notes and certificates; what follows from them is decided in `decision.py`.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from etl_assets.assets.tenant import Tenant
from etl_assets.certificate_tables import MIRROR_CERTIFICATES
from etl_assets.io_managers.postgres.schema import NOTES, qualified
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.slices import WHOLE
from etl_assets.io_managers.targets import Drift, Target
from etl_assets.mirroring.decision import Certified, Late, late
from etl_assets.reconciliation.certificates import Verdict
from etl_assets.restatement.decision import Written

SAID = ("table_name", "business_date", "source_written_at", "verdict", "times_different", "snowflake")


def account_of(environment: Mapping[str, str] = os.environ) -> str | None:
    """The account and database that the environment names, as certificates say them; None where it names none."""
    account, database = (environment.get(f"SNOWFLAKE_{name}", "") for name in ("ACCOUNT", "DATABASE"))
    return f"{account}/{database}".upper() if account else None


@dataclass(frozen=True)
class Evidence:
    """The notes and certificates of one institution."""

    warehouse: PostgresWarehouse
    tenant: Tenant

    def late(self) -> list[Late]:
        """Every published day that Snowflake does not have, or not for certain, as PostgreSQL has it now."""
        return late(self.published(), self.certified())

    def published(self) -> dict[str, dict[date, Written]]:
        """Mirrored table -> business date -> its last write, for every partition that PostgreSQL has published."""
        spec = self.tenant.spec
        found: dict[str, dict[date, Written]] = {table: {} for table in spec.snowflake.tables}
        if not self.warehouse.exists(spec.institution, NOTES):
            return found
        notes = (
            f"SELECT table_name, partition_key::date, written_at, run_id, row_count, refusal IS NOT NULL "  # noqa: S608
            f"FROM {qualified(spec.institution, NOTES)} WHERE table_name = ANY(%s) AND written_at IS NOT NULL"
        )
        days = {date.fromisoformat(key) for key in self.tenant.days.get_partition_keys()}
        for table, day, *written in self.warehouse.connections.run(
            lambda connection: connection.execute(notes, [list(found)]).fetchall()
        ):
            if day in days:
                found[table][day] = Written(*written)
        return found

    def certified(self) -> dict[str, dict[date, Certified]]:
        """Mirrored table -> business date -> what its latest certificate says; of another account it says nothing.

        Whoever changes from one account to another would else have days there that nothing ever mirrors.
        """
        found: dict[str, dict[date, Certified]] = defaultdict(dict)
        account = account_of()
        log = Target(self.tenant.spec.institution, MIRROR_CERTIFICATES, drift=Drift.ADD)
        for row in self.warehouse.read_slice(log, WHOLE, SAID, must_exist=False).to_pylist():
            if account and row["snowflake"] != account:
                continue
            is_equal = row["verdict"] == Verdict.EQUAL
            certified = Certified(row["source_written_at"], is_equal, row["times_different"])
            found[row["table_name"]][row["business_date"]] = certified
        return found
