"""The DNS record that leads to the host, or to the balancer in front of several. It must be there before the host
itself looks for it: a resolver that has been told that there is none repeats that for minutes or hours."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Collection
from typing import Any

from . import console
from .aws import Aws
from .console import Failure, Refusal
from .deployment import Deployment
from .duckdns import clear_records, set_address
from .environment import Environment, Options
from .form import setting_of, setting_or_default
from .nameservers import NameServers
from .stages import HOST

WAIT = 600  # seconds, unless somebody waits at a terminal
PAUSE = 5  # seconds between two questions
MOST_SILENCES = 3  # before the name servers count as out of reach

TTL = 60  # seconds, of the record

NEW_ADDRESS = re.compile(r'aws_eip\.host(?:\["1"\])?: Creation complete .*\[id=(eipalloc-[0-9a-f]+)\]')
NEW_BALANCER = re.compile(r"aws_lb\.\S+: Creation complete .*\[id=(arn:\S+)\]")


def shown_record(domain: str, address: str) -> str:
    """As it is entered at a DNS provider."""
    return f"{domain}. {TTL} IN A {address}"


def record_of(deployment: Deployment) -> str:
    """The record that the domain must have now. A name that is a zone of its own cannot have a CNAME record."""
    domain, addresses = deployment.domain, list(deployment.addresses)
    if deployment.entry == HOST or deployment.dns_provider == "duckdns":
        return shown_record(domain, addresses[0])
    alias = f"{domain}. {TTL} IN CNAME {deployment.balancer['name']}."
    return f"{alias} (at the top of a zone: A records {' and '.join(addresses)})"


class RecordAnnouncer:
    """Prints the record to enter by hand as soon as Terraform has made the address, or the balancer, to which the first
    deployment's domain leads, while the database is in the making. It reads Terraform's output, line by line."""

    def __init__(self, environment: Environment, entry: str = HOST) -> None:
        self.environment = environment
        self._by_hand = setting_or_default(environment, "dns_provider") == "none"
        self._awaited, self._find = (
            (NEW_ADDRESS, self._record_of_address) if entry == HOST else (NEW_BALANCER, self._record_of_balancer)
        )

    def __call__(self, line: str) -> None:
        """Never fails: `settle_record` prints the record once more."""
        found = self._awaited.match(line)
        if not found or not self._by_hand:
            return
        try:
            record = self._find(found[1])
        except Failure as failure:
            console.say(f"the new address is not known yet: {failure}")
            return
        console.announce(f"enter this record at your DNS provider now, while the rest is made: {record}")

    def _record_of_address(self, allocation: str) -> str:
        aws = Aws(self.environment)
        with aws.explained():
            addresses: list[dict[str, Any]] = aws.client("ec2").describe_addresses(AllocationIds=[allocation])[
                "Addresses"
            ]
        return shown_record(setting_of(self.environment, "domain"), addresses[0]["PublicIp"])

    def _record_of_balancer(self, arn: str) -> str:
        aws = Aws(self.environment)
        with aws.explained():
            found: list[dict[str, Any]] = aws.client("elbv2").describe_load_balancers(LoadBalancerArns=[arn])[
                "LoadBalancers"
            ]
        return f"{setting_of(self.environment, 'domain')}. {TTL} IN CNAME {found[0]['DNSName']}."


def settle_record(deployment: Deployment, environment: Environment, options: Options) -> str:
    """Waits until the domain leads to the deployment, and to nothing else. Returns a summary."""
    if deployment.dns_provider == "duckdns":
        return _remove_ipv6(deployment, environment, options)
    return _await_record(deployment, environment, options)


def move_record(deployment: Deployment, environment: Environment, options: Options, *, outlives: bool) -> str:
    """Leads the domain to where the deployment says, while it leads elsewhere, and waits until resolvers have forgotten
    the former record, and if `outlives`, also until kept-alive connections to the former entry have ended. Never goes
    on without having seen the record. Returns a summary."""
    if deployment.dns_provider == "duckdns":
        set_address(deployment.domain, deployment.addresses[0], environment, options)
    outcome = _await_record(deployment, environment, options, required=True)
    time.sleep(_seconds("HEROLO_SETTLING", options.settling))
    if outlives:
        time.sleep(_seconds("HEROLO_DRAINED", options.drained))
    return outcome


def _seconds(variable: str, given: str) -> int:
    if not given.isdigit():
        raise Failure(f"{variable}='{given}' is not a number of seconds")
    return int(given)


def _remove_ipv6(deployment: Deployment, environment: Environment, options: Options) -> str:
    """The role `dns` sets the IPv4 address at DuckDNS, and would leave an IPv6 address as it is."""
    try:
        found = NameServers(options.dns_server).records(deployment.domain, "AAAA")
    except Failure as failure:
        return f"unknown: {failure}"
    if not found:
        return "no AAAA record; the phase dns sets the A record"
    clear_records(deployment.domain, environment, options)
    set_address(deployment.domain, deployment.addresses[0], environment, options)
    return "AAAA record removed"


def _await_record(deployment: Deployment, environment: Environment, options: Options, *, required: bool = False) -> str:
    domain, addresses = deployment.domain, set(deployment.addresses)
    begin, silences, announced = time.monotonic(), 0, False
    longest = longest_wait(options)
    while True:
        try:
            found = NameServers(options.dns_server).answers(domain, "A")
        except Failure as failure:
            silences += 1
            if silences == MOST_SILENCES:
                if required:
                    raise Failure(f"{failure}: fix that and run this again, which resumes there") from failure
                return f"unknown, so the host waits for it ({failure})"
        else:
            silences = 0
            if all(leads_to(values, addresses) for values in found.values()):
                return f"{domain} leads to {_name_entry(deployment)}"
            if longest is not None and time.monotonic() - begin >= longest:
                raise Failure(_complaint(deployment, frozenset().union(*found.values())))
            if not announced:
                announced = True
                _announce(deployment, environment)
        time.sleep(PAUSE if longest is None else min(PAUSE, longest))


def leads_to(values: Collection[str], addresses: Collection[str]) -> bool:
    """Whether a domain with these addresses leads to those of a deployment, and nowhere else. A balancer leaves out the
    address of a zone in which it knows no healthy host; DuckDNS has one address only."""
    return bool(values) and set(values) <= set(addresses)


def _name_entry(deployment: Deployment) -> str:
    return str(deployment.addresses[0]) if deployment.entry == HOST else "the balancer"


def longest_wait(options: Options) -> int | None:
    """In seconds; None is without end, since Ctrl-C ends it."""
    if options.wait:
        if not options.wait.isdigit():
            raise Refusal(f"WAIT='{options.wait}' is not a number of seconds, such as WAIT=600")
        return int(options.wait)
    return None if sys.stdin.isatty() and not options.yes else WAIT


def _announce(deployment: Deployment, environment: Environment) -> None:
    record = record_of(deployment)
    if deployment.dns_provider == "none":
        console.announce(f"waiting for this record, to enter at your DNS provider: {record}")
    else:
        console.announce(f"waiting until every name server has the record {record}")


def _complaint(deployment: Deployment, found: frozenset[str]) -> str:
    domain, record = deployment.domain, record_of(deployment)
    leads = f"leads to {', '.join(sorted(found))}" if found else "has no A record"
    if deployment.dns_provider == "none":
        fix = "enter it at your DNS provider, as the only A record of that name"
        if deployment.entry != HOST:
            fix = "enter it at your DNS provider, in place of any other record of that name"
    elif deployment.dns_provider == "duckdns":
        fix = "DuckDNS has accepted it, so wait until its name servers have it"
    else:
        fix = "remove any other A record from the hosted zone"
    return f"{domain} {leads}, but must have the record {record}: {fix}, and run this again, which resumes there"
