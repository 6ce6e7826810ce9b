"""The way to an S3 server, by way of an HTTP relay on 127.0.0.1 that misbehaves as often as a test says.

It relays what it does not spoil, byte for byte and under the host name that the client has signed.
"""

from __future__ import annotations

import http.client
import socket
import struct
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from urllib.parse import urlsplit

HOST = "127.0.0.1"
AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset
SLOW_DOWN = (
    b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)
HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


class Fault(Enum):
    """What becomes of one request."""

    SLOW_DOWN = auto()
    """Refused as too many, without a word to the server."""
    TOO_MANY = auto()
    """The same, in the words of servers that say 429."""
    CUT = auto()
    """The connection is reset in the middle of the body."""
    SHORT = auto()
    """The connection ends in the middle of the body, as if that were all."""
    SILENT = auto()
    """No answer, ever."""
    FLIPPED = auto()
    """One bit of the body is another one."""
    REFUSED = auto()
    """No longer allowed to read."""


class MisbehavingS3:
    """`endpoint` is the server's by way of the relay; `faults` befall the next requests for objects, or for lists."""

    def __init__(self, endpoint: str) -> None:
        self.faults: deque[Fault | None] = deque()
        self.list_faults: deque[Fault | None] = deque()
        self.asked: list[tuple[str, str | None]] = []
        self.released = Event()
        handler = type("Relay", (_Relay,), {"relay": self, "server_address": urlsplit(endpoint).netloc})
        self._server = ThreadingHTTPServer((HOST, 0), handler)
        self._server.daemon_threads = False
        self.endpoint = f"http://{HOST}:{self._server.server_address[1]}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,), name="misbehaving S3")

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """No connection, port or thread is left."""
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def next_fault(self, path: str, byte_range: str | None) -> Fault | None:
        is_list = "list-type=" in path
        if not is_list:
            self.asked.append((path, byte_range))
        faults = self.list_faults if is_list else self.faults
        return faults.popleft() if faults else None


class _Relay(BaseHTTPRequestHandler):
    """One request on a connection of its own."""

    relay: MisbehavingS3
    server_address: str
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        fault = self.relay.next_fault(self.path, self.headers["Range"])
        self.close_connection = True
        if fault is Fault.SILENT:
            self.relay.released.wait(30)
        elif fault in REFUSALS:
            self._answer(*REFUSALS[fault])
        else:
            self._relayed(fault)

    def log_message(self, *_: object) -> None:
        """Nothing is said on standard error."""

    def _relayed(self, fault: Fault | None) -> None:
        upstream = http.client.HTTPConnection(self.server_address, timeout=30)
        try:
            upstream.request("GET", self.path, headers=dict(self.headers))
            response = upstream.getresponse()
            body = response.read()
        finally:
            upstream.close()
        kept = {name: value for name, value in response.getheaders() if name.lower() not in HOP_BY_HOP}
        self._answer(response.status, body, kept, fault)

    def _answer(
        self, status: int, body: bytes, headers: dict[str, str] | None = None, fault: Fault | None = None
    ) -> None:
        half = len(body) // 2
        if fault is Fault.FLIPPED:
            body = body[:half] + bytes([body[half] ^ 1]) + body[half + 1 :]
        self.send_response_only(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body)), "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        is_cut = fault in {Fault.CUT, Fault.SHORT}
        self.wfile.write(body[:half] if is_cut else body)
        self.wfile.flush()
        if fault is Fault.CUT:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)


REFUSALS = {
    Fault.SLOW_DOWN: (503, SLOW_DOWN),
    Fault.TOO_MANY: (429, SLOW_DOWN),
    Fault.REFUSED: (403, b"<Error><Code>AccessDenied</Code></Error>"),
}


@contextmanager
def misbehaving_s3(endpoint: str) -> Iterator[MisbehavingS3]:
    """A sound way to the server, to be spoilt in the block."""
    way = MisbehavingS3(endpoint)
    way.begin()
    try:
        yield way
    finally:
        way.end()
