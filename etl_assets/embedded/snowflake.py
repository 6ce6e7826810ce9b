"""A local stand-in for a Snowflake account, for machines that have none: started, found again, stopped, destroyed.

What callers need: promises and connection parameters. What the server process is and how it differs from the package it
is made of is in `snowflake_server.py` and `snowflake_mends.py`; tables have no place in any of them.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

HOST = "127.0.0.1"
DATABASE = "ETL"
PATIENCE_S = 60
PROGRAM = "etl_assets.embedded.snowflake_server"


class SnowflakeUnavailable(RuntimeError):  # noqa: N818  the state of the server, not a mistake
    """No local Snowflake can be used; the message says what failed and what to do, and holds no password."""


@dataclass(frozen=True)
class Server:
    """How to reach a server. The password is in no `repr`, or it would be in every traceback and log."""

    port: int
    password: str = field(repr=False)

    @property
    def parameters(self) -> dict[str, Any]:
        """Keyword arguments for `snowflake.connector.connect`; they hold the password."""
        return {
            "account": "local",
            "user": "etl",
            "password": self.password,
            "host": HOST,
            "port": self.port,
            "protocol": "http",
            "database": DATABASE,
        }


def start(folder: Path, *, ends_with: int | None = None) -> Server:
    """A server with the data of the folder answers, and goes on doing so when this process ends.

    One that runs already is returned as it is. With `ends_with`, the number of a process, the server ends itself soon
    after that process, killed or not: no test leaves a server behind. Raises SnowflakeUnavailable.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        server = _recorded(folder) or Server(_free_port(), secrets.token_urlsafe(24))
        if _process(folder) and _answers(server):
            return server
        _end(folder)
        server = Server(server.port if _is_free(server.port) else _free_port(), server.password)
        _record(folder, server)
        _launch(folder, server, ends_with)
    return server


def running(folder: Path) -> Server | None:
    """The server of the folder if it answers."""
    server = _recorded(folder)
    return server if server and _process(folder) and _answers(server) else None


def stop(folder: Path) -> None:
    """No server runs on the folder; committed data is on disk."""
    if folder.exists():
        with _locked(folder):
            _end(folder)


def destroy(folder: Path) -> None:
    """Neither server nor data is left."""
    stop(folder)
    shutil.rmtree(folder, ignore_errors=True)


def _launch(folder: Path, server: Server, ends_with: int | None) -> None:
    """The server answers. Its process is nobody's child: it forks, so that no caller has to reap it."""
    command = [sys.executable, "-m", PROGRAM, str(folder.resolve()), str(server.port), str(ends_with or 0)]
    with os.fdopen(os.open(_log(folder), os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as log:
        subprocess.run(  # noqa: S603
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True, start_new_session=True
        )
    for _ in _patiently():
        if _answers(server):
            return
        if not _process(folder) and "Traceback" in _log(folder).read_text():
            break
    said = "\n".join(_log(folder).read_text().splitlines()[-10:])
    raise SnowflakeUnavailable(f"the local Snowflake on {folder} does not start. End of {_log(folder)}:\n{said}")


def _end(folder: Path) -> None:
    """No server process runs on the folder. One that does not leave is killed, which loses nothing committed."""
    for attempt in _patiently():
        process = _process(folder)
        if process is None:
            (folder / "pid").unlink(missing_ok=True)
            return
        if attempt in {0, 100}:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGTERM if attempt == 0 else signal.SIGKILL)
    raise SnowflakeUnavailable(f"the local Snowflake on {folder} does not end; its process is in {folder / 'pid'}")


def _process(folder: Path) -> psutil.Process | None:
    """The server process of the folder, never a stranger that was given its number."""
    try:
        process = psutil.Process(int((folder / "pid").read_text()))
        command = process.cmdline()
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return None
    return process if PROGRAM in command and str(folder.resolve()) in command else None


def _answers(server: Server) -> bool:
    with suppress(OSError), socket.create_connection((HOST, server.port), timeout=5):
        return True
    return False


def _recorded(folder: Path) -> Server | None:
    """What the connection file of the folder says; None before the first start."""
    try:
        return Server(**json.loads((folder / "connection.json").read_bytes()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as problem:
        file = folder / "connection.json"
        raise SnowflakeUnavailable(f"the connection file {file} is damaged: remove it and start again") from problem


def _record(folder: Path, server: Server) -> None:
    new = folder / "connection.json.new"
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(asdict(server), file)
    new.replace(folder / "connection.json")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Nobody else starts or stops the server of the folder."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _log(folder: Path) -> Path:
    return folder / "snowflake.log"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe, suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
        return True
    return False


def _patiently() -> Iterator[int]:
    """Attempts 0, 1, 2, ... a tenth of a second apart, until patience ends."""
    deadline, attempt = time.monotonic() + PATIENCE_S, 0
    while time.monotonic() < deadline:
        yield attempt
        attempt += 1
        time.sleep(0.1)
