"""The processes of an embedded PostgreSQL: initdb, the server's start and end, and whether it lives.

Given a cluster's files, nothing is decided here about ports, logins or who may call; that is `postgres.py`.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress

import psutil  # type: ignore[import-untyped]
from psycopg.pq import PGconn, Ping

from etl_assets.embedded import postgres_files as files
from etl_assets.embedded.postgres_files import Cluster, PostgresUnavailable

HOST = "127.0.0.1"
PATIENCE_S = 60
PASSING = (b"pre-existing shared memory block", b'lock file "postmaster.pid"', b"Address already in use")


def initialise(cluster: Cluster, user: str, password: str, lock: int, settings: Mapping[str, str]) -> None:
    """The data directory is complete or absent, and on disk unless `settings` turn that off for the server as well.

    The lock goes to initdb, which may outlive a killed caller.
    """
    with files.scratch(cluster) as scratch:
        files.write_secret(scratch / "password", password)
        files.give(cluster, scratch / "password")
        options = [f"--username={user}", f"--pwfile={scratch / 'password'}", "--auth=scram-sha-256"]
        options += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options += ["--no-sync"] if settings.get("fsync") == "off" else []
        done = subprocess.run(  # noqa: S603
            [files.binaries(cluster) / "initdb", f"--pgdata={scratch / 'data'}", "--no-instructions", *options],
            cwd=cluster.home,
            env=files.ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(lock,),
            check=False,
            **cluster.account(),
        )
        if done.returncode:
            raise PostgresUnavailable(
                f"initdb could not create {cluster.data} (exit status {done.returncode}). "
                f"Mend what it names and start again:{_tail(done.stdout)}"
            )
        (scratch / "data").rename(cluster.data)


def launch(cluster: Cluster, settings: Mapping[str, str]) -> None:
    """The server is ready, or failed for a reason that may pass; PostgresUnavailable for one that will not.

    It has a session and streams of its own, or a caller whose output is read through a pipe would never end.
    A `postmaster.pid` whose process is dead, a zombie or a stranger with the same number would block for ever.
    """
    (cluster.data / "postmaster.pid").unlink(missing_ok=True)
    words = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
    options = shlex.join(["-D", str(cluster.data), *words])
    with os.fdopen(os.open(cluster.log, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "rb") as log:
        start = log.seek(0, os.SEEK_END)
        done = subprocess.run(  # noqa: S603
            [files.binaries(cluster) / "pg_ctl", "start", "-s", "-w", f"-t{PATIENCE_S}", "-o", options],
            cwd=cluster.home,
            env={**files.ENVIRONMENT, "PGDATA": str(cluster.data)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=False,
            **cluster.account(),
        )
        log.seek(start)
        said = log.read()
    if done.returncode and not any(reason in said for reason in PASSING):
        raise PostgresUnavailable(
            f"PostgreSQL on {cluster.data} does not start. Mend what its log names and start again. "
            f"End of {cluster.log}:{_tail(said)}"
        )


def end(cluster: Cluster, how: signal.Signals) -> None:
    """No server runs on the data directory."""
    for attempt in patiently():
        process = _postmaster(cluster)
        if process is None:
            return
        if attempt == 0:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(how)
    raise not_ready(cluster, "stopped")


def is_alive(cluster: Cluster) -> bool:
    """Whether a server process, ready or not, runs on the data directory."""
    return _postmaster(cluster) is not None


def is_ready(cluster: Cluster, port: int) -> bool:
    """Whether the server of the data directory answers at `port`.

    Asked of the server: for some milliseconds after a kill its process and its status file look healthy. And not by a
    login, which would fail on a healthy server whose connections are all taken.
    """
    where = f"host={HOST} port={port} connect_timeout=5".encode()
    return is_alive(cluster) and PGconn.ping(where) == Ping.OK


def not_ready(cluster: Cluster, wanted: str) -> PostgresUnavailable:
    """The error for a server that is still not as `wanted` when patience has ended, with the end of its log."""
    said = cluster.log.read_bytes() if cluster.log.exists() else b""
    return PostgresUnavailable(
        f"PostgreSQL on {cluster.data} is not {wanted} after {PATIENCE_S} s. End what still uses that folder and "
        f"try again. End of {cluster.log}:{_tail(said)}"
    )


def patiently() -> Iterator[int]:
    """Attempts 0, 1, 2, ... a tenth of a second apart, until patience ends."""
    deadline, attempt = time.monotonic() + PATIENCE_S, 0
    while time.monotonic() < deadline:
        yield attempt
        attempt += 1
        time.sleep(0.1)


def _postmaster(cluster: Cluster) -> psutil.Process | None:
    """The server process of the data directory, never a stranger that was given its number.

    The dead have no command line, also where nobody reaps them: in a container without an init, that is for ever.
    """
    try:
        process = psutil.Process(int((cluster.data / "postmaster.pid").read_text().split("\n", 1)[0]))
        return process if str(cluster.data) in process.cmdline() else None
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return None


def _tail(said: bytes) -> str:
    return "\n".join(["", *said.decode(errors="replace").splitlines()[-10:]])
