"""A Snowflake account as a backend of the contract suite, where `-m live_snowflake` asks for one.

Where it is and who enters it, the platform's own SNOWFLAKE_ variables say. The suite's schemas have a prefix of this
run's own and are dropped; nothing else in the database is touched. Faults need no privilege: a session is ended by its
own token, as the connector ends one that it closes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest

from etl_assets.io_managers.snowflake.names import identifier, stored
from etl_assets.io_managers.snowflake.schema import Known
from etl_assets.io_managers.snowflake.settings import settings_from_environment
from etl_assets.io_managers.snowflake.warehouse import SnowflakeWarehouse
from etl_assets.io_managers.targets import Target
from etl_assets_tests.snowflake_backend import CANNOT, SnowflakeBackend

UNSET = "no account: set SNOWFLAKE_ACCOUNT and the rest; see `The live suite` in docs/snowflake.md"
_backends: dict[str, LiveSnowflake] = {}


class PrefixedWarehouse(SnowflakeWarehouse):
    """Each schema that it is asked for has the prefix in the account."""

    prefix: str

    def write(self, target: Target, *said: Any, **how: Any) -> dict[str, int]:
        return super().write(self.there(target), *said, **how)

    def read_slice(self, target: Target, *said: Any, **how: Any) -> pa.Table:
        return super().read_slice(self.there(target), *said, **how)

    def read_batches(self, target: Target, *said: Any, **how: Any) -> pa.RecordBatchReader:
        return super().read_batches(self.there(target), *said, **how)

    def there(self, target: Target) -> Target:
        return replace(target, schema=self.named(target.schema))

    def named(self, schema: str) -> str:
        """With the prefix, once; no name stays none, which is refused."""
        return schema if not schema or schema.startswith(self.prefix) else self.prefix + schema

    def _known(self, schema: str, name: str) -> Known:
        return super()._known(self.named(schema), name)

    def _notes(self, schema: str, name: str) -> list[dict[str, Any]]:
        return super()._notes(self.named(schema), name)


@dataclass(frozen=True)
class LiveSnowflake(SnowflakeBackend):
    """Schemas with a prefix in the database of the variables; no secret is in here, they stay in the environment."""

    prefix: str = ""
    url: str = ""
    slowness: float = 30

    @property
    def cannot(self) -> Mapping[str, type[Exception]]:
        """An account can all of it; the local stand-in, at which the variables may point, cannot."""
        return CANNOT if self.url.startswith("http://") else {}

    @property
    def door(self) -> str:
        return self.url

    def _with(self, **changed: Any) -> SnowflakeWarehouse:
        return PrefixedWarehouse(**{**settings_from_environment(), "prefix": self.prefix, **changed})

    def with_wrong_password(self, password: str) -> SnowflakeWarehouse:
        proofs = ("private_key", "private_key_path", "private_key_passphrase", "token", "token_path", "authenticator")
        nothing_else = dict.fromkeys((*proofs, "workload_identity_provider"))
        return self._with(**nothing_else, user="nobody_of_the_suite", password=password, allow_password=True)

    def strangers(self, target: Target) -> set[str]:
        return super().strangers(self._there(target))

    def held_open(self, target: Target) -> AbstractContextManager[None]:
        return super().held_open(self._there(target))

    def clear(self) -> None:
        """Of all schemas those with the prefix are gone."""
        for row in self._ask("SELECT SCHEMA_NAME FROM INFORMATION_SCHEMA.SCHEMATA"):
            if row["SCHEMA_NAME"].lower().startswith(self.prefix):
                self._say(f"DROP SCHEMA {identifier(stored(row['SCHEMA_NAME']))} CASCADE")

    def _there(self, target: Target) -> Target:
        return replace(target, schema=self.prefix + target.schema)


def live_snowflake(request: pytest.FixtureRequest) -> LiveSnowflake:
    """One for all tests of a run, which ends with the run."""
    if not os.environ.get("SNOWFLAKE_ACCOUNT"):
        pytest.skip(UNSET)
    if not _backends:
        folder = request.getfixturevalue("tmp_path_factory").mktemp("sessions")
        with SnowflakeWarehouse(**settings_from_environment()).connections.session() as session:
            assert session.database
            assert session.rest
            url = session.rest.server_url
            backend = LiveSnowflake(None, session.database, folder, prefix=f"etl_live_{uuid4().hex[:8]}_", url=url)
        request.session.addfinalizer(backend.clear)
        _backends[url] = backend
    return next(iter(_backends.values()))
