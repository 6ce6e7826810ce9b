"""A real S3 server for tests: SeaweedFS from its wheel, on 127.0.0.1, with one account."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

PATIENCE_S = 60
ACCOUNT = {"accessKey": "reader", "secretKey": "not-a-secret"}


def variables(endpoint: str) -> dict[str, str]:
    """What a person sets to reach the server."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": ACCOUNT["accessKey"],
        "AWS_SECRET_ACCESS_KEY": ACCOUNT["secretKey"],
    }


def free_ports(count: int) -> list[int]:
    """Ports with which SeaweedFS can also take port + 10000."""
    sockets = [socket.socket() for _ in range(count * 8)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [port for one in sockets if (port := one.getsockname()[1]) < 55000][:count]
    finally:
        for one in sockets:
            one.close()


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """The endpoint of a server that answers; it has ended afterwards."""
    account = {"name": "reader", "credentials": [ACCOUNT], "actions": ["Admin", "Read", "Write", "List"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [account]}))
    master, volume, filer, s3, *grpc = free_ports(8)
    ports = {"master.port": master, "volume.port": volume, "filer.port": filer, "s3.port": s3}
    ports |= {f"{part}.port.grpc": port for part, port in zip(("master", "volume", "filer", "s3"), grpc, strict=True)}
    weed = shutil.which("weed", path=str(Path(sys.executable).parent)) or "weed"
    options = [f"-{name}={port}" for name, port in ports.items()]
    options += ["-ip=127.0.0.1", f"-dir={folder}", "-s3", f"-s3.config={folder / 's3.json'}", "-volume.max=500"]
    options += ["-master.volumeSizeLimitMB=64", "-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([weed, "server", *options], stdout=log, stderr=log, cwd=folder)
    try:
        endpoint = f"http://127.0.0.1:{s3}"
        _wait(process, endpoint, folder / "log")
        yield endpoint
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def bucket(endpoint: str, name: str) -> S3Store:
    """The bucket, to write to; SeaweedFS makes it with its first object."""
    return S3Store(
        name,
        endpoint=endpoint,
        region="us-east-1",
        access_key_id=ACCOUNT["accessKey"],
        secret_access_key=ACCOUNT["secretKey"],
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )


def _wait(process: subprocess.Popen[bytes], endpoint: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            obstore.put(bucket(endpoint, "ready"), "ready", b"x")
        except BaseError:
            time.sleep(0.5)
        else:
            return
    raise AssertionError(f"no S3 server: {log.read_text()[-3000:]}")
