"""Where a load came from, by which code, and until when it was punctual: facts for the ledger.

Asks the environment and the installed distribution only; what the ledger makes of them belongs to `ledger.py`.
"""

from __future__ import annotations

import os
from datetime import date, datetime, time, timedelta
from importlib.metadata import version
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo

DISTRIBUTION = "etl-assets"


def code_version() -> str:
    """The distribution's version, and what `ETL_CODE_VERSION` adds, such as the commit that was deployed."""
    deployed = os.environ.get("ETL_CODE_VERSION")
    return f"{version(DISTRIBUTION)}+{deployed}" if deployed else version(DISTRIBUTION)


def public(address: str) -> str:
    """The address of a place without user, password and query, where keys may stand."""
    parts = urlsplit(address)
    if not parts.netloc:
        return address
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


def due_at(business_date: date, time_zone: str, late_after_days: int) -> datetime:
    """The first moment at which a delivery for the date is late: so many days after it ended where the bank is."""
    ended_on = business_date + timedelta(days=1 + late_after_days)
    return datetime.combine(ended_on, time.min, tzinfo=ZoneInfo(time_zone))
