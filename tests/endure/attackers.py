"""Clients that are slow on purpose: they send byte by byte, or ask and read nothing."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from multiprocessing.synchronize import Event

from endure.sockets import Endpoint

HEADS, BODIES, READERS = "127.0.1.", "127.0.2.", "127.0.3."  # the addresses of each kind begin with these
KINDS = (HEADS, BODIES, READERS)
BYTE_SECONDS = 1.0  # between two bytes
OPENING_SECONDS = 10.0  # within which all connections are opened for the first time
PAUSE = 1.0  # seconds that a client waits at least between two connections
CONNECT_TIMEOUT = 30.0  # seconds
# A client that reads nothing has little space for what it does not read, and segments as on an Ethernet: those of the
# loopback interface are so large that the kernel of the server would take a megabyte at once.
RECEIVE_BUFFER, SEGMENT = 4096, 1460  # bytes
ESTABLISHED = 1  # tcp_states.h
# Less than Go's server reads of a body that it has refused, so that a refused client is as slow as others.
BODY_BYTES = 100_000
OPENERS = 4  # threads that open connections


@dataclasses.dataclass(frozen=True)
class Target:
    """A server, and what it is asked for."""

    server: Endpoint
    host: str
    path: str  # of a large answer
    authority: str = ""  # the file of the authority of its certificate; empty without TLS
    token: str = ""
    closes: bool = False  # whether the server is to close the connection after the answer

    def context(self) -> ssl.SSLContext | None:
        """How it is spoken to."""
        return ssl.create_default_context(cafile=self.authority) if self.authority else None

    def request(self) -> bytes:
        """For the large answer."""
        authorization = f"Authorization: Bearer {self.token}\r\n" if self.token else ""
        connection = "Connection: close\r\n" if self.closes else ""
        return f"GET {self.path} HTTP/1.1\r\nHost: {self.host}\r\n{authorization}{connection}\r\n".encode()


@dataclasses.dataclass(frozen=True)
class Attack:
    """How many of each kind attack, each kind from so many addresses of its own."""

    target: Target
    clients: int
    addresses: int


def open_socket(server: Endpoint, source: str) -> socket.socket:
    """A connection of a client that accepts little."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT)
    connection.settimeout(CONNECT_TIMEOUT)
    try:
        connection.bind((source, 0))
        connection.connect((server.address, server.port))
    except BaseException:
        connection.close()
        raise
    return connection


def ask_and_read_nothing(target: Target, source: str, context: ssl.SSLContext | None) -> socket.socket:
    """Asks for the large answer. What comes is left in the kernel."""
    connection = open_socket(target.server, source)
    try:
        if context:
            connection = context.wrap_socket(connection, server_hostname=target.host)
        connection.sendall(target.request())
    except BaseException:
        connection.close()
        raise
    return connection


def is_open(connection: socket.socket) -> bool:
    """Whether the server has neither closed nor reset the connection, as far as its client can tell."""
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == ESTABLISHED


def run(attack: Attack, over: Event) -> None:
    """Attacks until it is over, and then keeps the connections that are open until the process is ended. In a process
    of its own, so that it does not delay other clients."""
    asyncio.run(attack_until(attack, over))


async def attack_until(attack: Attack, over: Event) -> None:
    """One task for each client."""
    context = attack.target.context()
    asyncio.get_running_loop().set_default_executor(concurrent.futures.ThreadPoolExecutor(OPENERS))
    clients = []
    for number in range(attack.clients):
        kind = KINDS[number % len(KINDS)]
        source = f"{kind}{number // len(KINDS) % attack.addresses + 1}"
        work = (read_nothing if kind == READERS else send_slowly)(attack.target, source, context)
        delay = OPENING_SECONDS * number / attack.clients
        clients.append(asyncio.create_task(repeat(delay, work, over.is_set)))
    await asyncio.gather(*clients)
    await asyncio.Event().wait()


Work = Callable[[], Awaitable[None]]


async def repeat(delay: float, work: Work, is_over: Callable[[], bool]) -> None:
    """Does the work again and again: each is a connection that the server ends."""
    await asyncio.sleep(delay)
    while not is_over():
        begun = time.monotonic()
        with contextlib.suppress(OSError, EOFError):
            await work()
        await asyncio.sleep(max(0.0, begun + PAUSE - time.monotonic()))


def send_slowly(target: Target, source: str, context: ssl.SSLContext | None) -> Work:
    """A client whose request does not end: its head or its body."""
    name = target.host if context else None
    head = f"HTTP/1.1\r\nHost: {target.host}\r\n"
    if source.startswith(HEADS):
        at_once, byte = b"", f"GET /livez {head}X-Long: ".encode()
    else:
        at_once = f"POST /users {head}Content-Type: application/json\r\nContent-Length: {BODY_BYTES}\r\n\r\n".encode()
        byte = b'{"username": "'

    async def work() -> None:
        connection = await asyncio.to_thread(open_socket, target.server, source)
        connection.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=connection, ssl=context, server_hostname=name)
        try:
            writer.write(at_once)
            for number in range(BODY_BYTES):
                if reader.at_eof() or writer.is_closing():
                    return
                writer.write(byte[number : number + 1] or b"x")
                await asyncio.sleep(BYTE_SECONDS)
        finally:
            writer.close()

    return work


def read_nothing(target: Target, source: str, context: ssl.SSLContext | None) -> Work:
    """A client that asks for the large answer and reads nothing of it."""

    async def work() -> None:
        connection = await asyncio.to_thread(ask_and_read_nothing, target, source, context)
        try:
            while is_open(connection):
                await asyncio.sleep(PAUSE)
        finally:
            connection.close()

    return work
