"""What the authoritative name servers of a domain say."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from herolo_operator import nameservers
from herolo_operator.console import Failure
from herolo_operator.nameservers import NameServers
from support.name_server import NameServer, Records, serving

DOMAIN = "herolo.example.com"
ADDRESSES = {"com-server": ["127.0.0.1"], "first": ["127.0.0.2"], "second": ["127.0.0.3"]}
COM: Records = {("com", "NS"): ["com-server."], ("example.com", "NS"): ["first.", "second."]}


class OnLoopback(NameServers):
    """Servers on this machine: those of com on 127.0.0.1, and two of example.com."""

    def __init__(self, port: int) -> None:
        super().__init__(f"127.0.0.1:{port}")
        self._zones["com"] = self._top("com")
        self._only = ""

    def _addresses(self, server: str) -> list[str]:
        return ADDRESSES.get(server, [server])


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is recognised soon."""
    monkeypatch.setattr(nameservers, "TIMEOUT", 0.5)


@pytest.fixture
def first() -> Records:
    """The records of the first server of example.com."""
    return {("example.com", "NS"): ["first.", "second."]}


@pytest.fixture
def second(first: Records) -> Records:
    """The records of the second."""
    return dict(first)


@pytest.fixture
def world(first: Records, second: Records) -> Iterator[tuple[NameServers, NameServer]]:
    """The servers of three zones, and the one of com."""
    with (
        serving(COM, ("example.com",)) as (com, port),
        serving(first, (), "127.0.0.2", port),
        serving(second, (), "127.0.0.3", port),
    ):
        yield OnLoopback(port), com


def test_the_servers_are_those_that_the_parent_zone_names(world: tuple[NameServers, NameServer]) -> None:
    zones = world[0].zones(DOMAIN)
    assert [(zone.name, zone.servers) for zone in zones[1:]] == [("example.com", ("first", "second"))]


def test_the_servers_of_the_parent_are_not_asked_for_the_domain(world: tuple[NameServers, NameServer]) -> None:
    servers, com = world
    assert servers.records(DOMAIN, "A") == frozenset()
    assert com.questions == [("example.com", "NS")]


def test_every_server_is_asked(world: tuple[NameServers, NameServer], first: Records, second: Records) -> None:
    first[DOMAIN, "A"] = ["192.0.2.1"]
    second[DOMAIN, "A"] = ["192.0.2.2"]
    assert world[0].answers(DOMAIN, "A") == {"first": {"192.0.2.1"}, "second": {"192.0.2.2"}}
    assert world[0].records(DOMAIN, "A") == {"192.0.2.1", "192.0.2.2"}


def test_a_new_record_is_seen_at_once(world: tuple[NameServers, NameServer], first: Records, second: Records) -> None:
    assert world[0].records(DOMAIN, "A") == frozenset()
    first[DOMAIN, "A"] = second[DOMAIN, "A"] = ["192.0.2.1"]
    assert world[0].records(DOMAIN, "A") == {"192.0.2.1"}


def test_aliases_are_followed_into_other_zones(world: tuple[NameServers, NameServer], first: Records) -> None:
    first[DOMAIN, "CNAME"] = ["other.example.com."]
    first["other.example.com", "A"] = ["192.0.2.7"]
    assert world[0].records(DOMAIN, "A") == {"192.0.2.7"}


def test_aliases_in_a_circle_have_no_value(world: tuple[NameServers, NameServer], first: Records) -> None:
    first[DOMAIN, "CNAME"] = ["other.example.com."]
    first["other.example.com", "CNAME"] = [f"{DOMAIN}."]
    assert world[0].records(DOMAIN, "A") == frozenset()


@pytest.mark.usefixtures("impatience")
def test_a_server_that_is_silent_is_left_out(first: Records) -> None:
    first[DOMAIN, "A"] = ["192.0.2.1"]
    with serving(COM, ("example.com",)) as (_, port), serving(first, (), "127.0.0.2", port):
        assert OnLoopback(port).answers(DOMAIN, "A") == {"first": {"192.0.2.1"}}


@pytest.mark.usefixtures("impatience")
def test_silence_of_all_servers_is_a_failure_that_names_them() -> None:
    silence = r"no name server of example\.com answers: first, second"
    with serving(COM, ("example.com",)) as (_, port), pytest.raises(Failure, match=silence):
        OnLoopback(port).records(DOMAIN, "A")


def test_the_closest_caa_record_counts(world: tuple[NameServers, NameServer], first: Records) -> None:
    first["example.com", "CAA"] = ['0 issue "ca.example.net"']
    assert world[0].certification(DOMAIN) == {'0 issue "ca.example.net"'}
    first[DOMAIN, "CAA"] = ['0 issue "letsencrypt.org"']
    assert world[0].certification(DOMAIN) == {'0 issue "letsencrypt.org"'}
