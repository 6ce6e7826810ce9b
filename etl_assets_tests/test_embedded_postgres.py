"""What the embedded PostgreSQL promises, on real servers in temporary folders: kills, closed folders, taken ports.

The same promises are made to root and to a plain user; tests that need root say so.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from etl_assets import embedded_postgres as embedded
from etl_assets import embedded_postgres_files as files
from etl_assets.embedded_postgres import PostgresUnavailable, Server
from etl_assets.embedded_postgres_files import Cluster

HASTY = {"fsync": "off"}
START = (
    "import pathlib, sys, etl_assets.embedded_postgres as e; print(e.start(pathlib.Path(sys.argv[1])).url('postgres'))"
)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run the server as another account")


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
    with psycopg.connect(server.url("postgres"), autocommit=True) as session:
        os.kill(session.info.backend_pid, signal.SIGSTOP)
        os.kill(postmaster_of(server), signal.SIGKILL)
        threading.Timer(1, os.kill, (session.info.backend_pid, signal.SIGCONT)).start()
        assert embedded.start(resting) == server
    assert ask(server, "SELECT amount FROM paid") == [(1,)]
    assert "pre-existing shared memory" in cluster_of(resting).log.read_text()


def test_a_killed_initialisation_is_done_again(open_folder: Path) -> None:
    state = open_folder / "interrupted"
    caller = subprocess.Popen([sys.executable, "-c", START, str(state)], stdout=subprocess.DEVNULL)
    until(lambda: files.recorded(state) is not None)
    cluster = cluster_of(state)
    until((cluster.home / "initialising" / "data" / "base").exists)
    caller.kill()
    caller.wait()
    assert not cluster.data.exists()
    assert ask(embedded.start(state), "SELECT 1") == [(1,)]
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


@pytest.mark.parametrize("leftover", [f"{os.getpid()}\n", ""], ids=["number of a stranger", "empty"])
def test_a_stopped_server_comes_back_on_its_port_despite_a_stale_pid_file(resting: Path, leftover: str) -> None:
    server = embedded.start(resting, HASTY)
    embedded.stop(resting)
    assert embedded.running(resting) is None
    (cluster_of(resting).data / "postmaster.pid").write_text(leftover)
    assert embedded.start(resting, HASTY) == server


def test_a_port_that_another_program_took_is_replaced_for_good(resting: Path) -> None:
    server = embedded.start(resting, HASTY)
    embedded.stop(resting)
    with socket.create_server(("127.0.0.1", server.port)):
        moved = embedded.start(resting, HASTY)
        assert moved.port != server.port
        assert ask(moved, "SELECT 1") == [(1,)]
    embedded.stop(resting)
    assert embedded.start(resting, HASTY) == moved


@as_root
def test_root_runs_a_server_in_folders_that_only_root_may_enter(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both the state folder and the virtual environment: a clone below /root."""
    package, libraries = files._wheel()
    closed = tmp_path / "environment"
    closed.mkdir(mode=0o700)
    for part in (package, libraries):
        (closed / part.name).symlink_to(part)
    monkeypatch.setattr(files, "_wheel", lambda: (closed / package.name, closed / libraries.name))
    server = embedded.start(state, HASTY)
    home = files.outside_home(state)
    assert psutil.Process(postmaster_of(server)).username() == "nobody"
    assert ask(server, "SHOW data_directory") == [(str(home / "data"),)]
    assert {path.stat().st_uid for path in (home.parent, home, next(home.glob("binaries-*")))} == {0}
    assert (home / "data").stat().st_mode & 0o777 == 0o700
    embedded.destroy(state)
    assert not home.exists()
    assert list(state.iterdir()) == []


@as_root
def test_a_plain_user_runs_it_in_his_own_folder(open_folder: Path) -> None:
    initdb = files._wheel()[0] / "pginstall" / "bin" / "initdb"
    if not files._succeeds(Cluster(open_folder, open_folder), '"$0" --version', initdb):
        pytest.skip("the virtual environment is closed to other accounts")
    nobody = pwd.getpwnam("nobody")
    own = open_folder / "own"
    own.mkdir()
    os.chown(own, nobody.pw_uid, nobody.pw_gid)

    def use() -> None:
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)
        server = embedded.start(own / "state", HASTY)
        assert embedded.start(own / "state") == server
        assert ask(server, "SELECT 1") == [(1,)]
        embedded.stop(own / "state")

    user = multiprocessing.get_context("fork").Process(target=use)
    user.start()
    user.join(60)
    assert user.exitcode == 0
    embedded.start(own / "state", HASTY)
    assert {path.stat().st_uid for path in (own / "state" / "postgres" / "data").rglob("*")} == {nobody.pw_uid}
    embedded.destroy(own / "state")
    assert list((own / "state").iterdir()) == []


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


@as_root
def test_data_whose_connection_file_is_lost_is_set_aside_and_destroyed_in_the_end(
    state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A state folder that was simply deleted must not block the next start from the same path."""
    first = embedded.start(state, HASTY)
    shutil.rmtree(state)
    second = embedded.start(state, HASTY)
    assert second.password != first.password
    assert ask(second, "SELECT 1") == [(1,)]
    assert "set aside" in caplog.text
    assert (files.outside_home(state) / "data.abandoned" / "PG_VERSION").exists()
    embedded.destroy(state)
    assert not files.outside_home(state).exists()


def test_a_setting_that_postgresql_refuses_is_quoted_from_its_log(resting: Path) -> None:
    with pytest.raises(PostgresUnavailable, match='unrecognized configuration parameter "no_such_setting"'):
        embedded.start(resting, {"no_such_setting": "1"})
