"""A Snowflake that only opens its door: it records who knocks and how, and answers what a test tells it to.

Real HTTP on 127.0.0.1 for the real connector. Tables are in `snowflake_server.py`.
"""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from etl_assets.io_managers.snowflake.connections import close_all
from etl_assets.io_managers.snowflake.settings import SnowflakeSettings

LOGIN, QUERY = "/session/v1/login-request", "/queries/v1/query-request"
WELCOME: dict[str, Any] = {
    "success": True,
    "data": {"token": "session-t0ken", "masterToken": "master-t0ken", "parameters": [], "sessionInfo": {}},
}
DONE: dict[str, Any] = {
    "success": True,
    "data": {
        "rowtype": [],
        "rowset": [],
        "total": 0,
        "queryResultFormat": "json",
        "queryId": "01b2c3d4-0000-0000-0000-000000000001",
        "statementTypeId": 4096,
    },
}


@dataclass
class Door:
    """What is answered, and what has been heard so far."""

    port: int
    login: dict[str, Any] = field(default_factory=lambda: WELCOME)
    query: dict[str, Any] = field(default_factory=lambda: DONE)
    status: int = 200
    delay_s: float = 0
    is_silent: bool = False
    cuts: int = 0
    logins: list[dict[str, Any]] = field(default_factory=list)
    asked_for: list[dict[str, str]] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def place(self) -> dict[str, Any]:
        """The settings that lead here."""
        return {"account": "org-bank", "database": "ETL", "host": "127.0.0.1", "port": self.port, "protocol": "http"}

    def settings(self, **changed: Any) -> SnowflakeSettings:
        """Settings that lead here with a token, and give up soon."""
        way_in = {"user": "etl", "token": "t0ken", "authenticator": "OAUTH"}
        fields = {**way_in, "retry_for_s": 0, "connect_timeout_s": 1, **self.place, **changed}
        return SnowflakeSettings(**fields)

    def refuses(self, code: int, message: str) -> None:
        """Every login is answered as Snowflake does it."""
        self.login = {"success": False, "code": str(code), "message": message, "data": {}}

    def fails(self, code: int, state: str, message: str) -> None:
        """Every statement is answered as Snowflake does it."""
        data = {"errorCode": f"{code:06d}", "sqlState": state, "queryId": DONE["data"]["queryId"]}
        self.query = {"success": False, "code": f"{code:06d}", "message": message, "data": data}


@contextmanager
def opened_door() -> Iterator[Door]:
    """A server on a free port until the block ends, and no session with it afterwards."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    door = Door(server.server_address[1])
    server.door = door  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield door
    finally:
        close_all()
        door.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        door: Door = self.server.door  # type: ignore[attr-defined]
        where = urlsplit(self.path)
        body = self._body()
        if where.path == LOGIN:
            door.logins.append(body["data"])
            door.asked_for.append({name: values[0] for name, values in parse_qs(where.query).items()})
        if where.path == QUERY:
            door.statements.append(body["sqlText"])
        door.ended.wait(door.delay_s)
        if door.is_silent:
            door.ended.wait(30)
            return
        self._answer({LOGIN: door.login, QUERY: door.query}.get(where.path, {"success": True, "data": {}}), door)

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""

    def _body(self) -> Any:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return json.loads(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body or "{}")

    def _answer(self, answer: dict[str, Any], door: Door) -> None:
        content, is_cut = json.dumps(answer).encode(), door.cuts > 0
        door.cuts -= is_cut
        self.send_response(door.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if is_cut else content)
        self.close_connection = is_cut


def took(began: float) -> float:
    """Seconds since `began`, a `time.monotonic()`."""
    return time.monotonic() - began
