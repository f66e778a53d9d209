"""From three hosts to one, and back, under load."""

from __future__ import annotations

import pytest
from rehearsal.load import Counts
from rehearsal.settings import DOMAIN
from rehearsal.world import World
from rehearsal_hosts.joining import watch_start

pytestmark = pytest.mark.long

HOSTS = (1, 2, 3)


@pytest.mark.prerequisite
def test_from_three_hosts_to_one_without_a_failed_request(world: World, show, planned: list[Counts]) -> None:
    world.edit(world.form, hosts=1)
    with world.under_load(1) as counts:
        said = world.deploy(world.release)
    world.follow_domain(DOMAIN)
    show(counts)
    planned.append(counts)
    assert said.succeeded
    assert [host.number for host in world.cloud.hosts()] == [1]
    assert world.cloud.balancers() == []
    assert world.addresses() == [world.settings.address]
    assert counts.show_no_loss(), counts


@pytest.mark.prerequisite
def test_from_one_host_to_three_without_a_failed_request(world: World, show, planned: list[Counts]) -> None:
    world.edit(world.form, hosts=3)
    with watch_start(world, 2) as start, world.under_load(1) as counts:
        said = world.deploy(world.release)
    world.follow_domain(DOMAIN)
    show(counts)
    planned.append(counts)
    assert said.succeeded
    world.await_healthy(*HOSTS)
    assert counts.show_no_loss(), counts
    show(f"{len(start.before)} looks at a new host before it was healthy, {len(start.answers)} afterwards")
    # A host that is healthy has its routes and its certificate.
    assert start.before and start.answers
    assert set(start.answers) == {"200"}


def test_planned_changes_have_failed_none_of_at_least_30_000_requests(planned: list[Counts], show) -> None:
    requests = sum(counts.requests for counts in planned)
    show(f"{requests} requests in all planned changes together")
    assert requests >= 30_000
    assert sum(counts.failed for counts in planned) == 0
