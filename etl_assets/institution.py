"""The `Institution` Dagster component: one spec becomes one tenant's assets, checks, jobs and sensor.

Composition only; per-tenant code has no place here or anywhere.
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from etl_assets.assets.autoencoder import autoencoder
from etl_assets.assets.cleaned import cleaned_transactions
from etl_assets.assets.featured import featured_transactions
from etl_assets.assets.raw import raw_transactions
from etl_assets.assets.scored import scored_transactions
from etl_assets.assets.tenant import Tenant
from etl_assets.audit import PROMISES
from etl_assets.automation import restating, restating_jobs
from etl_assets.checks import every_partition_was_published, promises_kept
from etl_assets.institution_spec import InstitutionSpec
from etl_assets.repair.jobs import quarantine_jobs
from etl_assets.sensors import arrivals

REFUSING = ("raw_transactions", "cleaned_transactions")
LAYERS = {
    "daily": (
        "raw_transactions",
        "cleaned_transactions",
        "quarantined_transactions",
        "row_account",
        "featured_transactions",
    ),
    "weekly": ("autoencoder",),
    "scores": ("scored_transactions",),
}
CARRIED = LAYERS["daily"] + LAYERS["scores"]


class Institution(dg.Component, dg.Model, dg.Resolvable):
    """One tenant of the platform; `spec` holds the fields of the tenant's YAML."""

    spec: dict[str, Any]

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:  # noqa: ARG002  Dagster's signature
        """The tenant's part of the graph. Raises: pydantic.ValidationError for a spec that says nonsense."""
        return definitions_of(InstitutionSpec.model_validate(self.spec))


def definitions_of(spec: InstitutionSpec) -> dg.Definitions:
    """Assets raw -> cleaned + quarantined + row account -> featured -> autoencoder -> scored, with their checks."""
    tenant = Tenant(spec)
    carrying, restated = carrying_job(tenant), restating_jobs(tenant, _job)
    return dg.Definitions(
        assets=[
            raw_transactions(tenant),
            cleaned_transactions(tenant),
            featured_transactions(tenant),
            autoencoder(tenant),
            scored_transactions(tenant),
        ],
        asset_checks=[
            *(promises_kept(tenant, table) for table in sorted({promise.table for promise in PROMISES})),
            *(every_partition_was_published(tenant, table) for table in REFUSING),
        ],
        jobs=[*jobs_of(tenant), carrying, *restated, *quarantine_jobs(tenant, lambda: definitions_of(spec))],
        sensors=[arrivals(tenant, carrying), restating(tenant, restated)],
    )


def jobs_of(tenant: Tenant) -> list[Any]:
    """One job per partitioning, in the order in which a backfill runs them."""
    return [_job(tenant, layer, assets) for layer, assets in LAYERS.items()]


def carrying_job(tenant: Tenant) -> Any:
    """One run from raw to scored for one business date; it trains nothing, the version in force on it judges."""
    return _job(tenant, "raw_to_scored", CARRIED)


def _job(tenant: Tenant, name: str, assets: Sequence[str]) -> Any:
    return dg.define_asset_job(
        f"{tenant.spec.institution}__{name}",
        selection=dg.AssetSelection.assets(*(tenant.key(asset) for asset in assets)),
    )
