"""A network that breaks when a test says so: a TCP relay on 127.0.0.1 in front of a PostgreSQL.

It knows bytes and connections, and of PostgreSQL's protocol no more than two messages. What must survive a breakage
belongs to the tests. Only for servers without TLS: in an encrypted session there is no message to wait for.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Thread
from urllib.parse import urlsplit

HOST = "127.0.0.1"
COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
COPY_TO_CLIENT = b"TO STDOUT"
AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset

Fault = Callable[[bytearray, int], int | None]
"""Where to break, given what a connection has sent and how much of it has been relayed; None: not here."""


@dataclass(eq=False)
class _Connection:
    """A client's connection to us and ours to the server in its name."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    sent: bytearray = field(default_factory=bytearray)
    is_answer_lost: bool = False

    def reset(self) -> None:
        for writer in (self.client, self.server):
            if not writer.is_closing():
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
                writer.transport.abort()


class BrokenNetwork:
    """The way to a server: `url` is the server's by way of this relay, `cuts` the connections cut so far."""

    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        self._server = (where.hostname or HOST, where.port or 5432)
        self._socket = _bound(0)
        self._listener: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._fault: Fault = _no_fault
        self._is_answer_lost = self._goes_down = False
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="broken network", daemon=True)
        self.host, self.port = self._socket.getsockname()
        login = where.netloc.rpartition("@")[0]
        self.url = where._replace(netloc=f"{login}@{self.host}:{self.port}").geturl()
        self.cuts = 0

    def up(self) -> None:
        """New connections are relayed."""
        self._do(self._up())

    def down(self) -> None:
        """New connections are refused, as by a machine without a server; the open ones go on."""
        self._do(self._down())

    def cut(self) -> None:
        """Every open connection has been reset."""
        self._do(self._cut(set(self._connections)))

    def cut_after(self, n_bytes: int) -> None:
        """The first connection that sends `n_bytes` from now on will be reset there; no other will."""
        self._do(self._arm(lambda sent, _: n_bytes if len(sent) >= n_bytes else None, is_answer_lost=False))

    def lose(self, message: bytes) -> None:
        """The first connection that sends `message` will be reset before the server has received it."""
        self._do(self._arm(lambda sent, relayed: _start(sent, relayed, message), is_answer_lost=False))

    def lose_answer_to(self, message: bytes, *, and_go_down: bool = False) -> None:
        """The first connection that sends `message` will be reset when the server has answered it."""
        self._goes_down = and_go_down
        self._do(self._arm(lambda sent, relayed: _start(sent, relayed, message), is_answer_lost=True))

    def begin(self) -> None:
        self._thread.start()
        self.up()

    def end(self) -> None:
        """No connection, port or thread is left."""
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[object, object, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    async def _up(self) -> None:
        if self._listener is None:
            self._listener = await asyncio.start_server(self._relay, sock=self._socket)

    async def _down(self) -> None:
        """The socket that follows is bound and does not listen: the port stays ours."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
            await asyncio.sleep(0)
            self._socket = _bound(self.port)

    async def _cut(self, connections: set[_Connection]) -> None:
        self.cuts += len(connections)
        self._connections -= connections
        for connection in connections:
            connection.reset()
        await asyncio.sleep(0)  # until the loop has closed what was aborted

    async def _arm(self, fault: Fault, *, is_answer_lost: bool) -> None:
        self._fault, self._is_answer_lost = fault, is_answer_lost
        for connection in self._connections:
            connection.sent.clear()

    async def _end(self) -> None:
        await self._down()
        self._socket.close()
        while self._tasks:
            await self._cut(set(self._connections))
            await asyncio.sleep(0.001)

    async def _relay(self, from_client: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            from_server, server = await asyncio.open_connection(*self._server)
        except OSError:
            client.transport.abort()
            return
        connection = _Connection(client, server)
        self._connections.add(connection)
        await asyncio.gather(self._to_server(connection, from_client), self._to_client(connection, from_server))
        self._connections.discard(connection)

    async def _to_server(self, connection: _Connection, client: asyncio.StreamReader) -> None:
        with _passed_on(connection.server):
            while data := await client.read(65536):
                relayed = len(connection.sent)
                connection.sent += data
                at = self._fault(connection.sent, relayed)
                if at is not None:
                    self._fault, connection.is_answer_lost = _no_fault, self._is_answer_lost
                    data = data if connection.is_answer_lost else data[: max(0, at - relayed)]
                connection.server.write(data)
                await connection.server.drain()
                if at is not None and not connection.is_answer_lost:
                    await self._cut({connection})

    async def _to_client(self, connection: _Connection, server: asyncio.StreamReader) -> None:
        with _passed_on(connection.client):
            while data := await server.read(65536):
                if connection.is_answer_lost:
                    if self._goes_down:
                        await self._down()
                    await self._cut({connection})
                else:
                    connection.client.write(data)
                    await connection.client.drain()


@contextmanager
def broken_network(url: str) -> Iterator[BrokenNetwork]:
    """A sound way to the server of `url`, to be broken in the block."""
    network = BrokenNetwork(url)
    network.begin()
    try:
        yield network
    finally:
        network.end()


@contextmanager
def _passed_on(to: asyncio.StreamWriter) -> Iterator[None]:
    """One side has gone when the block ends, and so has the other."""
    with suppress(ConnectionError):
        try:
            yield
        finally:
            to.close()


def _bound(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((HOST, port))
    return bound


def _start(sent: bytearray, relayed: int, message: bytes) -> int | None:
    found = sent.find(message, max(0, relayed - len(message) + 1))
    return found if found >= 0 else None


def _no_fault(_sent: bytearray, _relayed: int) -> int | None:
    return None
