"""The tests' Snowflake: one local server per session, one schema per test that asks for it, every statement heard."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import snowflake.connector
from snowflake.connector import SnowflakeConnection

from etl_assets.embedded import snowflake as embedded_snowflake
from etl_assets_tests.statements import Statements, recorded

__all__ = ["second_session", "snowflake_schema", "snowflake_server", "snowflake_session", "statements"]

QUIET = {"CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False, "CLIENT_TELEMETRY_ENABLED": False}


def connected(server: embedded_snowflake.Server, **changed: Any) -> SnowflakeConnection:
    """A session in UTC that sends nothing but its statements and reads decimals exactly."""
    parameters = {"TIMEZONE": "UTC", **QUIET, **changed.pop("session_parameters", {})}
    exact = {"arrow_number_to_decimal": True}  # as the platform's own sessions have it: else decimals are doubles
    return snowflake.connector.connect(**{**server.parameters, "session_parameters": parameters, **exact, **changed})


def ask(connection: SnowflakeConnection, *statements: str) -> list[tuple[object, ...]]:
    """The rows of the last statement."""
    rows: list[tuple[object, ...]] = []
    for statement in statements:
        rows = list(connection.cursor().execute(statement).fetchall())
    return rows


@pytest.fixture(scope="session")
def snowflake_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded_snowflake.Server]:
    folder = tmp_path_factory.mktemp("snowflake")
    yield embedded_snowflake.start(folder, ends_with=os.getpid())
    embedded_snowflake.destroy(folder)


@pytest.fixture
def statements() -> Iterator[Statements]:
    """What the test says to Snowflake; DDL inside a transaction fails the test."""
    with recorded() as heard:
        yield heard
    broken = [f"session {said.session}: {said.text}" for said in heard.ddl_inside_transactions()]
    assert not broken, f"DDL inside a transaction commits it: {broken}"


@pytest.fixture
def snowflake_schema(snowflake_server: embedded_snowflake.Server) -> Iterator[str]:
    """The name of an empty schema that nobody else uses."""
    name = f"test_{uuid4().hex[:12]}"
    with connected(snowflake_server) as connection:
        connection.cursor().execute(f'CREATE SCHEMA "{name}"')
        yield name
        connection.cursor().execute(f'DROP SCHEMA "{name}" CASCADE')


@pytest.fixture
def snowflake_session(
    snowflake_server: embedded_snowflake.Server, snowflake_schema: str
) -> Iterator[SnowflakeConnection]:
    """A session in the test's schema."""
    with connected(snowflake_server, schema=f'"{snowflake_schema}"') as connection:
        yield connection


@pytest.fixture
def second_session(snowflake_server: embedded_snowflake.Server, snowflake_schema: str) -> Iterator[SnowflakeConnection]:
    """A session in the test's schema."""
    with connected(snowflake_server, schema=f'"{snowflake_schema}"') as connection:
        yield connection
