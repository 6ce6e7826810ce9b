"""Alerts: flagged rows as what people are told about them, each in a sentence.

Who flags a row belongs to `scored.py`; that an alert is never changed to `alert_seal.py`.
"""

from datetime import UTC, datetime

import pyarrow as pa

from etl_assets.assets.tenant import Tenant
from etl_assets.learning_tables import alerts_table
from models.explanation import alert_sentence


def alerts_of(scored: pa.Table, tenant: Tenant, code_version: str, run_id: str) -> pa.Table:
    """An alert for each flagged row, as of now: score, threshold, reasons and versions as they are now."""
    table, flagged = alerts_table(tenant.spec), scored.filter(scored["is_flagged"])
    said = zip(flagged["score"].to_pylist(), flagged["reasons"].to_pylist(), strict=True)
    told = {
        "issued_at": pa.repeat(pa.scalar(datetime.now(UTC), pa.timestamp("us", "UTC")), flagged.num_rows),
        "sentence": pa.array([alert_sentence(score, reasons, tenant.features) for score, reasons in said], pa.string()),
        "code_version": pa.repeat(code_version, flagged.num_rows),
        "run_id": pa.repeat(run_id, flagged.num_rows),
    }
    for name, column in told.items():
        flagged = flagged.append_column(name, column)
    return table.conform(flagged.select(table.schema.names))
