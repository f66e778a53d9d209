"""A line between client and service that is as bad as lines are, in ways that come out the same each time.

- The first answer to each send with an `Idempotency-Key` is lost after the service has done its work; its first
  repetition is answered with 503.
- A stream of events is cut in the middle of its third message.

Everything else passes as it is, one request for each connection.
"""

import collections
import re
import socket
import socketserver
import threading

BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Type: application/problem+json\r\n"
    b"Connection: close\r\n\r\n"
    b'{"type":"urn:problem-type:herolo:unavailable","title":"Busy","status":503,"detail":"Busy.","instance":"/"}'
)
# Messages of a stream before the one that is cut, and bytes of that one that still arrive.
WHOLE_MESSAGES = 2
REMNANT_BYTES = 40
PIECE_BYTES = 65_536


class Line(socketserver.ThreadingTCPServer):
    """Listens on a port of its own, and passes requests on to another one of this machine."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, service_port: int) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.service_port = service_port
        self.faults: collections.Counter[str] = collections.Counter()
        self.lock = threading.Lock()
        self.sends: collections.Counter[bytes] = collections.Counter()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def count(self, fault: str) -> None:
        with self.lock:
            self.faults[fault] += 1

    def attempt(self, key: bytes) -> int:
        """Which attempt of the send with this key this is, from 1."""
        with self.lock:
            self.sends[key] += 1
            return self.sends[key]

    def handle_error(self, request, client_address) -> None:
        """A client that goes away in the middle is no fault."""


class Request(socketserver.BaseRequestHandler):
    server: Line

    def handle(self) -> None:
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
            answer = self.stream(service) if is_stream else pieces(service)
            if attempt == 1:
                collections.deque(answer, maxlen=0)
                self.server.count("lost")
                return
            for piece in answer:
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

    def stream(self, service: socket.socket):
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


def pieces(service: socket.socket):
    while piece := service.recv(PIECE_BYTES):
        yield piece
