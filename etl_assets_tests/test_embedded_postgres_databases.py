"""Databases are created on any server; what cannot be used is one clear error without its password."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from etl_assets.embedded import postgres as embedded
from etl_assets.embedded.postgres import PostgresUnavailable, Server


def test_missing_databases_are_created_and_the_others_stay(server: Server) -> None:
    names = ['odd "name"; --', "warehouse", "dagster"]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: embedded.databases(server.url("postgres"), names), range(4)))
    with psycopg.connect(server.url(names[0])) as connection:
        connection.execute("CREATE TABLE kept ()")
    embedded.databases(server.url("warehouse"), [*names, "late"])
    with psycopg.connect(server.url(names[0])) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_a_server_that_cannot_be_used_is_named_without_its_password(server: Server) -> None:
    with pytest.raises(PostgresUnavailable, match=rf"127\.0\.0\.1, port {server.port} .* authentication") as refused:
        embedded.databases(f"postgresql://etl:wr0ng@127.0.0.1:{server.port}/postgres", ["x"])
    with socket.create_server(("127.0.0.1", 0)) as closing:
        port = closing.getsockname()[1]
    with pytest.raises(PostgresUnavailable, match=rf"127\.0\.0\.1, port {port} .* refused") as silent:
        embedded.databases(f"postgresql://etl:wr0ng@127.0.0.1:{port}/postgres", ["x"])
    assert "wr0ng" not in f"{refused.value} {silent.value}"


@pytest.mark.parametrize("password", ["a/wr0ng", "a@wr0ng", "12/wr0ng", "%ZZwr0ng"])
def test_a_url_that_falls_apart_inside_its_password_is_refused_without_quoting_it(password: str) -> None:
    with pytest.raises(PostgresUnavailable, match="percent-encoded") as refused:
        embedded.databases(f"postgresql://etl:{password}@127.0.0.1:1/postgres", ["x"])
    assert "wr0ng" not in str(refused.value)


def test_a_state_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(PostgresUnavailable, match="cannot use its files for the state folder"):
        embedded.start(tmp_path / "state")
