"""A real PostgreSQL from a pip wheel, for machines that have none: started, found again, stopped, destroyed.

What callers need: the promises, ports, logins and databases. Its processes are in `postgres_process.py`, its
files in `postgres_files.py`; tables and Dagster have no place in any of them.
"""

from __future__ import annotations

import logging
import secrets
import shutil
import signal
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from etl_assets.embedded import postgres_files as files
from etl_assets.embedded import postgres_process as processes
from etl_assets.embedded.postgres_files import Cluster, PostgresUnavailable
from etl_assets.embedded.postgres_process import HOST

__all__ = ["PostgresUnavailable", "Server", "databases", "destroy", "running", "start", "stop"]

SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "listen_addresses": HOST,
        "unix_socket_directories": "",
        "max_connections": "200",
        "shared_buffers": "128MB",
        "max_wal_size": "2GB",
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "timezone": "UTC",
        "log_timezone": "UTC",
        # The log is quoted in error texts: no statements and no row values in it.
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
    }
)

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Server:
    """How to reach a server. The password is in no `repr`, or it would be in every traceback and log."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)

    def url(self, database: str) -> str:
        """The connection string for `database`; it holds the password."""
        user, password, name = (quote(part, safe="") for part in (self.user, self.password, database))
        return f"postgresql://{user}:{password}@{self.host}:{self.port}/{name}"


def start(state: Path, settings: Mapping[str, str] | None = None) -> Server:
    """A server with the data of the state folder accepts logins, and goes on doing so when this process ends.

    One that runs already is returned as it is, so that any number of processes may call this at the same time.
    `settings` are PostgreSQL's own, for this run of the server. Raises PostgresUnavailable.
    """
    settings = {**SETTINGS, **(settings or {})}
    with files.disk_problems_explained(state), files.locked(state) as lock:
        known = files.recorded(state)
        cluster, server = (known[0], Server(**known[1])) if known else _introduce(state)
        if not cluster.data.exists():
            processes.initialise(cluster, server.user, server.password, lock, settings)
        return _run(cluster, server, settings)


def running(state: Path) -> Server | None:
    """The server of the state folder if it accepts logins."""
    with files.disk_problems_explained(state):
        if known := files.recorded(state):
            cluster, server = known[0], Server(**known[1])
            return server if processes.is_ready(cluster, server.port) else None
    return None


def stop(state: Path) -> None:
    """No server runs on the state folder; sessions were ended and committed data is on disk."""
    with _existing(state) as clusters:
        for cluster in clusters:
            processes.end(cluster, signal.SIGINT)


def destroy(state: Path) -> None:
    """Neither server nor data nor any other file of it is left, here or in the home outside the state folder."""
    with _existing(state) as clusters:
        for cluster in clusters:
            processes.end(cluster, signal.SIGQUIT)
            files.remove(cluster.home)
        with suppress(OSError):
            files.OUTSIDE.rmdir()


def databases(server_url: str, names: Sequence[str]) -> None:
    """Each of `names` is a database of the server; those that were missing are empty.

    Another process may create the same one between our question and our statement, which is no failure.
    Raises PostgresUnavailable, which names host and port and never the password.
    """
    where = _where(server_url)
    try:
        with psycopg.connect(**where, autocommit=True) as connection:
            there = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
            for name in names:
                if name not in there:
                    with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    except psycopg.Error as problem:
        said = (str(problem).splitlines() or [type(problem).__name__])[0]
        raise PostgresUnavailable(
            f"PostgreSQL at {where.get('host', 'localhost')}, port {where.get('port', 5432)} cannot be used: {said}. "
            "Is it running, and are user, password and rights right?"
        ) from None


def _where(server_url: str) -> dict[str, Any]:
    """The parts of the URL. One that was split inside its password is refused before a driver can quote the pieces."""
    with suppress(psycopg.ProgrammingError):
        where = {"dbname": "postgres", "connect_timeout": "10", **psycopg.conninfo.conninfo_to_dict(server_url)}
        is_split = "@" in f"{where.get('host')}{where['dbname']}"
        if not is_split and str(where.get("port", "0")).replace(",", "").isdigit():
            return where
    raise PostgresUnavailable(
        "the server's URL cannot be read: write postgresql://user:password@host:port/database, "
        "with special characters of the password percent-encoded"
    )


@contextmanager
def _existing(state: Path) -> Iterator[list[Cluster]]:
    """What there is of the server of `state`, under the lock; no folder is made where there is nothing."""
    with files.disk_problems_explained(state):
        if not files.clusters(state):
            yield []
            return
        with files.locked(state):
            yield files.clusters(state)


def _introduce(state: Path) -> tuple[Cluster, Server]:
    """A new cluster and its login are recorded before anything exists: a killed start is simply continued.

    Data without its connection file cannot be used by anyone: it is set aside, one generation deep.
    """
    cluster = files.new_cluster(state)
    if cluster.data.exists():
        processes.end(cluster, signal.SIGINT)
        aside = cluster.home / "data.abandoned"
        shutil.rmtree(aside, ignore_errors=True)
        cluster.data.rename(aside)
        _logger.warning("the connection file of %s is gone: its data is set aside in %s", cluster.data, aside)
    server = Server(HOST, _free_port(), "etl", secrets.token_urlsafe(24))
    files.record(cluster, asdict(server))
    return cluster, server


def _run(cluster: Cluster, server: Server, settings: Mapping[str, str]) -> Server:
    """The server accepts logins, on its old port where that is free.

    After a kill the new server is refused until the dead one's children have left its shared memory.
    """
    for _ in processes.patiently():
        if processes.is_ready(cluster, server.port):
            return server
        if not processes.is_alive(cluster):
            server = _with_free_port(cluster, server)
            processes.launch(cluster, {**settings, "port": str(server.port)})
    raise processes.not_ready(cluster, "ready")


def _with_free_port(cluster: Cluster, server: Server) -> Server:
    """The server with its port, or with a new one that is recorded because another program has taken the old one."""
    with socket.socket() as probe, suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, server.port))
        return server
    server = replace(server, port=_free_port())
    files.record(cluster, asdict(server))
    return server


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
