"""What the embedded PostgreSQL promises, on real servers in temporary folders: kills, closed folders, taken ports.

What only root has to do for them is in `test_embedded_postgres_accounts.py`.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest

from etl_assets.embedded import postgres as embedded
from etl_assets.embedded import postgres_files as files
from etl_assets.embedded.postgres import PostgresUnavailable
from etl_assets_tests.embedded_servers import HASTY, ask, cluster_of, postmaster_of, until

START = """
import pathlib, sys
from etl_assets.embedded import postgres as embedded_postgres
print(embedded_postgres.start(pathlib.Path(sys.argv[1]), {"fsync": "off"}).url("postgres"))
"""


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A state folder below a folder that is closed to other accounts, as pytest's are."""
    yield tmp_path / "state"
    embedded.destroy(tmp_path / "state")


@pytest.fixture(scope="module")
def open_folder() -> Iterator[Path]:
    """A folder that every account may enter."""
    folder = Path(tempfile.mkdtemp(prefix="embedded_postgres_"))
    folder.chmod(0o755)
    yield folder
    for state in folder.iterdir():
        embedded.destroy(state)
    shutil.rmtree(folder)


@pytest.fixture
def resting(open_folder: Path) -> Iterator[Path]:
    """A state folder whose server each test starts, stops and kills as it likes; none is running on it now."""
    yield open_folder / "resting"
    embedded.stop(open_folder / "resting")


def test_a_started_server_speaks_utf8_in_utc_and_never_trades_durability_for_speed(resting: Path) -> None:
    server = embedded.start(resting)
    wanted = ("server_encoding", "TimeZone", "fsync", "synchronous_commit", "full_page_writes", "listen_addresses")
    assert [ask(server, f"SHOW {name}")[0][0] for name in wanted] == ["UTF8", "UTC", "on", "on", "on", "127.0.0.1"]
    assert ask(server, "SELECT upper('ä') < 'b', 'Z' < 'a'") == [(False, True)]


def test_a_second_start_is_the_same_server(resting: Path) -> None:
    server = embedded.start(resting, HASTY)
    before = postmaster_of(server)
    assert embedded.start(resting) == embedded.running(resting) == server
    assert postmaster_of(server) == before


def test_two_processes_that_start_at_once_get_one_server_that_outlives_them(state: Path) -> None:
    """Their output is read through pipes: a server that kept one open would hang the reader."""
    command = [sys.executable, "-W", "error", "-c", START, str(state)]
    callers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    urls = {caller.communicate(timeout=60)[0].strip() for caller in callers}
    running = embedded.running(state)
    assert running is not None
    assert urls == {running.url("postgres")}
    assert ask(running, "SELECT 1") == [(1,)]


def test_a_killed_server_comes_back_with_what_was_committed(resting: Path) -> None:
    """A session that has not yet noticed the death of the server still holds the shared memory."""
    server = embedded.start(resting)
    ask(server, "CREATE TABLE paid AS SELECT 1 AS amount")
    with psycopg.connect(server.url("postgres"), autocommit=True) as session, ThreadPoolExecutor() as pool:
        os.kill(session.info.backend_pid, signal.SIGSTOP)
        os.kill(postmaster_of(server), signal.SIGKILL)
        restarted = pool.submit(embedded.start, resting)
        until(lambda: "pre-existing shared memory" in cluster_of(resting).log.read_text())
        os.kill(session.info.backend_pid, signal.SIGCONT)
        again = restarted.result()
    assert again.password == server.password
    assert ask(again, "SELECT amount FROM paid") == [(1,)]


def test_a_server_that_is_shutting_down_is_not_running_and_is_waited_for(resting: Path) -> None:
    server = embedded.start(resting, HASTY)
    leaving = postmaster_of(server)
    with psycopg.connect(server.url("postgres")) as session:
        os.kill(leaving, signal.SIGTERM)
        until(lambda: embedded.running(resting) is None)
        assert psutil.pid_exists(leaving)
        threading.Timer(0.3, session.close).start()
        assert embedded.start(resting, HASTY) == server
    assert postmaster_of(server) != leaving


def test_a_killed_initialisation_is_done_again_when_its_orphans_are_gone(open_folder: Path) -> None:
    state = open_folder / "interrupted"
    caller = psutil.Popen([sys.executable, "-c", START, str(state)], stdout=subprocess.DEVNULL)
    until(lambda: files.recorded(state) is not None)
    cluster = cluster_of(state)
    until((cluster.home / "initialising" / "data" / "base").exists)
    orphan = caller.children()[0]
    orphan.suspend()
    caller.kill()
    caller.wait()
    with (cluster.folder / "lock").open() as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert not cluster.data.exists()
    orphan.resume()
    assert ask(embedded.start(state, HASTY), "SELECT 1") == [(1,)]
    assert not (cluster.home / "initialising").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no subreapers")
def test_a_dead_server_that_nobody_reaps_blocks_nothing(resting: Path) -> None:
    """In a container whose first process is a plain program, every killed server stays a zombie for ever."""
    become_subreaper = 36
    assert ctypes.CDLL(None).prctl(become_subreaper, 1) == 0
    server = embedded.start(resting)
    dead = postmaster_of(server)
    try:
        os.kill(dead, signal.SIGKILL)
        until(lambda: psutil.Process(dead).status() == psutil.STATUS_ZOMBIE)
        assert embedded.running(resting) is None
        assert embedded.start(resting) == server
        embedded.stop(resting)
    finally:
        ctypes.CDLL(None).prctl(become_subreaper, 0)
        while psutil.Process().children():
            os.wait()


def test_a_stopped_server_comes_back_on_its_port_despite_a_stale_pid_file(resting: Path) -> None:
    """Its number may belong to another process of the same account by now; a power cut leaves the file empty."""
    server = embedded.start(resting, HASTY)
    stranger = psutil.Popen(["sleep", "60"], **cluster_of(resting).account())
    try:
        for leftover in (f"{stranger.pid}\n", ""):
            embedded.stop(resting)
            assert embedded.running(resting) is None
            (cluster_of(resting).data / "postmaster.pid").write_text(leftover)
            assert embedded.start(resting, HASTY) == server
    finally:
        stranger.kill()
        stranger.wait()


def test_a_port_that_another_program_took_is_replaced_for_good(resting: Path) -> None:
    server = embedded.start(resting, HASTY)
    embedded.stop(resting)
    with socket.create_server(("127.0.0.1", server.port)):
        moved = embedded.start(resting, HASTY)
        assert moved.port != server.port
        assert ask(moved, "SELECT 1") == [(1,)]
    embedded.stop(resting)
    assert embedded.start(resting, HASTY) == moved


def test_the_password_and_failed_statements_are_in_no_log_and_no_process_list(resting: Path) -> None:
    server = embedded.start(resting, HASTY)
    secret = secrets.token_hex(8)
    with pytest.raises(psycopg.Error):
        ask(server, f"CREATE ROLE etl PASSWORD '{secret}'")
    commands = [word for process in psutil.process_iter(["cmdline"]) for word in process.info["cmdline"] or []]
    cluster = cluster_of(resting)
    kept = [path for folder in {resting, cluster.home} for path in folder.rglob("*") if path.is_file()]
    holders = {path for path in kept if server.password.encode() in path.read_bytes()}
    log = cluster.log.read_text()
    assert 'role "etl" already exists' in log
    assert secret not in log
    assert server.password not in repr(server) + " ".join(commands)
    assert [(path.name, path.stat().st_mode & 0o777) for path in holders] == [("connection.json", 0o600)]


def test_a_setting_that_postgresql_refuses_is_quoted_from_its_log(resting: Path) -> None:
    with pytest.raises(PostgresUnavailable, match='unrecognized configuration parameter "no_such_setting"'):
        embedded.start(resting, {"no_such_setting": "1"})
