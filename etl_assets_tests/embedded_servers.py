"""What tests ask of an embedded server and do to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg

from etl_assets.embedded import postgres_files as files
from etl_assets.embedded.postgres import Server
from etl_assets.embedded.postgres_files import Cluster

HASTY = {"fsync": "off"}


def ask(server: Server, question: str) -> list[tuple[object, ...]]:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        cursor = connection.execute(question)
        return cursor.fetchall() if cursor.description else []


def cluster_of(state: Path) -> Cluster:
    known = files.recorded(state)
    assert known is not None
    return known[0]


def postmaster_of(server: Server) -> int:
    listening = [c for c in psutil.net_connections("tcp4") if c.status == "LISTEN" and c.laddr.port == server.port]
    return int(next(c.pid for c in listening if c.pid is not None))


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
