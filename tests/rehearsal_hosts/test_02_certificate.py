"""One certificate for all hosts."""

from collections.abc import Callable

import pytest
from rehearsal.world import World

HOSTS = (1, 2, 3)


@pytest.mark.prerequisite
def test_every_host_serves_the_same_certificate_of_the_authority(world: World) -> None:
    found = world.certificates()
    assert sorted(found) == list(HOSTS)
    assert len({certificate["serialNumber"] for certificate in found.values()}) == 1


def test_the_authority_has_issued_a_single_one(world: World, show: Callable[[object], None]) -> None:
    show(f"{world.issued()} certificate for {len(HOSTS)} hosts")
    assert world.issued() == 1


def test_the_api_answers_on_every_address_of_the_balancer(world: World) -> None:
    for address in world.addresses():
        assert world.certificate(address=address)["subjectAltName"] == (("DNS", world.domain),)


@pytest.mark.parametrize("number", HOSTS[1:])
def test_a_peer_orders_no_certificate(world: World, number: int) -> None:
    assert "certresolver" not in world.on_host("docker", "service", "inspect", "herolo_api", number=number)
