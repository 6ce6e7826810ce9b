"""A valid institution for tests that are about something else; each test says only what it changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etl_assets.institution_spec import InstitutionSpec

MINIMAL: dict[str, Any] = {
    "institution": "bank_test",
    "description": "A bank that exists in tests only.",
    "owners": ["team:payments"],
    "start_date": "2024-01-01",
    "time_zone": "Europe/Berlin",
    "deliveries": {
        "folder": "deliveries",
        "file_name": r"transactions_(?P<business_date>\d{8}).*\.csv",
    },
    "columns": {
        "transaction_id": {"source": "transaction_id"},
        "account_id": {"source": "account_id"},
        "counterparty_id": {"source": "counterparty_id"},
        "event_at": {"source": "event_at"},
        "amount": {"source": "amount"},
        "currency": {"fixed": "EUR"},
    },
}


def minimal_spec(**overrides: Any) -> InstitutionSpec:
    """The spec of `bank_test` with `overrides` merged in, nested mappings key by key."""
    return InstitutionSpec.model_validate(_merged(MINIMAL, overrides))


def _merged(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    nested = {
        key: _merged(base[key], value)
        for key, value in overrides.items()
        if isinstance(value, Mapping) and isinstance(base.get(key), Mapping)
    }
    return {**base, **overrides, **nested}
