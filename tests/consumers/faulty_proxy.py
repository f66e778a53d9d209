"""A proxy between a client and the service that fails as networks do, but in the same way in each run.

- The first response to each send with an `Idempotency-Key` is lost after the service has processed it (fault `lost`);
  the first retry is refused with a 503 (`refused`).
- An event stream is cut in the middle of its third message (`cut`).

All other requests are forwarded unchanged, one per connection.
"""

from __future__ import annotations

import collections
import re
import socket
import socketserver
import threading
from collections.abc import Iterator

BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Type: application/problem+json\r\n"
    b"Connection: close\r\n\r\n"
    b'{"type":"urn:problem-type:herolo:unavailable","title":"Busy","status":503,"detail":"Busy.","instance":"/"}'
)
# The messages of a stream before the one that is cut, and the bytes of that one that still arrive.
WHOLE_MESSAGES = 2
REMNANT_BYTES = 40
PIECE_BYTES = 65_536


class FaultyProxy(socketserver.ThreadingTCPServer):
    """Listens on a port of its own, and forwards requests to another port of this machine."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, service_port: int) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.service_port = service_port
        self.faults: collections.Counter[str] = collections.Counter()
        self.lock = threading.Lock()
        self.sends: collections.Counter[bytes] = collections.Counter()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """The address for clients."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def count(self, fault: str) -> None:
        """Counts a fault that a client has met."""
        with self.lock:
            self.faults[fault] += 1

    def attempt(self, key: bytes) -> int:
        """The number of this attempt of the send with this key, from 1."""
        with self.lock:
            self.sends[key] += 1
            return self.sends[key]

    def handle_error(self, request, client_address) -> None:
        """Ignores that a client disconnects before the end of a response."""


class Request(socketserver.BaseRequestHandler):
    """A connection of a client, with its only request."""

    server: FaultyProxy

    def handle(self) -> None:
        """Forwards the request, unless a fault is due."""
        head, body = self.read()
        if not head:
            return
        key = re.search(rb"(?i)\r\nidempotency-key: *(\S+)", head)
        attempt = self.server.attempt(key[1]) if key else None
        if attempt == 2:
            self.server.count("refused")
            self.request.sendall(BUSY)
            return
        with socket.create_connection(("127.0.0.1", self.server.service_port)) as service:
            service.sendall(
                re.sub(rb"(?i)\r\nconnection: [^\r]*", b"", head)[:-2] + b"Connection: close\r\n\r\n" + body
            )
            is_stream = head.split(b" ", 2)[1].endswith(b"/events")
            response = self.stream(service) if is_stream else pieces(service)
            if attempt == 1:
                collections.deque(response, maxlen=0)
                self.server.count("lost")
                return
            for piece in response:
                self.request.sendall(piece)

    def read(self) -> tuple[bytes, bytes]:
        """The head of the request with the empty line after it, and its body."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = self.request.recv(PIECE_BYTES)
            if not piece:
                return b"", b""
            data += piece
        head, body = data.split(b"\r\n\r\n", 1)
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        while length and len(body) < int(length[1]):
            body += self.request.recv(PIECE_BYTES)
        return head + b"\r\n\r\n", body

    def stream(self, service: socket.socket) -> Iterator[bytes]:
        """The pieces of a stream, up to the middle of the message that is cut."""
        data, passed = b"", 0
        for piece in pieces(service):
            data += piece
            events = list(re.finditer(rb"event: ?message\n", data))
            if len(events) > WHOLE_MESSAGES:
                end = events[WHOLE_MESSAGES].end() + REMNANT_BYTES
                if len(data) >= end:
                    self.server.count("cut")
                    yield data[passed:end]
                    return
            yield data[passed:]
            passed = len(data)


def pieces(service: socket.socket) -> Iterator[bytes]:
    """A response, as it arrives."""
    while piece := service.recv(PIECE_BYTES):
        yield piece
