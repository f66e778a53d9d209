"""The connections that a server holds, as its kernel tells them.

A client that does not read does not learn that its connection has been closed, so how long a server keeps it is seen
from the server's side: from the table of sockets, proc_net_tcp(5).
"""

from __future__ import annotations

import dataclasses
import re
import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path

from endure.deployment import Threads

SOCKETS = Path("/proc/net/tcp")
ESTABLISHED = b"01"
SAMPLE_SECONDS = 1.0


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """Where a server listens, or from where a client connects."""

    address: str  # IPv4
    port: int


def established(server: Endpoint, table: bytes) -> dict[Endpoint, int]:
    """The clients whose connections the server holds, with the inodes of its sockets. One that it has closed is in
    another state, even if data are left that the client does not accept."""
    local = re.escape(f"{hexadecimal(server.address)}:{server.port:04X}".encode())
    row = rb": %b ([0-9A-F]{8}):([0-9A-F]{4}) %b \S+ \S+ \S+ +\d+ +\d+ (\d+) " % (local, ESTABLISHED)
    return {Endpoint(dotted(address), int(port, 16)): int(inode) for address, port, inode in re.findall(row, table)}


def hexadecimal(address: str) -> str:
    """An IPv4 address as the table has it: as a number of this machine's byte order."""
    return f"{struct.unpack('=I', socket.inet_aton(address))[0]:08X}"


def dotted(number: bytes) -> str:
    """The reverse."""
    return socket.inet_ntoa(struct.pack("=I", int(number, 16)))


@dataclasses.dataclass(frozen=True)
class Held:
    """A connection that a server has held: since when it was seen there, and for how many seconds."""

    client: Endpoint
    begun: float
    seconds: float


class Lifetimes(Threads):
    """Looks once a second which connections a server holds. A context."""

    def __init__(self, server: Endpoint, prefixes: tuple[str, ...]) -> None:
        """Only clients whose address begins with one of the prefixes are looked at."""
        self.server, self.prefixes = server, prefixes
        self.ended: list[Held] = []
        self.counts: list[tuple[float, int]] = []  # how many there were at which time
        self._begun: dict[Endpoint, float] = {}
        self._inodes: dict[Endpoint, int] = {}
        super().__init__([self._look])

    def _look(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            self.note(time.monotonic(), established(self.server, SOCKETS.read_bytes()))

    def note(self, now: float, held: Mapping[Endpoint, int]) -> None:
        """Adds what was seen at a time: clients, and the inodes of their connections."""
        clients = {client: inode for client, inode in held.items() if client.address.startswith(self.prefixes)}
        for client in list(self._begun):
            if client not in clients or self._is_another(client, clients[client]):
                begun = self._begun.pop(client)
                self.ended.append(Held(client, begun, now - begun))
        for client in clients:
            self._begun.setdefault(client, now)
        self._inodes = clients
        self.counts.append((now, len(clients)))

    def _is_another(self, client: Endpoint, inode: int) -> bool:
        """Whether the client has opened another connection from the same port since it was looked at. A connection has
        no inode (0) until the server has accepted it."""
        return self._inodes[client] not in (0, inode)

    def open(self) -> list[Held]:
        """Those that the server still held when it was looked at last."""
        now = self.counts[-1][0] if self.counts else 0.0
        return [Held(client, begun, now - begun) for client, begun in list(self._begun.items())]

    def all(self) -> list[Held]:
        """All that were seen."""
        return [*self.ended, *self.open()]
