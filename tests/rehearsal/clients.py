"""Clients that a load has besides those of load.py: one over HTTP/2, one that listens to a stream of events, and the
resolver that all of them ask."""

from __future__ import annotations

import dataclasses
import http.client
import itertools
import json
import random
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

FRESH, KEPT, HTTP2, STREAM = "fresh connection", "kept connection", "HTTP/2", "stream of events"

TTL = 20  # seconds for which a client's resolver keeps an answer; the domain's record allows 60
DEAD_AFTER = 40  # seconds without a line; the service writes one every 15 s
RATE = 5  # requests a second of an HTTP/2 client
TURN = 100  # requests of one process of curl, on one connection unless the server closes it


@dataclasses.dataclass
class Failure:
    """A request that was not answered as promised. Times are those of `time.monotonic`, in seconds."""

    kind: str
    begun: float
    text: str
    at: float = dataclasses.field(default_factory=time.monotonic)
    clock: str = dataclasses.field(default_factory=lambda: time.strftime("%H:%M:%S"))

    def __str__(self) -> str:
        return f"{self.clock} after {self.at - self.begun:.2f} s, {self.kind}: {self.text}"


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
            for line in self._process.stdout:
                self._count(line.rstrip("\n"))
            self._process.wait()

    def _count(self, line: str) -> None:
        if line.startswith("200 2 "):
            self.answers += 1
        elif not self._over.is_set():
            self.failures.append(Failure(HTTP2, time.monotonic(), line))


class Listener:
    """Listens to an account's events, and resumes whenever the stream ends."""

    def __init__(self, resolver: Resolver, domain: str, authority: Path, account: str, token: str) -> None:
        self._resolver, self._domain = resolver, domain
        self._tls = ssl.create_default_context(cafile=authority)
        self._path, self._token = f"/users/{account}/events", token
        self._last = ""
        self.heard: list[int] = []
        self.streams = 0
        self.failures: list[Failure] = []
        self._over = threading.Event()
        self._listening = threading.Event()
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        """Begins; returns when it listens."""
        self._thread.start()
        if not self._listening.wait(60):
            raise TimeoutError(f"no stream of events: {list(map(str, self.failures))}")

    def stop(self) -> None:
        """Ends it."""
        self._over.set()
        if self._socket:
            self._socket.close()
        self._thread.join(2)

    def _work(self) -> None:
        while not self._over.is_set():
            begun, pause = time.monotonic(), 1.0
            try:
                pause = self._listen()
            except Exception as fault:  # whichever it was, a client would have seen it
                if not self._over.is_set():
                    self.failures.append(Failure(STREAM, begun, repr(fault)))
            self._over.wait(pause * random.uniform(1, 1.5))

    def _listen(self) -> float:
        """One stream. Returns the seconds until the next; raises if it cannot be begun."""
        plain = socket.create_connection((self._resolver.one(), 443), 15)
        self._socket = connection = self._tls.wrap_socket(plain, server_hostname=self._domain)
        connection.settimeout(DEAD_AFTER)
        lines = [f"GET {self._path} HTTP/1.1", f"Host: {self._domain}", f"Authorization: Bearer {self._token}"]
        lines += [f"Last-Event-ID: {self._last}"] if self._last else []
        with connection:
            connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            if answer.status != 200:
                raise http.client.HTTPException(f"status {answer.status}: {answer.read(200)!r}")
            self.streams += 1
            try:
                return self._read(answer)
            except (OSError, http.client.HTTPException):
                return 1.0  # the line was cut, which a client resumes

    def _read(self, answer: http.client.HTTPResponse) -> float:
        event: dict[str, str] = {}
        pause = 1.0
        for raw in answer:
            line = raw.decode().rstrip("\n")
            if line:
                name, _, value = line.partition(":")
                event[name] = value.removeprefix(" ")
                continue
            self._last = event.get("id", self._last)
            pause = int(event.get("retry", 1000)) / 1000
            if event.get("event") == "message":
                self.heard.append(json.loads(event["data"])["id"])
            if event.get("event") == "hello":
                self._listening.set()
            event = {}
        return pause
