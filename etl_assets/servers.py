"""The two web interfaces of a developer's machine, side by side until one of them ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]
from rich.console import Console

BIN = Path(sys.executable).parent
STOP_TIMEOUT_S = 20
# Seven processes and 1.8 GB for jobs that nobody gives it; a Ctrl-C restarts them, and they outlive it.
NO_JOBS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def serve(console: Console, variables: dict[str, str]) -> int:
    """Dagster's UI and daemon and MLflow's UI run until interrupted; then both have ended. Returns an exit code."""
    dagster_port, mlflow_port = _free_port(3000), _free_port(5000)
    commands = (
        [BIN / "dagster", "dev", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(dagster_port)],
        [
            BIN / "mlflow",
            "server",
            "--host",
            "127.0.0.1",
            "--port",
            str(mlflow_port),
            "--workers",
            "1",
            "--default-artifact-root",
            variables["ETL_MLFLOW_ARTIFACTS"],
        ],
    )
    settings = {**os.environ, **variables, **NO_JOBS, "MLFLOW_BACKEND_STORE_URI": variables["ETL_MLFLOW_URL"]}
    console.print(
        f"Dagster  http://127.0.0.1:{dagster_port}\nMLflow   http://127.0.0.1:{mlflow_port}\nCtrl-C ends both."
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # or `kill` leaves both of them running
    with ExitStack() as stack:
        processes = [stack.enter_context(_running(command, settings)) for command in commands]
        try:
            return processes[0].wait()
        except KeyboardInterrupt:
            return 0


@contextmanager
def _running(command: Sequence[str | Path], settings: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """The program runs in the block; after it neither it nor what it has started is left.

    With their database gone Dagster's daemon and webserver try again for longer than anybody waits.
    """
    process = subprocess.Popen(command, env=settings)  # noqa: S603  our own programs and ports
    try:
        yield process
    finally:
        family = _family(process.pid)
        process.terminate()
        _, left = psutil.wait_procs(family, STOP_TIMEOUT_S)
        for member in left:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(left, STOP_TIMEOUT_S)
        process.wait()


def _family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _free_port(wanted: int) -> int:
    """`wanted`, or another port where that one is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
