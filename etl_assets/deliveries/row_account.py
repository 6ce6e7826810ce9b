"""The row account: per delivery, what became of every record, counted while the rows pass by."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa

from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.slices import Dimension, Part, Slice
from etl_assets.io_managers.targets import Target
from etl_assets.tables import ROW_ACCOUNT

DISPOSITIONS = ("invalid", "duplicate", "superseded")


class RowAccount:
    """Published and quarantined rows by delivery, so far."""

    def __init__(self) -> None:
        self._published: Counter[str] = Counter()
        self._amounts: dict[str, Decimal] = defaultdict(Decimal)
        self._quarantined: Counter[tuple[str, str]] = Counter()

    def add(self, published: pa.Table, quarantined: pa.Table) -> None:
        """These rows are counted, each once: in the tables as they are about to be written, not in the input."""
        for row in published.group_by("_delivery_id").aggregate([("amount", "sum"), ([], "count_all")]).to_pylist():
            self._published[row["_delivery_id"]] += row["count_all"]
            self._amounts[row["_delivery_id"]] += row["amount_sum"]
        fates = quarantined.group_by(["_delivery_id", "disposition"]).aggregate([([], "count_all")])
        for row in fates.to_pylist():
            self._quarantined[row["_delivery_id"], row["disposition"]] += row["count_all"]

    def rows(self, deliveries: pa.Table) -> pa.Table:
        """The account of each of these deliveries, in the form of the table `row_account`."""
        rows = [self._row(delivery) for delivery in deliveries.to_pylist()]
        return pa.Table.from_pylist(rows, schema=ROW_ACCOUNT.schema)

    def _row(self, delivery: Mapping[str, Any]) -> dict[str, Any]:
        name = delivery["_delivery_id"]
        return {
            **delivery,
            "file": PurePosixPath(delivery["path"]).name,
            "published": self._published[name],
            "published_amount": self._amounts[name],
            **{fate: self._quarantined[name, fate] for fate in DISPOSITIONS},
        }


def records_published(warehouse: PostgresWarehouse, institution: str, first: date, last: date) -> dict[date, int]:
    """Business date -> records delivered for it, control lines left out, for the published dates in `first`..`last`."""
    part = Part(f"{first} to {last}", first, last + timedelta(days=1))
    columns = ("business_date", "records_read", "control_lines")
    slice_ = Slice((Dimension("business_date", (part,)),))
    rows = warehouse.read_slice(Target(institution, ROW_ACCOUNT), slice_, columns, must_exist=False)
    counts: Counter[date] = Counter()
    for row in rows.to_pylist():
        counts[row["business_date"]] += row["records_read"] - row["control_lines"]
    return dict(counts)
