"""What a load has besides the clients of load.py: one over HTTP/2, connections for those that listen to events, and the
resolver that all of them ask."""

from __future__ import annotations

import http.client
import ipaddress
import itertools
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from support.listener import Failure

FRESH, KEPT, HTTP2 = "fresh connection", "kept connection", "HTTP/2"

TIMEOUT = 15  # seconds for one request
TTL = 20  # seconds for which a client's resolver keeps an answer; the domain's record allows 60
RATE = 5  # requests a second of an HTTP/2 client
TURN = 100  # requests of one process of curl, on one connection unless the server closes it


class Resolver:
    """The addresses of a name, as a client's resolver knows them: as old as its record may get."""

    def __init__(self, ask: Callable[[], list[str]]) -> None:
        self._ask = ask
        self._addresses: list[str] = []
        self._asked_at = 0.0
        self._turns = itertools.count()
        self._lock = threading.Lock()

    def all(self) -> list[str]:
        """All of them, in an order that differs each time."""
        with self._lock:
            if not self._addresses or time.monotonic() > self._asked_at + TTL:
                self._addresses, self._asked_at = self._ask() or self._addresses, time.monotonic()
            turn = next(self._turns) % len(self._addresses)
            return self._addresses[turn:] + self._addresses[:turn]

    def one(self) -> str:
        """The next of them."""
        return self.all()[0]


class Http2Client:
    """Requests over HTTP/2, one after another, by curl."""

    def __init__(self, resolver: Resolver, domain: str, authority: Path, path: str, token: str) -> None:
        self._resolver, self._domain, self._authority = resolver, domain, authority
        self._path, self._token = path, token
        self.answers = 0
        self.failures: list[Failure] = []
        self._over = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it with its request under way."""
        self._over.set()
        if self._process:
            self._process.terminate()
        self._thread.join(30)

    def _work(self) -> None:
        while not self._over.is_set():
            separator = "&" if "?" in self._path else "?"
            form = "%{http_code} %{http_version} %{errormsg}\\n"
            resolved = ",".join(self._resolver.all())
            self._process = subprocess.Popen(
                [
                    *("stdbuf", "--output=L", "curl"),  # a line as soon as it is known
                    *("--silent", "--http2", "--rate", f"{RATE}/s", "--max-time", "15", "--config", "-"),
                    *("--cacert", str(self._authority), "--resolve", f"{self._domain}:443:{resolved}"),
                    *("--output", "/dev/null", "--write-out", form),
                    f"https://{self._domain}{self._path}{separator}turn=[1-{TURN}]",
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            assert self._process.stdin and self._process.stdout
            self._process.stdin.write(f'oauth2-bearer = "{self._token}"\n')
            self._process.stdin.close()
            has_connection = False
            for line in self._process.stdout:
                has_connection = self._count(line.rstrip("\n"), has_connection)
            self._process.wait()

    def _count(self, line: str, has_connection: bool) -> bool:
        """Counts an answer or a failure. Returns whether the next request has a connection that has worked."""
        if line.startswith("200 2 "):
            self.answers += 1
            return True
        if not self._over.is_set():
            self.failures.append(Failure(HTTP2, time.monotonic(), line, is_first=not has_connection))
        return False


def https_connection(domain: str, address: tuple[str, int], tls: ssl.SSLContext) -> http.client.HTTPSConnection:
    """A connection that is not open yet, as if the domain led to that address of this machine."""
    if not ipaddress.ip_address(address[0]).is_loopback:
        raise ValueError(f"{address[0]} is no loopback address: the load is for a deployment on this machine")
    connection = http.client.HTTPSConnection(domain, 443, timeout=TIMEOUT, context=tls)
    connection._create_connection = lambda _, timeout, source: socket.create_connection(address, timeout, source)
    return connection


def connections(resolver: Resolver, domain: str, authority: Path) -> Callable[[], socket.socket]:
    """Opens a connection over TLS to the next of the addresses, each time that it is called."""
    tls = ssl.create_default_context(cafile=authority)

    def connect() -> socket.socket:
        return tls.wrap_socket(socket.create_connection((resolver.one(), 443), 15), server_hostname=domain)

    return connect
