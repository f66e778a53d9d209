"""A release and another Traefik on every host, in one deployment under load.

The balancer goes on sending to a host for 40 s after its health check has failed, so a drain has its real length.
"""

from collections.abc import Iterator

import pytest
from rehearsal.balancer import AWS_LAG
from rehearsal.load import Counts
from rehearsal.world import World

pytestmark = pytest.mark.long

HOSTS = (1, 2, 3)


@pytest.fixture(scope="module")
def next_release(world: World) -> str:
    """The same program as another release."""
    return world.build_release("next", f"FROM {world.settings.previous}\nLABEL herolo.next=1\n")


@pytest.fixture(scope="module")
def next_edge(world: World) -> Iterator[str]:
    """The same Traefik as another image."""
    yield world.build_edge("next", f"FROM {world.settings.edge_image}\nLABEL herolo.next=1\n")
    world.set_lag(0)


@pytest.mark.prerequisite
def test_both_reach_every_host_without_a_failed_request(
    world: World, next_release: str, next_edge: str, show, planned: list[Counts]
) -> None:
    world.set_variables(edge_image=next_edge, drain_seconds=90)
    before = {number: world.containers_of("edge_traefik", number) for number in HOSTS}
    world.set_lag(AWS_LAG)
    with world.under_load(*HOSTS) as counts:
        said = world.deploy(next_release)
    show(counts)
    planned.append(counts)
    assert said.succeeded
    world.learn(release=next_release)
    for number in HOSTS:
        assert world.replicas_of(next_release, number) == world.settings.replicas
        assert world.containers_of("edge_traefik", number) != before[number]
    assert counts.show_no_loss(), counts


def test_nothing_else_was_changed(world: World) -> None:
    said = world.log.read_text()
    assert "\n  on AWS       none\n" in said
    assert world.changed_roles() == {"drain", "images", "edge", "service"}


def test_no_host_has_left_the_balancer(world: World) -> None:
    world.await_healthy(*HOSTS, limit=30)
    for number in HOSTS:
        assert world.on_host("herolo-drain", "status", number=number) == "serving"
