"""What makes one simulated institution: its people, its frauds, its file names, its accidents.

Dialect, zone, lateness and column names are not repeated here: they come from the institution's YAML, so that
the simulator and the platform cannot disagree about them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import polars as pl
import pyarrow as pa

from etl_assets.institution_spec import InstitutionSpec, load_spec
from etl_assets.simulator.defects import Defect
from etl_assets.simulator.frauds import Campaigns
from etl_assets.simulator.people import Shape

INSTITUTIONS = Path(__file__).parent / "institutions"
Part = Literal["first", "corrected", "redelivered"]


@dataclass(frozen=True)
class Tenant:
    """One simulated institution. `render` adds the source columns, as text and in file order, to planned rows.

    `parquet_schema` is given where files are Parquet. Until day `respelled_day`, headers are in the older
    spelling, the alias of the spec.
    """

    name: str
    shape: Shape
    campaigns: Campaigns
    plan: tuple[Defect, ...]
    file_names: Mapping[Part, str]
    render: Callable[[pl.DataFrame], pl.DataFrame]
    line_end: str = "\n"
    undecodable: bytes = b"\xff"
    respelled_day: int = 0
    refund_share: float = 0.0
    parquet_schema: pa.Schema | None = None

    @cached_property
    def spec(self) -> InstitutionSpec:
        """The tenant's YAML, as the platform reads it."""
        return load_spec(INSTITUTIONS / f"{self.name}.yaml")
