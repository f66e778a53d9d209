"""A TCP proxy that fails as networks and servers do.

It is the counterpart in Python of `tests/api/support/proxy.rs`, for suites that run the service as a process.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any

PIECE_BYTES = 65_536


class TcpProxy:
    """Forwards connections from a port of its own to another port of this machine until a fault is set."""

    def __init__(self, target_port: int, address: str = "127.0.0.1", port: int = 0) -> None:
        """Without a port, the system chooses one when it begins."""
        self.target_port = target_port
        self.address, self.port = address, port
        self.accepted = 0  # connections, of which some may have been lost in a hole
        self._delay = 0.0
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._is_hole = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> TcpProxy:
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def forward(self) -> None:
        """Ends the fault. Connections that were open during a hole stay dead, as behind a firewall that forgot them."""
        self._is_hole, self._delay = False, 0.0
        self._run(self._listen())

    def refuse(self) -> None:
        """Closes all connections, and refuses new ones."""
        self._run(self._refuse())

    def swallow(self) -> None:
        """Accepts connections and keeps all of them open, but loses every byte: a black hole."""
        self._is_hole = True
        for connection in list(self._connections):
            connection.is_dead = True

    def slow_down(self, seconds: float) -> None:
        """Delays each piece of what the server answers."""
        self._delay = seconds

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        done: Future[None] = asyncio.run_coroutine_threadsafe(work, self._loop)
        done.result(10)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, self.address, self.port, reuse_address=True)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _refuse(self) -> None:
        server, self._server = self._server, None
        if server:
            server.close()
        for connection in list(self._connections):
            connection.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        connection = Connection(writer, self._is_hole)
        self._connections.add(connection)
        try:
            with contextlib.suppress(OSError):
                await self._serve(connection, reader, writer)
        finally:
            self._connections.discard(connection)
            connection.close()

    async def _serve(self, connection: Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if connection.is_dead:
            await self._copy(connection, reader, None)
            return
        answers, requests = await asyncio.open_connection("127.0.0.1", self.target_port)
        connection.writers.append(requests)
        copies = [
            asyncio.create_task(self._copy(connection, reader, requests)),
            asyncio.create_task(self._copy(connection, answers, writer, is_answer=True)),
        ]
        try:
            await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
            if connection.is_dead:  # which its client learns from nothing but silence
                await copies[0]
        finally:
            for copy in copies:
                copy.cancel()

    async def _copy(
        self,
        connection: Connection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter | None,
        is_answer: bool = False,
    ) -> None:
        """Copies one direction to its end."""
        with contextlib.suppress(OSError):
            while piece := await reader.read(PIECE_BYTES):
                if is_answer and self._delay:
                    await asyncio.sleep(self._delay)
                if writer and not connection.is_dead:
                    writer.write(piece)
                    await writer.drain()


class Connection:
    """Both halves of a forwarded connection."""

    def __init__(self, writer: asyncio.StreamWriter, is_dead: bool) -> None:
        self.writers = [writer]
        self.is_dead = is_dead

    def close(self) -> None:
        """Closes both, at once."""
        for writer in self.writers:
            writer.transport.abort()
