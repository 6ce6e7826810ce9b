"""What a tenant's YAML says about Snowflake: which of its tables are there too, and how old they may get.

Where the account is and who enters it is no matter of one tenant: that is said by environment variables.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from etl_assets.spec.columns import Strict
from etl_assets.spec.source import Whole

MirroredTable = Literal[
    "raw_transactions",
    "cleaned_transactions",
    "quarantined_transactions",
    "row_account",
    "featured_transactions",
    "scored_transactions",
]
DEFAULT: tuple[MirroredTable, ...] = (
    "cleaned_transactions",
    "quarantined_transactions",
    "row_account",
    "featured_transactions",
    "scored_transactions",
)


class Mirror(Strict):
    """The tables that exist in Snowflake as they are in PostgreSQL; none, if the list is empty."""

    tables: tuple[MirroredTable, ...] = DEFAULT
    """The tables that are mirrored. All but `raw_transactions` by default; `[]` for none."""
    fresh_within_hours: Whole = Field(default=36, ge=1, le=8760)
    """A mirror into which nothing was written for so many hours counts as late in the Dagster UI."""

    @field_validator("tables")
    @classmethod
    def named_once(cls, value: tuple[MirroredTable, ...]) -> tuple[MirroredTable, ...]:
        if twice := sorted({name for name in value if value.count(name) > 1}):
            raise ValueError(f"expected each table once; {', '.join(twice)} stands there twice")
        return value
