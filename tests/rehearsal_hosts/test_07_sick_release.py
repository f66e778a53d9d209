"""A release that never becomes healthy, under load."""

import pytest
from rehearsal.load import Counts
from rehearsal.world import World

HOSTS = (1, 2, 3)


@pytest.mark.prerequisite
def test_it_is_rolled_back_on_the_first_host_and_reaches_no_other(
    world: World, sick_release: str, show, planned: list[Counts]
) -> None:
    before = {number: world.service_versions(number) for number in HOSTS[1:]}
    with world.under_load(*HOSTS) as counts:
        said = world.deploy(sick_release)
    show(counts)
    planned.append(counts)
    assert said.refuses("Swarm has gone back to the release before")
    assert {number: world.service_versions(number) for number in HOSTS[1:]} == before
    assert counts.show_no_loss(), counts


@pytest.mark.parametrize("number", HOSTS)
def test_every_host_runs_the_release_before(world: World, number: int) -> None:
    assert world.replicas_of(world.release, number) == world.settings.replicas
