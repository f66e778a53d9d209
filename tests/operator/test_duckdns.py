"""DuckDNS's records, and those of other providers, at the end and before a deployment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from herolo_operator.console import Failure
from herolo_operator.deployment import Deployment
from herolo_operator.destroy import give_up_record
from herolo_operator.duckdns import clear_records
from herolo_operator.environment import Environment, Options
from herolo_operator.plans import State
from herolo_operator.record import settle_record
from rehearsal.duckdns import DuckDns
from support.name_server import NameServer, Records

DOMAIN = "herolo.duckdns.org"
TOKEN = "01234567-89ab-cdef-0123-456789abcdef"
ADDRESS = "192.0.2.1"


@pytest.fixture
def duckdns() -> DuckDns:
    """DuckDNS with both addresses."""
    api = DuckDns("herolo", lambda: TOKEN, lambda _: None)
    api.update({"domains": "herolo", "token": TOKEN, "ip": ADDRESS, "ipv6": "2001:db8::7"}, "")
    return api


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is recognised soon."""
    monkeypatch.setattr("herolo_operator.nameservers.TIMEOUT", 1)


@pytest.fixture
def options(duckdns: DuckDns, environment: Environment, tmp_path: Path) -> Iterator[Options]:
    """The commands ask the stand-ins of DuckDNS and of its name servers."""

    def records() -> Records:
        found = {"A": duckdns.address, "AAAA": duckdns.ipv6}
        addresses = {(DOMAIN, kind): [address] for kind, address in found.items() if address}
        return {("duckdns.org", "NS"): ["ns1.duckdns.org."], **addresses}

    server = NameServer(records).start()
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"duckdns_url": f"http://127.0.0.1:{duckdns.start()}"}))
    enter_token(environment, TOKEN)
    yield Options(settings=str(settings), dns_server=f"127.0.0.1:{server.server_address[1]}")
    server.shutdown()
    server.server_close()


def enter_token(environment: Environment, token: str) -> None:
    secrets = dict.fromkeys(("master", "migrate", "service"), "a" * 32)
    lines = [f'database_{name}_password: "{value}"\n' for name, value in secrets.items()]
    lines += [f'token_keys: "k1:{"A" * 43}="\n', f'duckdns_token: "{token}"\n']
    environment.secrets.write_text("".join(lines))


def state(provider: str, domain: str) -> State:
    deployment = {"dns_provider": provider, "domain": domain, "host_address": ADDRESS}
    return State({"values": {"outputs": {"deployment": {"value": deployment}}, "root_module": {"resources": []}}})


def test_an_ipv6_address_from_before_is_removed(environment: Environment, options: Options, duckdns: DuckDns) -> None:
    deployment = Deployment({"domain": DOMAIN, "dns_provider": "duckdns", "host_address": ADDRESS}, {})
    assert settle_record(deployment, environment, options) == "AAAA record removed"
    assert (duckdns.address, duckdns.ipv6) == (ADDRESS, "")
    assert settle_record(deployment, environment, options).startswith("no AAAA record")


def test_a_wrong_token_is_told_and_not_shown(environment: Environment, options: Options, duckdns: DuckDns) -> None:
    wrong = TOKEN.replace("0", "f")
    enter_token(environment, wrong)
    with pytest.raises(Failure, match=r"check that duckdns_token in environments/prod\.secrets\.yml") as failure:
        clear_records(DOMAIN, environment, options)
    assert wrong not in str(failure.value)
    assert duckdns.address == ADDRESS


def test_destroy_clears_the_record_at_duckdns(environment: Environment, options: Options, duckdns: DuckDns) -> None:
    assert give_up_record(state("duckdns", DOMAIN), environment, options) == ""
    assert (duckdns.address, duckdns.ipv6) == ("", "")


def test_destroy_goes_on_without_duckdns_and_says_what_is_left_to_do(environment: Environment, tmp_path: Path) -> None:
    enter_token(environment, TOKEN)
    (tmp_path / "settings.json").write_text('{"duckdns_url": "http://127.0.0.1:1"}')
    options = Options(settings=str(tmp_path / "settings.json"), dns_server="127.0.0.1:1")
    left = give_up_record(state("duckdns", DOMAIN), environment, options)
    assert left.startswith(f"remove the A record {DOMAIN} {ADDRESS} at duckdns.org, since its address belongs to")
    assert TOKEN not in left


def test_destroy_leaves_a_record_that_leads_elsewhere(
    environment: Environment, options: Options, duckdns: DuckDns
) -> None:
    duckdns.update({"domains": "herolo", "token": TOKEN, "ip": "192.0.2.9"}, "")
    assert give_up_record(state("duckdns", DOMAIN), environment, options) == ""
    assert duckdns.address == "192.0.2.9"


def test_destroy_names_the_record_that_was_entered_by_hand(environment: Environment, options: Options) -> None:
    left = give_up_record(state("none", DOMAIN), environment, options)
    assert left.startswith(f"remove the A record {DOMAIN} {ADDRESS} at your DNS provider")


def test_destroy_says_nothing_of_a_record_that_was_removed(
    environment: Environment, options: Options, duckdns: DuckDns
) -> None:
    duckdns.update({"domains": "herolo", "token": TOKEN, "clear": "true"}, "")
    assert give_up_record(state("none", DOMAIN), environment, options) == ""


def test_destroy_leaves_a_record_of_route_53_to_terraform(environment: Environment) -> None:
    assert give_up_record(state("route53", "herolo.example.com"), environment, Options()) == ""
