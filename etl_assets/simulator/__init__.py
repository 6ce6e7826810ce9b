"""A seeded simulator: deliveries of three institutions of different shape, with everything that goes wrong in them.

For the demo and the tests. Nothing of the platform imports it, and it knows nothing of Dagster or databases.
"""

from etl_assets.simulator.simulation import simulate
from etl_assets.simulator.truth import InstitutionTruth, RowAccount, Truth

__all__ = ["InstitutionTruth", "RowAccount", "Truth", "simulate"]
