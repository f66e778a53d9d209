"""A client that listens to an account's events as the guide tells clients to, and notes what it hears."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import random
import socket
import threading
import time
from collections.abc import Callable

STREAM = "stream of events"
DEAD_AFTER = 40  # seconds without a line; the service writes one every 15 s


@dataclasses.dataclass
class Failure:
    """A request that was not answered as promised. Times are those of `time.monotonic`, in seconds."""

    kind: str
    begun: float
    text: str
    is_first: bool = True  # of its connection, so no connection that worked was broken
    at: float = dataclasses.field(default_factory=time.monotonic)
    clock: str = dataclasses.field(default_factory=lambda: time.strftime("%H:%M:%S"))

    def __str__(self) -> str:
        return f"{self.clock} after {self.at - self.begun:.2f} s, {self.kind}: {self.text}"


class Listener:
    """Listens to an account's events, and resumes whenever the stream ends."""

    def __init__(
        self, connect: Callable[[], socket.socket], host: str, account: str, token: str, pause: float = 1.0
    ) -> None:
        """`connect` opens a connection for each stream; `pause` is how many seconds it waits after one that was cut."""
        self._connect, self._host, self._pause = connect, host, pause
        self._path, self._token = f"/users/{account}/events", token
        self._last = ""
        self.heard: list[int] = []
        self.streams = 0
        self._is_cut = False
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

    def cut(self) -> None:
        """Cuts the stream, wherever it is, which is no failure; it is resumed."""
        self._is_cut = True
        with contextlib.suppress(OSError):
            if self._socket:
                self._socket.shutdown(socket.SHUT_RDWR)

    def _work(self) -> None:
        while not self._over.is_set():
            begun, pause = time.monotonic(), self._pause
            try:
                pause = self._listen()
            except Exception as fault:  # whichever it was, a client would have seen it
                if not (self._over.is_set() or self._is_cut):
                    self.failures.append(Failure(STREAM, begun, repr(fault)))
            self._over.wait(pause * random.uniform(1, 1.5))

    def _listen(self) -> float:
        """One stream. Returns the seconds until the next; raises if it cannot be begun."""
        self._is_cut = False
        self._socket = connection = self._connect()
        connection.settimeout(DEAD_AFTER)
        lines = [f"GET {self._path} HTTP/1.1", f"Host: {self._host}", f"Authorization: Bearer {self._token}"]
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
                return self._pause  # the line was cut, which a client resumes

    def _read(self, answer: http.client.HTTPResponse) -> float:
        event: dict[str, str] = {}
        pause = self._pause
        for raw in answer:
            line = raw.decode().rstrip("\n")
            if line:
                name, _, value = line.partition(":")
                event[name] = value.removeprefix(" ")
                continue
            self._last = event.get("id", self._last)
            pause = int(event["retry"]) / 1000 if "retry" in event else self._pause
            if event.get("event") == "message":
                self.heard.append(json.loads(event["data"])["id"])
            if event.get("event") == "hello":
                self._listening.set()
            event = {}
        return pause
