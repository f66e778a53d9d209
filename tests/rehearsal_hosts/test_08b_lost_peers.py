"""The other hosts lose their power under load, one after the other, and come back by themselves.

The balancer goes on sending to them for 40 s after their health checks have failed, as AWS's was measured to do.
"""

import pytest
from rehearsal.balancer import AWS_LAG
from rehearsal.processes import run
from rehearsal.world import World
from rehearsal_hosts.loss import HOSTS, kill

pytestmark = pytest.mark.long


@pytest.mark.parametrize("number", HOSTS[1:])
def test_it_costs_no_acknowledged_message_and_fails_requests_for_a_minute_at_most(
    world: World, number: int, show
) -> None:
    world.set_lag(AWS_LAG)
    try:
        with world.under_load(*HOSTS) as counts:
            death = kill(world, number)
            run("docker", "start", world.parts.name_of(world.parts.host_part(number)))
            world.await_healthy(*HOSTS)
    finally:
        world.set_lag(0)
    death.verify_cost(counts, show)
