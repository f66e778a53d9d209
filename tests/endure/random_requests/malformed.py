"""Requests that are no HTTP, or whose head says something else of the body than what follows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from random import Random

from endure.random_requests.requests import Request
from endure.random_requests.values import flipped

LINES = (
    *(b"", b" ", b"GET", b"GET ", b"GET /livez", b"GET  /livez HTTP/1.1", b"GET\t/livez\tHTTP/1.1", b"\0"),
    *(b"GET /livez\0 HTTP/1.1", b"GET /livez HTTP/0.9", b"GET /livez HTTP/1.2", b"GET /livez HTTP/2.0"),
    *(b"GET /livez HTTP/9999999999", b"GET /livez http/1.1", b"G\xcbT /livez HTTP/1.1", b"GET/livez HTTP/1.1"),
    *(b"GET /" + b"a" * 70_000 + b" HTTP/1.1", b"GET /users/\xff HTTP/1.1", b"\x16\x03\x01\x02\0\x01\0\x01\xfc"),
    *(b"PRI * HTTP/2.0\r\n\r\nSM", b'GET /livez?" HTTP/1.1', b"CONNECT herolo:80 HTTP/1.1", b"OPTIONS * HTTP/1.1"),
)
HEADERS = (
    *(b"Host: a\r\nHost: b", b"Host:", b"Host: \0", b" Host: a", b"Host : a", b"Authorization", b": value", b"="),
    *(b"A: b\r\n c: folded", b"A\0: b", b"A: \0", b"A: \x7f", b"A b: c", b"\xc3\xa9: c", b"A: b\rC: d", b"A: b\nC: d"),
    *(b"X: y\nTransfer-Encoding: chunked", b"Connection: \xff", b"Trailer: Content-Length", b"A: " + b"a" * 600_000),
    *(b"Connection: upgrade\r\nUpgrade: websocket", b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"),
)
# Instead of those of the request. Where there are two, or they are odd, servers might not agree on the body.
FRAMINGS = (
    *(b"Content-Length: -1", b"Content-Length: +2", b"Content-Length: 0x2", b"Content-Length: 2, 2"),
    *(b"Content-Length: 18446744073709551615", b"Content-Length: 18446744073709551616", b"Content-Length:"),
    *(b"Content-Length: \xff", b"Content-Length: 2\r\nContent-Length: 3", b"Content-Length: 1"),
    *(b"Content-Length: 0", b"Content-Length: 524289", b"Transfer-Encoding : chunked"),
    *(b"Content-Length: 100000", b"Content-Length: 4\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    *(b"Transfer-Encoding: gzip", b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: chunked, gzip"),
    *(b"Transfer-Encoding: identity", b"Transfer-Encoding:\x0bchunked"),
    *(b"Transfer-Encoding:\r\n chunked", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
)
CHUNKS = (
    *(b"2\r\n{}\r\n", b"2\r\n{}", b"2\r\n{}0\r\n\r\n", b"z\r\n{}\r\n0\r\n\r\n", b"-1\r\n{}\r\n0\r\n\r\n"),
    *(b"ffffffffffffffff\r\n{}\r\n0\r\n\r\n", b"ffffffffffffffffff\r\n{}\r\n0\r\n\r\n", b"2\n{}\n0\n\n", b""),
    *(b'2;a="\n"\r\n{}\r\n0\r\n\r\n', b"2\r\n{}\r\n0\r\nContent-Length: 9\r\n\r\n", b"\r\n2\r\n{}\r\n0\r\n\r\n"),
)


def _line(dice: Random, head: bytes, body: bytes) -> bytes:
    """Another request line."""
    return b"%b\r\n%b\r\n\r\n%b" % (dice.choice(LINES), head.partition(b"\r\n")[2], body)


def _header(dice: Random, head: bytes, body: bytes) -> bytes:
    """A header that is none, or is too large."""
    line, _, rest = head.partition(b"\r\n")
    return b"%b\r\n%b\r\n%b\r\n\r\n%b" % (line, dice.choice(HEADERS), rest, body)


def _framing(dice: Random, head: bytes, body: bytes) -> bytes:
    """Another length than that of the body, or another coding than its own."""
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith((b"content-length", b"transfer-enc"))]
    if dice.random() < 0.3:
        body = dice.choice(CHUNKS)
        lines.append(b"Transfer-Encoding: chunked")
    else:
        lines.append(dice.choice(FRAMINGS))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _bytes(dice: Random, head: bytes, body: bytes) -> bytes:
    """Bytes of the head that are changed, left out or added."""
    return flipped(dice, head[:2_000]) + head[2_000:] + b"\r\n\r\n" + body


def _cut(dice: Random, head: bytes, body: bytes) -> bytes:
    """The connection ends within the head or the body."""
    data = head + b"\r\n\r\n" + body
    return data[: dice.randrange(len(data) + 1)]


def _line_feeds(_: Random, head: bytes, body: bytes) -> bytes:
    """Lines that end with a line feed alone."""
    return head.replace(b"\r\n", b"\n") + b"\n\n" + body


def _noise(dice: Random, _: bytes, __: bytes) -> bytes:
    """Random bytes."""
    return dice.randbytes(dice.choice((1, 10, 100, 1_000, 10_000)))


CHANGES: tuple[Callable[[Random, bytes, bytes], bytes], ...] = (
    *(_line, _header, _framing, _framing, _bytes, _bytes, _cut, _line_feeds, _noise),
)


def unframed(request: Request) -> Request:
    """The request as one after which the connection ends, since it may be more than one, or none."""
    line, _, rest = request.data.partition(b"\r\n")
    return dataclasses.replace(
        request, data=b"%b\r\nConnection: close\r\n%b" % (line, rest), operation="", kind="malformed", is_http=False
    )


def malformed(dice: Random, request: Request) -> Request:
    """The request with its bytes changed. It may be a valid one of any operation all the same."""
    closing = unframed(request)
    head, _, body = closing.data.partition(b"\r\n\r\n")
    return dataclasses.replace(closing, data=dice.choice(CHANGES)(dice, head, body))
