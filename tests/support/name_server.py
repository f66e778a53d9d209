"""An authoritative name server for tests, on the loopback address."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

TTL = 60

Records = dict[tuple[str, str], list[str]]  # by name and kind, such as ("herolo.example.com", "A")


class NameServer:
    """Answers with the records that the function returns at that moment. Names below `delegated` zones are answered
    with the NS records of those; a name that has no record at all does not exist."""

    def __init__(self, records: Callable[[], Records], delegated: tuple[str, ...] = ()) -> None:
        self._records, self._delegated = records, delegated
        self.questions: list[tuple[str, str]] = []

    def answer(self, wire: bytes) -> bytes:
        """The answer to a question."""
        question = dns.message.from_wire(wire)
        response = dns.message.make_response(question)
        name, kind = question.question[0].name, dns.rdatatype.to_text(question.question[0].rdtype)
        text = name.to_text(omit_final_dot=True).lower()
        self.questions.append((text, kind))
        records = self._records()
        for zone in self._delegated:
            if f".{text}".endswith(f".{zone}"):
                response.authority.append(dns.rrset.from_text_list(f"{zone}.", TTL, "IN", "NS", records[zone, "NS"]))
                return response.to_wire()
        response.flags |= dns.flags.AA
        for found in (kind, "CNAME"):
            if values := records.get((text, found)):
                response.answer.append(dns.rrset.from_text_list(name, TTL, "IN", found, values))
                return response.to_wire()
        if not any(f".{other}".endswith(f".{text}") for other, _ in records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire()

    def start(self, address: str = "127.0.0.1", port: int = 0) -> socketserver.ThreadingUDPServer:
        """Serves in the background."""
        server = socketserver.ThreadingUDPServer((address, port), _handler(self))
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return server


def _handler(name_server: NameServer) -> type[socketserver.BaseRequestHandler]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            wire, socket = self.request
            socket.sendto(name_server.answer(wire), self.client_address)

    return Handler


@contextmanager
def serving(
    records: Records, delegated: tuple[str, ...] = (), address: str = "127.0.0.1", port: int = 0
) -> Iterator[tuple[NameServer, int]]:
    """A server that runs for the block, and its port."""
    name_server = NameServer(lambda: records, delegated)
    server = name_server.start(address, port)
    try:
        yield name_server, server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
