"""Deliveries as a run reports them to the ledger."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta
from typing import Any

from etl_assets.deliveries.ledger import Read

MONDAY = date(2026, 3, 2)


def read(path: str, content: str = "a", day: date = MONDAY, **changes: Any) -> Read:
    """A delivery of `content` under `path` that arrived on the morning after `day`."""
    sha = hashlib.sha256(content.encode()).hexdigest()
    known = {
        "delivery_id": hashlib.sha256(f"{path}\0{sha}".encode()).hexdigest()[:16],
        "business_date": day,
        "path": path,
        "size_bytes": len(content),
        "content_sha256": sha,
        "delivered_at": datetime(day.year, day.month, day.day, 2, tzinfo=UTC) + timedelta(days=1),
        "records_read": 3,
        "control_lines": 1,
    }
    return Read(**known | changes)
