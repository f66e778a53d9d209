"""Connections to a replica on which bytes are sent, and the answers that come back."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import io
import socket
import time

TIMEOUT = 120.0  # seconds for an answer; the machine may be busy
SILENCE = 0.5  # seconds without a byte, after which nothing more is sent, so that a replica that waits goes on
EVENT_STREAM = "text/event-stream"
NO_ANSWER = (OSError, http.client.HTTPException)


@dataclasses.dataclass
class Answer:
    """A complete answer; of an event stream, its first line."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    closes: bool = False  # the connection
    seconds: float = 0.0  # since the request was sent


class _Reader(io.BufferedReader):
    """Outlives the answers that are read from it, each of which closes its reader."""

    def close(self) -> None:
        """Does nothing: the connection closes what is below it."""


class _Source:
    """What an HTTPResponse takes for a socket."""

    def __init__(self, reader: io.BufferedIOBase) -> None:
        self.reader = reader

    def makefile(self, _: str) -> io.BufferedIOBase:
        """The same reader for each answer."""
        return self.reader


def read_answer(source: _Source, method: str) -> Answer:
    """The next answer to a request of this method; raises an error of NO_ANSWER if there is none, or half of one.
    A ConnectionError means that there is none at all."""
    response = http.client.HTTPResponse(source, method=method)  # type: ignore[arg-type]  # it only makes a file of it
    response.begin()
    is_stream = response.headers.get("Content-Type", "").startswith(EVENT_STREAM)
    try:
        body = response.readline() if is_stream else response.read()
    except OSError as fault:
        raise http.client.HTTPException(f"the body was cut: {fault!r}") from fault
    return Answer(response.status, response.headers, body, is_stream or response.will_close)


class Connection:
    """A connection that is kept between requests."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._raw = socket.SocketIO(self._socket, "r")
        self._source = _Source(_Reader(self._raw))
        self.answers = 0
        self.before = b""  # what was sent last but one, which a wrong answer may belong to
        self._last = b""

    def send(self, data: bytes) -> None:
        """Sends bytes; a replica may answer and close the connection before it has read them all."""
        self.before, self._last = self._last, data
        with contextlib.suppress(OSError):  # the answer, or its absence, tells more
            self._socket.sendall(data)

    def receive(self, method: str) -> Answer:
        """The next answer."""
        begun = time.monotonic()
        answer = read_answer(self._source, method)
        answer.seconds = time.monotonic() - begun
        self.answers += 1
        return answer

    def receive_all(self, silence: float = SILENCE) -> bytes:
        """All bytes until the replica closes the connection, or up to the first event of a stream, which does not end.
        After a silence, the replica is told that no more will come. Raises TimeoutError if it keeps the connection
        nevertheless."""
        received = bytearray()
        self._socket.settimeout(silence)
        with contextlib.suppress(ConnectionError):
            try:
                self._receive_into(received)
            except TimeoutError:
                self._socket.settimeout(TIMEOUT)
                self._socket.shutdown(socket.SHUT_WR)
                self._receive_into(received)
        return bytes(received)

    def _receive_into(self, received: bytearray) -> None:
        while not has_event(received) and (data := self._socket.recv(65_536)):
            received += data

    def close(self) -> None:
        """Closes it."""
        self._raw.close()
        self._socket.close()


def has_event(received: bytes | bytearray) -> bool:
    """Whether an event stream has begun, with the blank line that ends its first event."""
    _, _, rest = received.partition(EVENT_STREAM.encode())
    return b"\n\n" in rest.partition(b"\r\n\r\n")[2]


def answers_in(data: bytes, method: str = "GET") -> list[Answer]:
    """The answers in what a connection has received, of which the first is to this method; raises an error of NO_ANSWER
    for what is none."""
    received, answers = _Reader(io.BytesIO(data)), []  # type: ignore[arg-type]  # as raw as a socket
    while received.tell() < len(data):
        answers.append(read_answer(_Source(received), "GET" if answers else method))
        if answers[-1].headers.get("Content-Type", "").startswith(EVENT_STREAM):
            break
    return answers
