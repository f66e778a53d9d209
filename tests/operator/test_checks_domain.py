"""Checks of the domain."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import moto
import pytest
from herolo_operator.checks import Known
from herolo_operator.checks_domain import DomainChecks
from herolo_operator.environment import Environment, Options
from herolo_operator.nameservers import NameServers
from herolo_operator.status import Row, is_fault
from support.fleet import ADDRESSES, BALANCER, deployment
from support.name_server import Records, serving

DOMAIN = "herolo.example.com"
ADDRESS = "192.0.2.1"


@pytest.fixture
def records() -> Records:
    """What the name servers have."""
    return {("example.com", "NS"): ["ns1.example.com."]}


@pytest.fixture
def port(records: Records) -> Iterator[int]:
    with serving(records) as (_, port):
        yield port


def check(environment: Environment, port: int, *, deployed: bool = False, **settings: str) -> dict[str, Row]:
    """The rows by name."""
    lines = {"domain": DOMAIN, "region": "eu-central-1", **settings}
    environment.form.write_text("".join(f'{name} = "{value}"\n' for name, value in lines.items()))
    deployment = {"domain": DOMAIN, "host_address": ADDRESS} if deployed else {}
    known = Known(environment, Options(), "", deployment)
    return {row[0]: row for row in DomainChecks(known, NameServers(f"127.0.0.1:{port}")).run()}


def test_a_domain_that_has_no_record_yet_is_well(environment: Environment, port: int) -> None:
    rows = check(environment, port)
    assert {row[1] for row in rows.values()} == {"ok"}
    assert rows["name servers"][2] == "of example.com: ns1.example.com"


def test_a_domain_that_nobody_has_registered_is_a_fault(environment: Environment, port: int, records: Records) -> None:
    records.clear()
    rows = check(environment, port)
    assert rows["name servers"][1] == "NOT REGISTERED"
    assert rows["ipv6"] == ("ipv6", "unknown", "needs the name servers")


@pytest.mark.parametrize("provider", ["route53", "none"])
def test_an_ipv6_address_is_refused_with_the_reason(
    provider: str, environment: Environment, port: int, records: Records
) -> None:
    records[DOMAIN, "AAAA"] = ["2001:db8::7"]
    row = check(environment, port, dns_provider=provider)["ipv6"]
    assert is_fault(row)
    assert "has the AAAA record 2001:db8::7" in row[2]
    assert "try IPv6 first" in row[2]


def test_an_ipv6_address_at_duckdns_is_announced_to_be_removed(
    environment: Environment, port: int, records: Records
) -> None:
    domain = "herolo.duckdns.org"
    records["duckdns.org", "NS"] = ["ns1.duckdns.org."]
    records[domain, "AAAA"] = ["2001:db8::7"]
    row = check(environment, port, domain=domain, dns_provider="duckdns")["ipv6"]
    assert row[1] == "WARNING"
    assert "deploy removes it" in row[2]


@pytest.mark.parametrize(
    ("values", "state"),
    [
        (['0 issue "letsencrypt.org"'], "ok"),
        (['0 issue "ca.example.net"', '0 issue "letsencrypt.org; validationmethods=dns-01,http-01"'], "ok"),
        (['0 iodef "mailto:ops@example.com"'], "ok"),
        (['0 issue "ca.example.net"'], "NOT PERMITTED"),
        (['0 issue ";"'], "NOT PERMITTED"),
        (['0 issue "letsencrypt.org;validationmethods=dns-01"'], "NOT PERMITTED"),
    ],
)
def test_caa_records_must_permit_the_authority(
    values: list[str], state: str, environment: Environment, port: int, records: Records
) -> None:
    records["example.com", "CAA"] = values
    assert check(environment, port)["caa"][1] == state


def test_caa_records_and_another_authority_cannot_be_compared(
    environment: Environment, port: int, records: Records
) -> None:
    records["example.com", "CAA"] = ['0 issue "ca.example.net"']
    assert check(environment, port, acme_authority="https://ca.example.net/directory")["caa"][1] == "unknown"


@pytest.mark.parametrize(
    ("found", "state"), [([ADDRESS], "ok"), ([ADDRESS, "192.0.2.9"], "NOT THE HOST"), ([], "NOT THE HOST")]
)
def test_the_record_of_a_deployment_leads_to_its_host_alone(
    found: list[str], state: str, environment: Environment, port: int, records: Records
) -> None:
    records[DOMAIN, "A"] = found
    row = check(environment, port, deployed=True)["address record"]
    assert row[1] == state
    assert state == "ok" or f"{DOMAIN}. 60 IN A {ADDRESS}" in row[2]


@pytest.mark.parametrize(
    ("found", "state"),
    [(ADDRESSES, "ok"), (ADDRESSES[1:], "ok"), ([*ADDRESSES, ADDRESS], "NOT THE HOST"), ([], "NOT THE HOST")],
)
def test_the_record_of_several_hosts_leads_to_the_balancer(
    found: list[str], state: str, environment: Environment, port: int, records: Records
) -> None:
    records[DOMAIN, "A"] = found
    check(environment, port)  # writes the form
    known = Known(environment, Options(), "", deployment().values)
    row = DomainChecks(known, NameServers(f"127.0.0.1:{port}"))._check_address()
    assert row[1] == state
    assert state == "ok" or f"{DOMAIN}. 60 IN CNAME {BALANCER}." in row[2]


def test_a_record_that_leads_elsewhere_before_the_deployment_is_a_warning(
    environment: Environment, port: int, records: Records
) -> None:
    records[DOMAIN, "A"] = ["192.0.2.9"]
    assert check(environment, port)["address record"][1] == "WARNING"


@pytest.fixture
def hosted_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The name servers of example.com in Route 53."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "stand-in")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with moto.mock_aws():
        route53 = boto3.client("route53")
        yield route53.create_hosted_zone(Name="example.com", CallerReference="test")["DelegationSet"]["NameServers"]


def test_a_zone_that_the_registrar_delegates_is_well(
    environment: Environment, port: int, records: Records, hosted_zone: list[str]
) -> None:
    records["example.com", "NS"] = [f"{name}." for name in hosted_zone]
    assert check(environment, port, dns_provider="route53")["delegation"][1] == "ok"


def test_a_zone_that_leads_elsewhere_is_a_fault_with_the_name_servers_to_enter(
    environment: Environment, port: int, hosted_zone: list[str]
) -> None:
    row = check(environment, port, dns_provider="route53")["delegation"]
    assert row[1] == "NOT DELEGATED"
    assert "example.com leads to ns1.example.com: enter these name servers" in row[2]
    assert all(name in row[2] for name in hosted_zone)


@pytest.mark.usefixtures("hosted_zone")
def test_a_zone_that_the_account_does_not_have_is_a_fault(environment: Environment, port: int) -> None:
    row = check(environment, port, dns_provider="route53", route53_zone="herolo.example.com")["delegation"]
    assert row[1] == "NOT FOUND"
