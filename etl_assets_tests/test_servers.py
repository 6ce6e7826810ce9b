"""`make dev` ends what it has started, also what its programs have started in turn."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil
import pytest

from etl_assets import servers

STUBBORN = (
    "import signal, sys, time, pathlib; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "pathlib.Path(sys.argv[1]).write_text('ready'); time.sleep(60)"
)
PARENT = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1], sys.argv[2]]).wait()"


def test_a_program_that_ends_leaves_no_child_that_ignores_the_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "STOP_TIMEOUT_S", 0.5)
    ready = tmp_path / "ready"
    with servers._running([sys.executable, "-c", PARENT, STUBBORN, str(ready)], os.environ) as process:
        parent = psutil.Process(process.pid)
        while not ready.exists():
            assert process.poll() is None
        family = [parent, *parent.children(recursive=True)]
        assert len(family) == 2
    _, alive = psutil.wait_procs(family, 10)
    assert not [member for member in alive if member.status() != psutil.STATUS_ZOMBIE]
