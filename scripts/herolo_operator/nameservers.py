"""What the authoritative name servers of a domain say. They are asked directly, because a resolver remembers that a
name does not exist: for minutes or hours, it would keep the answer from the time before the record was made."""

from __future__ import annotations

import socket
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver
from dns.rdatatype import RdataType

from .console import Failure

TIMEOUT = 3  # seconds, of each question
LONGEST_CHAIN = 8  # of aliases (CNAME)


@dataclass(frozen=True)
class Zone:
    """A zone of the DNS, and the servers that its parent names for it."""

    name: str
    servers: tuple[str, ...]


class NameServers:
    """The servers of all zones, from the top-level domain downwards. What they have said about zones is kept, so a new
    object asks anew."""

    def __init__(self, server: str = "") -> None:
        address, _, port = server.rpartition(":")
        self._only = address  # for tests, answers every question
        self._port = int(port or 53)
        self._zones: dict[str, Zone] = {}
        self._silent: set[str] = set()

    def zones(self, domain: str) -> list[Zone]:
        """The zones that contain the domain, from its top-level domain down to the one that has its records."""
        labels = domain.split(".")
        zones = [self._top(labels[-1])]
        for number in range(2, len(labels) + 1):
            name = ".".join(labels[-number:])
            if name not in self._zones:
                response = self._ask_any(zones[-1], name, RdataType.NS)
                if response.rcode() == dns.rcode.NXDOMAIN:
                    break
                self._zones[name] = (
                    Zone(name, _delegation(response, name)) if _delegation(response, name) else zones[-1]
                )
            if self._zones[name] != zones[-1]:
                zones.append(self._zones[name])
        return zones

    def answers(self, domain: str, kind: str, longest: int = LONGEST_CHAIN) -> dict[str, frozenset[str]]:
        """The values of the domain's records of that kind, such as "AAAA", by server. Servers that do not answer are
        absent; fails if none does."""
        zone = self.zones(domain)[-1]
        found = {}
        for server in zone.servers:
            response = self._ask(server, domain, RdataType[kind])
            if response:
                found[server] = self._values(response, domain, kind, longest)
        if not found:
            raise _silence(zone)
        return found

    def records(self, domain: str, kind: str) -> frozenset[str]:
        """The values that any of the servers has."""
        return frozenset().union(*self.answers(domain, kind).values())

    def certification(self, domain: str) -> frozenset[str]:
        """The CAA records that apply to the domain: those of its closest ancestor that has any (RFC 8659)."""
        labels = domain.split(".")
        names = (".".join(labels[number:]) for number in range(len(labels)))
        return next((values for name in names if (values := self.records(name, "CAA"))), frozenset())

    def _values(self, response: dns.message.Message, domain: str, kind: str, longest: int) -> frozenset[str]:
        name, known = dns.name.from_text(domain), {rrset.name for rrset in response.answer}
        for _ in range(longest):
            if values := _find(response, name, RdataType[kind]):
                return frozenset(values)
            target = next(iter(_find(response, name, RdataType.CNAME)), "")
            if not target:
                return frozenset()
            name = dns.name.from_text(target)
            if name not in known:
                others = self.answers(_text(name), kind, longest - 1) if longest > 1 else {}
                return frozenset().union(*others.values())
        return frozenset()

    # --- Asking ---

    def _top(self, label: str) -> Zone:
        """Its servers are known to every resolver."""
        if self._only:
            return Zone(label, (self._only,))
        if label not in self._zones:
            try:
                answer = dns.resolver.resolve(f"{label}.", "NS", lifetime=2 * TIMEOUT)
            except dns.exception.DNSException as error:
                raise Failure(f"the DNS cannot be asked: fix the network ({_one_line(error)})") from error
            self._zones[label] = Zone(label, tuple(sorted(_text(record.target) for record in answer)))
        return self._zones[label]

    def _ask_any(self, zone: Zone, name: str, kind: RdataType) -> dns.message.Message:
        for server in zone.servers:
            if response := self._ask(server, name, kind):
                return response
        raise _silence(zone)

    def _ask(self, server: str, name: str, kind: RdataType) -> dns.message.Message | None:
        question = dns.message.make_query(f"{name}.", kind, flags=0)  # without recursion
        for address in self._addresses(server):
            if address in self._silent:
                continue
            try:
                response, _ = dns.query.udp_with_fallback(question, address, TIMEOUT, self._port)
            except (dns.exception.DNSException, OSError):
                self._silent.add(address)
                continue
            if response.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
                return response
        return None

    def _addresses(self, server: str) -> list[str]:
        if self._only:
            return [self._only]
        try:
            found = socket.getaddrinfo(server, None, type=socket.SOCK_DGRAM)
        except OSError:
            return []
        return sorted({str(entry[4][0]) for entry in found}, key=lambda address: ":" in address)  # IPv4 first


def _delegation(response: dns.message.Message, name: str) -> tuple[str, ...]:
    """The servers that a zone names for its child, or none if that is no zone of its own."""
    wanted = dns.name.from_text(name)
    for rrset in (*response.answer, *response.authority):
        if rrset.rdtype == RdataType.NS and rrset.name == wanted:
            return tuple(sorted(_text(record.target) for record in rrset))
    return ()


def _find(response: dns.message.Message, name: dns.name.Name, kind: RdataType) -> list[str]:
    return [
        record.to_text() for rrset in response.answer if (rrset.name, rrset.rdtype) == (name, kind) for record in rrset
    ]


def _silence(zone: Zone) -> Failure:
    return Failure(f"no name server of {zone.name} answers: {', '.join(zone.servers)}")


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
