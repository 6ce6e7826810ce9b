"""A way to the tests' Snowflake that misbehaves where a test says so: an HTTP relay that reads what it passes on.

It answers a statement as Snowflake does in states that the local stand-in never is in, loses a question or an answer,
or changes a file on its way into a stage. Bytes and connections are broken by `broken_network.py`.
"""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from etl_assets.embedded.snowflake import Server
from etl_assets.io_managers.snowflake.connections import close_all
from etl_assets.io_managers.snowflake.warehouse import SnowflakeWarehouse
from etl_assets_tests.snowflake_backend import SnowflakeBackend
from etl_assets_tests.snowflake_door import QUERY

OURS = {"connection", "content-length", "date", "server", "transfer-encoding"}


class Lost(Enum):
    """What gets lost of a statement; the connection ends."""

    QUESTION = "question"
    ANSWER = "answer"


@dataclass
class Rule:
    """What becomes of the next `times` statements that begin with a word, in place of their answer."""

    word: str
    outcome: dict[str, Any] | Lost
    times: int


@dataclass
class Relay:
    """Where it listens, what it does, and how often it has."""

    server: Server
    port: int
    rules: list[Rule] = field(default_factory=list)
    file: Callable[[bytes], bytes | None] = bytes
    """What becomes of a file on its way; None: the connection ends."""
    done: int = 0

    def warehouse(self, database: str, **changed: Any) -> SnowflakeWarehouse:
        """One that reaches the server by this way."""
        there = {**self.server.parameters, "port": self.port, "database": database, "allow_password": True}
        return SnowflakeWarehouse(**{**there, "retry_for_s": 0, "connect_timeout_s": 5, **changed})

    def fails(self, word: str, code: int, state: str, message: str, times: int = 1) -> None:
        """The statement is not done, and is answered as Snowflake does it."""
        data = {"errorCode": f"{code:06d}", "sqlState": state, "queryId": "01b2c3d4-0000-0000-0000-000000000001"}
        answer = {"success": False, "code": f"{code:06d}", "message": message, "data": data}
        self.rules.append(Rule(word, answer, times))

    def loses(self, what: Lost, word: str, times: int = 1) -> None:
        self.rules.append(Rule(word, what, times))

    def outcome_of(self, statement: str) -> dict[str, Any] | Lost | None:
        for rule in self.rules:
            if rule.times and statement.startswith(rule.word):
                rule.times -= 1
                self.done += 1
                return rule.outcome
        return None


@pytest.fixture(name="relay")
def a_relay(backend: SnowflakeBackend) -> Iterator[Relay]:
    with relayed(backend.server) as relay:
        yield relay


@contextmanager
def relayed(server: Server) -> Iterator[Relay]:
    """A sound way to the server until a test says otherwise; no session is left that uses it."""
    listener = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    listener.daemon_threads = True
    relay = Relay(server, listener.server_address[1])
    listener.relay = relay  # type: ignore[attr-defined]
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield relay
    finally:
        relay.rules.clear()
        close_all()
        listener.shutdown()
        listener.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        relay: Relay = self.server.relay  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        outcome = relay.outcome_of(_statement(self.headers, body)) if self.path.startswith(QUERY) else None
        self.close_connection = isinstance(outcome, Lost)
        if isinstance(outcome, dict):
            self._answer(200, {"Content-Type": "application/json"}, json.dumps(outcome).encode())
        elif outcome is not Lost.QUESTION:
            self._pass_on(body, is_answer_lost=outcome is Lost.ANSWER)

    def do_PUT(self) -> None:
        relay: Relay = self.server.relay  # type: ignore[attr-defined]
        content = relay.file(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        self.close_connection = content is None
        if content is not None:
            self._pass_on(content)

    def do_GET(self) -> None:
        self._pass_on(b"")

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""

    def _pass_on(self, body: bytes, *, is_answer_lost: bool = False) -> None:
        relay: Relay = self.server.relay  # type: ignore[attr-defined]
        said = {name: value for name, value in self.headers.items() if name.lower() not in OURS}
        server = HTTPConnection("127.0.0.1", relay.server.port, timeout=60)
        try:
            server.request(self.command, self.path, body or None, said)
            answer: HTTPResponse = server.getresponse()
            content = answer.read()
        finally:
            server.close()
        if not is_answer_lost:
            kept = {name: value for name, value in answer.getheaders() if name.lower() not in OURS}
            self._answer(answer.status, kept, content)

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _statement(headers: Any, body: bytes) -> str:
    text = gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body
    return str(json.loads(text)["sqlText"])
