"""Checks of the domain, by what its authoritative name servers say."""

from __future__ import annotations

import re

from .aws import Aws
from .checks import OK, WARNING, Known, attempt, unknown
from .console import Failure
from .deployment import Deployment
from .form import setting_of, setting_or_default
from .nameservers import NameServers
from .record import leads_to, record_of
from .status import Row

LETS_ENCRYPT = "letsencrypt.org"  # as CAA records name it
CHALLENGE = "http-01"
RECORDS = ("ipv6", "caa", "address record")


class DomainChecks:
    """The checks of one environment's domain."""

    def __init__(self, known: Known, servers: NameServers) -> None:
        self.known = known
        self.servers = servers
        self.domain = setting_of(known.environment, "domain")
        self.provider = setting_or_default(known.environment, "dns_provider")
        self.form = known.environment.shown(known.environment.form)

    def run(self) -> list[Row]:
        """All of them. The records can be asked for only if the name servers answer."""
        servers = attempt("name servers", self._check_servers)
        rows = [servers]
        if self.provider == "route53":
            rows.append(attempt("delegation", self._check_delegation))
        if servers[1] not in (OK, WARNING):
            return rows + [unknown(name, "needs the name servers") for name in RECORDS]
        checks = zip(RECORDS, (self._check_ipv6, self._check_caa, self._check_address), strict=True)
        return rows + [attempt(name, check) for name, check in checks]

    # --- Zones ---

    def _check_servers(self) -> Row:
        zone = self.servers.zones(self.domain)[-1]
        if "." not in zone.name:
            parent = ".".join(self.domain.split(".")[-2:])
            fix = f"register it, or correct domain in {self.form}"
            return ("name servers", "NOT REGISTERED", f"{parent} does not exist in the DNS: {fix}")
        shown = f"of {zone.name}: {', '.join(zone.servers)}"
        try:
            answering = self.servers.answers(self.domain, "A")
        except Failure:
            fix = "correct the name servers at the registrar"
            return ("name servers", "NOT ANSWERING", f"{shown}: {fix}")
        if silent := [server for server in zone.servers if server not in answering]:
            return ("name servers", WARNING, f"{shown}; {', '.join(silent)} does not answer")
        return ("name servers", OK, shown)

    def _check_delegation(self) -> Row:
        """The servers that the registrar has are those of the hosted zone."""
        labels = self.domain.split(".")
        parent = ".".join(labels[1:]) if len(labels) > 2 else self.domain
        name = setting_of(self.known.environment, "route53_zone") or parent
        zones = self._hosted_zones(name)
        if len(zones) != 1:
            if zones:
                return ("delegation", "NOT CLEAR", f"there are {len(zones)} public hosted zones {name}: remove others")
            fix = f"create it in Route 53, or set route53_zone or dns_provider in {self.form}"
            return ("delegation", "NOT FOUND", f"this account has no public hosted zone {name}: {fix}")
        delegated = next((zone.servers for zone in self.servers.zones(self.domain) if zone.name == name), ())
        if set(delegated) == set(zones[0]):
            return ("delegation", OK, f"{name} leads to its hosted zone in Route 53")
        fix = f"enter these name servers for {name} at your registrar: {', '.join(zones[0])}"
        return ("delegation", "NOT DELEGATED", f"{name} leads to {', '.join(delegated) or 'no name server'}: {fix}")

    def _hosted_zones(self, name: str) -> list[list[str]]:
        """The name servers of each public hosted zone of that name."""
        aws = Aws(self.known.environment, self.known.account)
        with aws.explained():
            route53 = aws.client("route53")
            found = route53.list_hosted_zones_by_name(DNSName=name)["HostedZones"]
            ids = [each["Id"] for each in found if each["Name"] == f"{name}." and not each["Config"]["PrivateZone"]]
            zones = [route53.get_hosted_zone(Id=zone)["DelegationSet"]["NameServers"] for zone in ids]
        return [sorted(server.lower().rstrip(".") for server in zone) for zone in zones]

    # --- Records ---

    def _check_ipv6(self) -> Row:
        """The host has no IPv6 address."""
        found = sorted(self.servers.records(self.domain, "AAAA"))
        if not found:
            return ("ipv6", OK, "no AAAA record")
        record = f"{self.domain} has the AAAA record {', '.join(found)}, but the host has no IPv6 address"
        if self.provider == "duckdns":
            return ("ipv6", WARNING, f"{record}; deploy removes it from DuckDNS")
        reason = "Let's Encrypt and most clients try IPv6 first"
        return ("ipv6", "NOT REACHABLE", f"{record}, and {reason}: remove that record at your DNS provider")

    def _check_caa(self) -> Row:
        """The certificate authority may issue for the domain."""
        records = [_parse_caa(value) for value in self.servers.certification(self.domain)]
        permitted = [value for tag, value in records if tag == "issue"]
        if not permitted:
            return ("caa", OK, "no CAA record restricts authorities")
        shown = ", ".join(sorted(permitted))
        authority = setting_or_default(self.known.environment, "acme_authority")
        if authority not in ("production", "staging"):
            return unknown("caa", f"CAA records permit {shown}: {authority} must be among them")
        if any(_permits(value, LETS_ENCRYPT) for value in permitted):
            return ("caa", OK, f"CAA records permit {LETS_ENCRYPT}")
        fix = f'add the CAA record 0 issue "{LETS_ENCRYPT}" for {self.domain} at your DNS provider'
        return ("caa", "NOT PERMITTED", f"CAA records permit {shown} only: {fix}")

    def _check_address(self) -> Row:
        """The A record leads to the host or the balancer, if there is one already."""
        found, addresses = sorted(self.servers.records(self.domain, "A")), self.known.addresses_of(self.domain)
        shown = ", ".join(found) or "no address"
        if leads_to(found, addresses):
            where = "the host" if len(addresses) == 1 else "the balancer"
            return ("address record", OK, f"{self.domain} leads to {where}, {shown}")
        if addresses:
            fix = f"the only record must be {record_of(Deployment(self.known.deployment, {}))}"
            return ("address record", "NOT THE HOST", f"{self.domain} leads to {shown}: {fix}")
        if not found or self.provider == "duckdns":
            return ("address record", OK, f"{self.domain} leads to {shown} until it is deployed")
        if self.provider == "none":
            fix = "replace it by the one that deploy prints"
            return ("address record", WARNING, f"{self.domain} leads to {shown}: {fix}")
        fix = "remove that record if it is in the hosted zone: Terraform replaces no record that it has not made"
        return ("address record", WARNING, f"{self.domain} leads to {shown}: {fix}")


def _parse_caa(text: str) -> tuple[str, str]:
    """The tag and the value of a CAA record."""
    found = re.fullmatch(r'\d+ (\w+) "(.*)"', text)
    return (found[1].lower(), found[2]) if found else ("", "")


def _permits(value: str, authority: str) -> bool:
    """Whether the value of a CAA record permits the authority to issue by HTTP (RFC 8657)."""
    name, *parameters = (part.strip() for part in value.split(";"))
    methods = dict(parameter.partition("=")[::2] for parameter in parameters).get("validationmethods", CHALLENGE)
    return name.lower() == authority and CHALLENGE in methods.split(",")
