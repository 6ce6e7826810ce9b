"""The `Institution` Dagster component: one spec becomes one tenant's assets, checks, jobs and sensors.

Composition only; per-tenant code has no place here or anywhere.
"""

from collections.abc import Sequence
from typing import Any, get_args

import dagster as dg

from etl_assets.assets.autoencoder import autoencoder
from etl_assets.assets.cleaned import cleaned_transactions
from etl_assets.assets.featured import LABELS, featured_transactions
from etl_assets.assets.labels import confirmed_labels
from etl_assets.assets.mirrored import mirror, mirrored_tables
from etl_assets.assets.raw import raw_transactions
from etl_assets.assets.scored import scored_transactions
from etl_assets.assets.tenant import Tenant
from etl_assets.audit import PROMISES
from etl_assets.automation import restating, restating_jobs
from etl_assets.checks import every_partition_was_published, promises_kept
from etl_assets.institution_spec import InstitutionSpec
from etl_assets.mirroring.catching_up import MIRRORS, catching_up
from etl_assets.mirroring.checks import mirror_checks
from etl_assets.repair.jobs import quarantine_jobs
from etl_assets.resources import snowflake_resources
from etl_assets.sensors import arrivals
from etl_assets.spec.mirror import MirroredTable

REFUSING = ("raw_transactions", "cleaned_transactions")
LAYERS = {
    "daily": (
        "raw_transactions",
        "cleaned_transactions",
        "quarantined_transactions",
        "row_account",
        LABELS,
        "featured_transactions",
    ),
    "weekly": ("autoencoder",),
    "scores": ("scored_transactions", "alerts"),
    MIRRORS: get_args(MirroredTable),  # in Snowflake, as far as the institution names them
}
CARRIED = LAYERS["daily"] + LAYERS["scores"]


class Institution(dg.Component, dg.Model, dg.Resolvable):
    """One tenant of the platform; `spec` holds the fields of the tenant's YAML."""

    spec: dict[str, Any]

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:  # noqa: ARG002  Dagster's signature
        """The tenant's part of the graph. Raises: pydantic.ValidationError for a spec that says nonsense."""
        return definitions_of(InstitutionSpec.model_validate(self.spec))


def definitions_of(spec: InstitutionSpec) -> dg.Definitions:
    """Assets raw -> cleaned + quarantined + row account -> featured -> autoencoder -> scored + alerts, with checks.

    Each of the tables has a mirror behind it, if the institution names it.
    """
    tenant = Tenant(spec)
    carrying, restated = carrying_job(tenant), restating_jobs(tenant, _job)
    own = dg.Definitions(
        assets=[
            raw_transactions(tenant),
            cleaned_transactions(tenant),
            *([confirmed_labels(tenant, spec.labels)] if spec.labels else []),
            featured_transactions(tenant),
            autoencoder(tenant),
            scored_transactions(tenant),
        ],
        asset_checks=[
            *(promises_kept(tenant, table) for table in sorted({promise.table for promise in PROMISES})),
            *(every_partition_was_published(tenant, table) for table in REFUSING),
        ],
        jobs=[*jobs_of(tenant), carrying, *restated, *quarantine_jobs(tenant, lambda: _runnable(spec))],
        sensors=[arrivals(tenant, carrying), restating(tenant, restated)],
    )
    return dg.Definitions.merge(own, mirrors_of(tenant)) if spec.snowflake.tables else own


def mirrors_of(tenant: Tenant) -> dg.Definitions:
    """What the institution has in Snowflake: assets, checks, a job for ranges, a sensor that catches up."""
    tables = mirrored_tables(tenant.spec)
    job = _job_of(tenant, MIRRORS, [tenant.mirror(table.name) for table in tables])
    return dg.Definitions(
        assets=[mirror(tenant, table) for table in tables],
        asset_checks=mirror_checks(tenant),
        jobs=[job],
        sensors=[catching_up(tenant, job)],
    )


def jobs_of(tenant: Tenant) -> list[Any]:
    """One job per partitioning in PostgreSQL, in the order in which a backfill runs them."""
    return [_job(tenant, layer, assets) for layer, assets in LAYERS.items() if layer != MIRRORS]


def carrying_job(tenant: Tenant) -> Any:
    """One run from raw to scored for one business date; it trains nothing, the version in force on it judges."""
    return _job(tenant, "raw_to_scored", CARRIED)


def _job(tenant: Tenant, name: str, assets: Sequence[str]) -> Any:
    return _job_of(tenant, name, [tenant.key(asset) for asset in assets if asset != LABELS or tenant.spec.labels])


def _job_of(tenant: Tenant, name: str, keys: Sequence[dg.AssetKey]) -> Any:
    return dg.define_asset_job(f"{tenant.spec.institution}__{name}", selection=dg.AssetSelection.assets(*keys))


def _runnable(spec: InstitutionSpec) -> dg.Definitions:
    """With what the mirrors name; who runs the other assets in a job of his own brings their connections."""
    return dg.Definitions.merge(definitions_of(spec), dg.Definitions(resources=snowflake_resources()))
