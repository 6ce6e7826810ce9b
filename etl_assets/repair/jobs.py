"""The quarantine in the Dagster UI: a job that counts it, and one that replays what a changed rule now lets through.

Counts and ids only: a job's metadata is read by more people than a table. Records are corrected from the command
line, with a file that never leaves the hands of who edits it.
"""

import warnings
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg

from etl_assets.assets.tenant import Tenant
from etl_assets.io_managers.errors import Permanent
from etl_assets.io_managers.postgres.io_manager import PostgresIOManager
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.repair.questions import Filter, Quarantine
from etl_assets.resources import ModelRegistry

if TYPE_CHECKING:
    from etl_assets.repair.replay import Plan

MOST_ROWS = 200


class Which(dg.Config):
    """Which quarantined rows are meant; what is empty does not matter."""

    first: str = ""
    last: str = ""
    reason: str = ""

    def filter(self) -> Filter:
        """The same for the queries. Raises: Permanent where a date is none."""
        return Filter(_day("first", self.first), _day("last", self.last), self.reason or None)


class Asked(Which):
    """A replay, by whom and why; `dry_run` only says what it would do."""

    why: str = ""
    who: str = ""
    dry_run: bool = False


def quarantine_jobs(tenant: Tenant, definitions: Callable[[], dg.Definitions]) -> list[dg.JobDefinition]:
    """`INSTITUTION__quarantine` and `INSTITUTION__replay`; `definitions` are the tenant's, for the runs of the days."""
    return [_counting(tenant), _replaying(tenant, definitions)]


def _counting(tenant: Tenant) -> dg.JobDefinition:
    name = tenant.spec.institution

    @dg.op(name=f"{name}__count_quarantine", description="Counts by business date, disposition and reason.")
    def count(context: dg.OpExecutionContext, config: Which, warehouse: PostgresWarehouse) -> None:
        counts = Quarantine(warehouse, tenant.spec).counts(config.filter()).to_pylist()
        total = sum(row["rows"] for row in counts)
        context.add_output_metadata({"rows_by_reason": total, "quarantine": _table(counts[:MOST_ROWS])})

    @dg.job(name=f"{name}__quarantine", description=f"How many rows of {name} are in quarantine, and why.")
    def job() -> None:
        count()

    return job


def _replaying(tenant: Tenant, definitions: Callable[[], dg.Definitions]) -> dg.JobDefinition:
    name = tenant.spec.institution

    @dg.op(name=f"{name}__replay_quarantine", description="Runs again the days whose quarantined rows now fare better.")
    def again(
        context: dg.OpExecutionContext, config: Asked, warehouse: PostgresWarehouse, registry: ModelRegistry
    ) -> None:
        from etl_assets.repair.replay import Wish, of_rule, perform  # noqa: PLC0415  it runs institutions, which have this job

        if not config.why.strip() or not config.who.strip():
            raise Permanent("expected `why` and `who`: the audit trail holds both")
        plan = of_rule(Quarantine(warehouse, tenant.spec), config.filter(), Wish(config.who, config.why))
        context.add_output_metadata(_expected(plan))
        if config.dry_run:
            return
        ended = perform(
            plan, lambda: _with_resources(definitions, warehouse, registry), context.instance, lambda _: None
        )
        if ended.problem:
            raise Permanent(f"replay {ended.replay_id}: {ended.problem}")
        said = "replay %s: %s of %s rows are published"
        context.log.info(said, ended.replay_id, ended.rows_published, ended.rows_asked)

    @dg.job(name=f"{name}__replay", description=f"Replay quarantined rows of {name} after a rule was changed.")
    def job() -> None:
        again()

    return job


def _with_resources(
    definitions: Callable[[], dg.Definitions], warehouse: PostgresWarehouse, registry: ModelRegistry
) -> dg.Definitions:
    """The tenant's definitions over the connections that this run has, whatever they were configured from."""
    resources = {
        "warehouse": warehouse,
        "warehouse_io": PostgresIOManager(**warehouse.model_dump()),
        "registry": registry,
    }
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*is currently in (beta|preview)")
        return dg.Definitions.merge(definitions(), dg.Definitions(resources=resources, executor=dg.in_process_executor))


def _expected(plan: "Plan") -> dict[str, dg.MetadataValue]:
    asked = plan.asked
    return {
        "replay_id": dg.MetadataValue.text(plan.replay.replay_id),
        "rows_asked": dg.MetadataValue.int(len(asked)),
        "rows_that_would_be_published": dg.MetadataValue.int(sum(row.would_be_published for row in asked)),
        "business_dates": dg.MetadataValue.text(plan.replay.business_dates or "none"),
    }


def _table(rows: list[dict[str, object]]) -> dg.MetadataValue:
    head = "| business date | disposition | reason | rows |\n|---|---|---|---|\n"
    return dg.MetadataValue.md(head + "\n".join(f"| {' | '.join(map(str, row.values()))} |" for row in rows))


def _day(field: str, text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Permanent(f"{field}: expected a date such as 2026-03-02; found {text!r}") from None
