"""Where rows go and how: a table in a schema, its layout, and the modes in which it is written.

Data only; what each choice means in SQL belongs to the warehouse modules.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from etl_assets.contracts import Table


class Mode(StrEnum):
    """What a write leaves in the table; each either happens whole or not at all."""

    REPLACE_PARTITION = "replace_partition"
    """The run's partitions hold exactly the rows, others are untouched. Idempotent."""

    APPEND = "append"
    """The rows stand beside what was there. Not idempotent: a rerun doubles them, or is refused by the key."""

    UPSERT = "upsert"
    """Each row takes the place of the row with its key; no row is removed. Idempotent."""

    KEEP = "keep"
    """A row whose key is there stays as it is, the others are added; none is changed or removed. Idempotent."""

    REPLACE_TABLE = "replace_table"
    """The table holds exactly the rows of this run, whatever partitions it held. Idempotent."""


BY_KEY = (Mode.UPSERT, Mode.KEEP)


class Layout(StrEnum):
    """How a partition lies in the database; chosen when the table is made and not changed by later writes."""

    PLAIN = "plain"
    """One table; a partition is replaced by DELETE and COPY. Right for most: readers never wait."""

    PARTITIONED = "partitioned"
    """A database partition per partition; replacing one builds it aside and swaps it in. For slices from about
    100,000 rows. The swap waits for readers of the table and they for it, at most a second at a time. A transaction
    in REPEATABLE READ whose snapshot is older than a swap sees the new rows, not those of its snapshot: they are
    loaded frozen, since otherwise it would see none, and a dump taken meanwhile would lack the day."""


class Drift(StrEnum):
    """What happens when a table is not as its contract says; decided before anything is deleted."""

    ERROR = "error"
    ADD = "add"
    """Missing columns are added, nullable; columns that only the table has stay, and are null in new rows."""


@dataclass(frozen=True)
class Target:
    """A table in a schema, with how it is laid out and what may change about it."""

    schema: str
    table: Table
    layout: Layout = Layout.PLAIN
    drift: Drift = Drift.ERROR

    @property
    def name(self) -> str:
        """Schema and table for people and locks."""
        return f"{self.schema}.{self.table.name}"
